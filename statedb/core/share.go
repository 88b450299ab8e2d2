package core

import "smbproxy/internal/smb2"

// Access of the three kinds that share access speaks of ([MS-FSA] 2.1.5.1.2.2; Samba:
// locking.c share_conflict). An open with none of them joins no share check.
const (
	readAccess   = smb2.FileReadData | smb2.FileExecute
	writeAccess  = smb2.FileWriteData | smb2.FileAppendData
	deleteAccess = smb2.Delete
	sharedAccess = readAccess | writeAccess | deleteAccess
)

// statAccess is what a stat open has at most. It breaks nothing and is refused only by
// delete-pending (Samba: is_oplock_stat_open).
const statAccess = smb2.Synchronize | smb2.FileReadAttributes | smb2.FileWriteAttributes

// leaseStatAccess is statAccess as leases see it, [MS-FSA] 2.1.4.12 case OPEN: READ_CONTROL
// breaks oplocks but not leases.
const leaseStatAccess = statAccess | smb2.ReadControl

// shareCount is the sum of a file's opens, so that a check costs the same however many
// there are.
type shareCount struct {
	readers, writers, deleters      int32
	denyRead, denyWrite, denyDelete int32
}

// add counts an open in (1) or out (-1).
func (c *shareCount) add(o *open, d int32) {
	if o.access&sharedAccess == 0 {
		return
	}
	if o.access&readAccess != 0 {
		c.readers += d
	}
	if o.access&writeAccess != 0 {
		c.writers += d
	}
	if o.access&deleteAccess != 0 {
		c.deleters += d
	}
	share := smb2.ShareAccess(o.share)
	if share&smb2.FileShareRead == 0 {
		c.denyRead += d
	}
	if share&smb2.FileShareWrite == 0 {
		c.denyWrite += d
	}
	if share&smb2.FileShareDelete == 0 {
		c.denyDelete += d
	}
}

// conflict says whether an open with that access and sharing cannot stand beside those
// that are counted ([MS-FSA] 2.1.5.1.2.2).
func (c *shareCount) conflict(access smb2.AccessMask, share smb2.ShareAccess) bool {
	if access&sharedAccess == 0 {
		return false
	}
	return access&readAccess != 0 && c.denyRead > 0 ||
		access&writeAccess != 0 && c.denyWrite > 0 ||
		access&deleteAccess != 0 && c.denyDelete > 0 ||
		share&smb2.FileShareRead == 0 && c.readers > 0 ||
		share&smb2.FileShareWrite == 0 && c.writers > 0 ||
		share&smb2.FileShareDelete == 0 && c.deleters > 0
}

// conflicts is conflict against one open.
func (o *open) conflicts(access smb2.AccessMask, share smb2.ShareAccess) bool {
	var c shareCount
	c.add(o, 1)
	return c.conflict(access, share)
}

// violation says whether the open that cmd asks for meets a sharing violation: on its own
// stream, and where it has asked to delete the file (not by implication), with deletion on every open
// stream (Samba: open_streams_for_delete).
func (f *file) violation(access smb2.AccessMask, share smb2.ShareAccess, implied bool) bool {
	if access&^statAccess == 0 {
		return false
	}
	if f.share.conflict(access, share) {
		return true
	}
	if access&deleteAccess != 0 && !implied {
		for _, x := range f.streams {
			if x.share.denyDelete > 0 {
				return true
			}
		}
	}
	return false
}
