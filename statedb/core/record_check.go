package core

import (
	"fmt"
	"strings"

	"smbproxy/internal/smb2"
)

// Check says what no open of this package can have, so that a record of it is damaged; empty: nothing.
// It changes nothing and needs no State.
func (r *Record) Check() string {
	switch {
	case r.Open>>52 == 0:
		return fmt.Sprintf("open %#x has no node number", uint64(r.Open))
	case r.Access == 0 || r.Access&(smb2.MaximumAllowed|smb2.GenericAll|smb2.GenericRead|smb2.GenericWrite|smb2.GenericExecute) != 0:
		return fmt.Sprintf("access %#x is none that is granted", uint32(r.Access))
	case r.Share&^(smb2.FileShareRead|smb2.FileShareWrite|smb2.FileShareDelete) != 0:
		return fmt.Sprintf("share access %#x", uint32(r.Share))
	case r.User == "":
		return "it has no user"
	case badPath(r.Name.Path):
		return fmt.Sprintf("path %q", r.Name.Path)
	case strings.ContainsAny(r.Stream, `:\`):
		return fmt.Sprintf("stream %q", r.Stream)
	case r.Timeout <= 0:
		return fmt.Sprintf("time-out %v", r.Timeout)
	}
	switch r.Oplock {
	case smb2.OplockLevelNone, smb2.OplockLevelII, smb2.OplockLevelExclusive, smb2.OplockLevelBatch:
		if r.Lease != nil {
			return "it has an oplock and a lease"
		}
	case smb2.OplockLevelLease:
		if r.Lease != nil && (r.Lease.State&^7 != 0 || r.Lease.Version != 1 && r.Lease.Version != 2) {
			return fmt.Sprintf("lease state %#x of version %d", uint32(r.Lease.State), r.Lease.Version)
		}
	default:
		return fmt.Sprintf("oplock level %#x", uint8(r.Oplock))
	}
	for _, l := range r.Locks {
		if k := (byteRange{l.Offset, l.Length}); !k.valid() {
			return fmt.Sprintf("lock of %d bytes at %d ends beyond 64 bits", l.Length, l.Offset)
		}
	}
	return ""
}

// badPath says whether a path is none that Name can have.
func badPath(path string) bool {
	if path == "" {
		return false
	}
	for _, c := range strings.Split(path, `\`) {
		if c == "" || c == "." || c == ".." || strings.ContainsAny(c, "/:\x00") {
			return true
		}
	}
	return false
}

// SameFile says whether both are of one file and stream.
func (r *Record) SameFile(x *Record) bool { return r.File == x.File && r.Stream == x.Stream }

// Conflict says why both cannot have been granted beside each other; empty: they can.
func (r *Record) Conflict(x *Record) string {
	switch {
	case r.Create != (GUID{}) && r.Create == x.Create && r.Client == x.Client:
		return "the same CreateGuid of the same client"
	case r.Lease != nil && x.Lease != nil && r.Client == x.Client && r.Lease.Key == x.Lease.Key:
		switch {
		case !r.SameFile(x):
			return "the same lease on another file"
		case r.Lease.State != x.Lease.State:
			return "the same lease in another state"
		}
	}
	if !r.SameFile(x) {
		return ""
	}
	if r.Directory != x.Directory {
		return "the same file, a directory there"
	}
	var c shareCount
	c.add(&open{access: x.Access, share: uint8(x.Share)}, 1)
	if c.conflict(r.Access, r.Share) {
		return "a sharing violation"
	}
	for _, a := range r.Locks {
		for _, b := range x.Locks {
			if (a.Exclusive || b.Exclusive) && (byteRange{a.Offset, a.Length}).overlaps(byteRange{b.Offset, b.Length}) {
				return fmt.Sprintf("byte-range locks that overlap at %d", max(a.Offset, b.Offset))
			}
		}
	}
	return ""
}
