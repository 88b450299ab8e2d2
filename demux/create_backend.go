package demux

import (
	"context"
	"time"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// look is what step 2 of CREATE has found: the file, opened harmlessly.
type look struct {
	fid     backend.FileID
	reply   smb2.CreateResponse // of the CREATE that did it, its slices our own
	disk    smb2.QueryOnDiskIDResponse
	volume  uint64          // of our own: file_system.go
	granted smb2.AccessMask // GrantedAccess, [MS-SMB2] 3.3.1.10
	created bool
	// destroys: the file existed and its data are still to be destroyed.
	destroys bool
}

func (l *look) directory() bool { return l.reply.FileAttributes&smb2.FileAttributeDirectory != 0 }

// madeBase tells, of a CREATE that has made a stream, whether the file is new too: nothing has happened to it since its
// birth. A file that somebody else has just made and not touched yet is taken for one.
func (l *look) madeBase() bool { return l.created && l.reply.CreationTime == l.reply.LastWriteTime }

// shareAll is how files are opened at backends: the share modes are statedb's.
const shareAll = smb2.FileShareRead | smb2.FileShareWrite | smb2.FileShareDelete

// destructive says whether a disposition destroys a file that exists.
func destructive(d smb2.CreateDisposition) bool {
	return d == smb2.FileSupersede || d == smb2.FileOverwrite || d == smb2.FileOverwriteIf
}

// sparing is the disposition that opens what d would destroy.
func sparing(d smb2.CreateDisposition) smb2.CreateDisposition {
	switch d {
	case smb2.FileOverwrite:
		return smb2.FileOpen
	case smb2.FileSupersede, smb2.FileOverwriteIf:
		return smb2.FileOpenIf
	default:
		return d
	}
}

// look is step 2: the client's access, full sharing, nothing destroyed, and the file's identity. Where
// data would be destroyed the right to write them is asked for too, so that nobody's caching is
// broken for what cannot succeed.
func (c *creation) look(ctx context.Context) error {
	c.found = look{}
	q, widened := c.harmless()
	st, err := c.create(ctx, &q)
	if widened && st == ntstatus.ObjectNameNotFound && c.asked.CreateDisposition != smb2.FileOverwrite {
		q.DesiredAccess, q.CreateDisposition = c.asked.DesiredAccess, smb2.FileOpenIf
		st, err = c.create(ctx, &q) // that it is there now after all, by other writers, changes nothing: it is not destroyed yet
	}
	if widened && st == ntstatus.AccessDenied && c.asked.CreateDisposition == smb2.FileOverwrite {
		// What the client has asked for may have another reason not to succeed.
		q.DesiredAccess = c.asked.DesiredAccess
		if st, err = c.create(ctx, &q); err == nil && st == ntstatus.Success {
			c.discard(true)
			st = ntstatus.AccessDenied
		}
	}
	if st == ntstatus.ObjectNameCollision && !c.doubt.IsZero() {
		q.CreateDisposition = smb2.FileOpen // the one that it collides with may be ours
		if st, err = c.create(ctx, &q); err == nil && st == ntstatus.Success && !c.ours() {
			c.discard(true)
			return ntstatus.ObjectNameCollision
		}
	}
	if c.readOnly != nil && err == nil {
		if err := c.readOnly(st, st == ntstatus.Success); err != ntstatus.Success {
			c.discard(st == ntstatus.Success)
			return err
		}
	}
	if err != nil || st != ntstatus.Success {
		return orStatus(err, st)
	}
	if !c.mayDelete() {
		c.discard(true)
		return ntstatus.InvalidParameter
	}
	if err := c.learn(ctx); err != nil {
		c.discard(true)
		return err
	}
	return nil
}

// harmless is the request of step 2, and whether it asks for a right that the client shall not get.
func (c *creation) harmless() (q smb2.CreateRequest, widened bool) {
	q = c.asked
	q.RequestedOplockLevel = smb2.OplockLevelNone
	q.ShareAccess |= shareAll
	if c.mayDelete() {
		q.CreateOptions &^= smb2.FileDeleteOnClose
	}
	// Samba: with FILE_DIRECTORY_FILE nothing is destroyed, open_directory refuses it after it has walked the path (4.17).
	if destructive(q.CreateDisposition) && q.CreateOptions&smb2.FileDirectoryFile == 0 {
		const writes = smb2.FileWriteData | smb2.GenericWrite | smb2.GenericAll
		widened = q.DesiredAccess&writes == 0
		if q.CreateDisposition = sparing(q.CreateDisposition); widened {
			// The client shall not get this right, so the handle must not be the one that stays: it only opens what will be
			// destroyed.
			q.DesiredAccess |= smb2.FileWriteData
			q.CreateDisposition = smb2.FileOpen
		}
	}
	contexts := q.CreateContexts[:len(q.CreateContexts):len(q.CreateContexts)]
	if !c.wantsID {
		contexts = append(contexts, askOnDiskID)
	}
	if !c.wantsAccess && q.DesiredAccess == smb2.MaximumAllowed {
		contexts = append(contexts, askMaximalAccess)
	}
	q.CreateContexts = contexts
	return q, widened
}

// What step 2 asks of the backend beside what the client does.
var (
	askOnDiskID      = smb2.CreateContext{Name: []byte(smb2.CreateQueryOnDiskID)}
	askMaximalAccess = smb2.CreateContext{Name: []byte(smb2.CreateQueryMaximalAccessRequest)}
)

// mayDelete is false where a file shall be deleted on close by a handle for which DELETE was not asked in so many words.
// The backend is sent that as it is, to refuse it in its own order of checks.
//
// Samba: STATUS_INVALID_PARAMETER when the path is there, for GENERIC_ALL and MAXIMUM_ALLOWED too (4.17).
func (c *creation) mayDelete() bool {
	return c.readOnly != nil || c.asked.CreateOptions&smb2.FileDeleteOnClose == 0 || c.asked.DesiredAccess&smb2.Delete != 0
}

// create sends a CREATE and takes its reply in.
func (c *creation) create(ctx context.Context, q *smb2.CreateRequest) (ntstatus.Status, error) {
	if first := c.ahead.first; first != nil {
		c.ahead.first = nil
		if first.err != nil {
			c.unsure(first.err, c.began)
			return 0, first.err
		}
		defer first.reply.Release()
		return c.created(&first.h, append([]byte(nil), first.reply.Bytes()...))
	}
	began := time.Now()
	h, reply, err := ask(ctx, c.r, c.at, newRequest(smb2.CommandCreate, q, 256), 1)
	if err != nil {
		c.unsure(err, began)
		return 0, err
	}
	defer reply.Release()
	return c.created(&h, append([]byte(nil), reply.Bytes()...))
}

// unsure notes that a CREATE has no answer.
func (c *creation) unsure(err error, began time.Time) {
	c.r.SetFault(session.FaultBackend)
	if sent(err) && c.doubt.IsZero() {
		c.doubt = began
	}
}

// created takes the reply of a CREATE in, which found refers to from now on.
func (c *creation) created(h *smb2.Header, msg []byte) (ntstatus.Status, error) {
	if h.Status == ntstatus.DiskFull {
		c.d.diskFull(c.at.pool, c.t.share)
	}
	if h.Status != ntstatus.Success {
		return h.Status, nil
	}
	if err := c.found.reply.Decode(msg); err != nil {
		c.r.SetFault(session.FaultBackend)
		c.r.Connection.Log().Error("malformed reply of a backend", "command", "CREATE", "error", err)
		return 0, ntstatus.UnexpectedNetworkError
	}
	c.found.fid = backend.FileIDOf(c.found.reply.FileID)
	return h.Status, nil
}

// learn takes the identity from the reply, and what the client has been granted; what the reply does not tell it asks.
func (c *creation) learn(ctx context.Context) error {
	f := &c.found
	known, err := c.learnHere()
	if known || err != nil {
		return err
	}
	if f.volume, err = c.fileSystem(ctx, f.disk.VolumeID); err != nil || c.grantedHere() {
		return err
	}
	h, reply, err := ask(ctx, c.r, c.at, newRequest(smb2.CommandQueryInfo, &smb2.QueryInfoRequest{
		InfoType: smb2.InfoFile, FileInfoClass: smb2.FileAccessInformation, OutputBufferLength: 4, FileID: f.fid.Wire(),
	}, 64), 1)
	var m smb2.QueryInfoResponse
	if err := decodeDone(h, reply, err, &m); err != nil {
		return err
	}
	var info smb2.FileAccessInfo
	if err := info.Decode(m.OutputBuffer); err != nil {
		return ntstatus.UnexpectedNetworkError
	}
	f.granted = info.AccessFlags
	return nil
}

// learnHere is learn as far as the reply tells: all, if it answers true.
func (c *creation) learnHere() (bool, error) {
	f := &c.found
	var ok bool
	if f.disk, ok = onDiskID(&f.reply); !ok {
		c.r.SetFault(session.FaultBackend)
		c.r.Connection.Log().Error("a backend does not say which file it has opened", "share", c.t.share.Name, "backend", c.at.pool.Name())
		return false, ntstatus.UnexpectedNetworkError
	}
	if f.reply.CreateAction == smb2.FileOpened && c.makes() && c.ours() {
		f.reply.CreateAction = smb2.FileCreated
	}
	f.created = f.reply.CreateAction == smb2.FileCreated
	f.destroys = destructive(c.asked.CreateDisposition) && !f.created && c.asked.CreateOptions&smb2.FileDirectoryFile == 0
	if f.destroys {
		if st := c.mayDestroy(); st != ntstatus.Success {
			return false, st
		}
	}
	if c.name == "" && c.asked.CreateOptions&smb2.FileDeleteOnClose != 0 {
		return false, ntstatus.AccessDenied // Samba: can_set_delete_on_close, of the root of a share (4.17)
	}
	f.volume, ok = c.d.volumes.find(device{c.at.pool, f.disk.VolumeID})
	return c.grantedHere() && ok, nil
}

// grantedHere notes GrantedAccess, if the reply is enough to know it.
//
// Samba: MxAc tells of a file that was there what MAXIMUM_ALLOWED alone is granted; who makes one gets more (4.17).
func (c *creation) grantedHere() bool {
	f := &c.found
	if f.granted = specific(c.asked.DesiredAccess); f.granted&smb2.MaximumAllowed == 0 {
		return true
	}
	if c.asked.DesiredAccess != smb2.MaximumAllowed || f.created {
		return false
	}
	data, _ := smb2.FindCreateContext(f.reply.CreateContexts, smb2.CreateQueryMaximalAccessRequest)
	var m smb2.QueryMaximalAccessResponse
	if m.Decode(data) != nil || m.QueryStatus != ntstatus.Success {
		return false
	}
	f.granted = m.MaximalAccess
	return true
}

// mayDestroy is what smbd checks before it destroys data, beyond access: system files stay so. It has the same rule
// for hidden ones, but not for those that are hidden by their names ("hide files"), which cannot be told from here:
// in step 4 the backend decides; see refusedFirst.
//
// Samba: open_match_attributes, and open_directory for the disposition (4.17).
func (c *creation) mayDestroy() ntstatus.Status {
	if c.found.directory() {
		return ntstatus.InvalidParameter
	}
	if c.asked.CreateDisposition != smb2.FileSupersede && c.found.reply.FileAttributes&^c.asked.FileAttributes&smb2.FileAttributeSystem != 0 {
		return ntstatus.AccessDenied
	}
	return ntstatus.Success
}

// refusedFirst is the status for a CREATE that the state has refused with st: the backend, had it been asked, would
// have found first that a hidden file shall not stay hidden.
//
// Samba: open_match_attributes comes before share modes (4.17).
func (c *creation) refusedFirst(st ntstatus.Status) ntstatus.Status {
	hides := c.found.reply.FileAttributes&^c.asked.FileAttributes&smb2.FileAttributeHidden != 0
	if st == ntstatus.SharingViolation && c.found.destroys && hides && c.asked.CreateDisposition != smb2.FileSupersede {
		return ntstatus.AccessDenied
	}
	return st
}

// settle is step 4, after the grant: data are destroyed now, and what smbd checks where a file shall be deleted on close is asked of it.
// An error leaves nothing open.
func (c *creation) settle(ctx context.Context) error {
	f := &c.found
	if f.destroys {
		first := f.fid
		q := c.asked
		q.RequestedOplockLevel = smb2.OplockLevelNone
		q.ShareAccess |= shareAll
		q.CreateOptions &^= smb2.FileDeleteOnClose
		st, err := c.create(ctx, &q)
		c.at.refs.Add(1)
		closeAtBackend(c.at, first)
		if err != nil || st != ntstatus.Success {
			return orStatus(err, st)
		}
	}
	if c.asked.CreateOptions&smb2.FileDeleteOnClose != 0 && !f.directory() {
		return c.tryDelete(ctx)
	}
	return nil
}

// tryDelete asks the backend whether the handle may delete its file: it is made delete-pending and
// not so again. Directories are not asked: that they are not empty matters at CLOSE only.
//
// Samba: can_set_delete_on_close at open (4.17).
func (c *creation) tryDelete(ctx context.Context) error {
	for _, on := range [...]bool{true, false} {
		h, reply, err := ask(ctx, c.r, c.at, newRequest(smb2.CommandSetInfo, setDisposition(c.found.fid, on), 64), 1)
		if err := decodeDone(h, reply, err, &smb2.SetInfoResponse{}); err != nil {
			c.discard(true)
			c.unmake(ctx)
			return err
		}
	}
	return nil
}

// unmake deletes the file that this CREATE has made and that nobody shall have. It is opened once more,
// since the client's own handle need not have the rights, and read-only attributes go first.
func (c *creation) unmake(ctx context.Context) {
	if !c.found.created {
		return
	}
	q := smb2.CreateRequest{
		ImpersonationLevel: c.asked.ImpersonationLevel, DesiredAccess: smb2.Delete | smb2.FileWriteAttributes,
		ShareAccess: shareAll, CreateDisposition: smb2.FileOpen, CreateOptions: smb2.FileOpenReparsePoint, Name: c.name,
	}
	st, err := c.create(ctx, &q)
	if err != nil || st != ntstatus.Success {
		c.r.Connection.Log().Warn("a refused CREATE leaves the file that it has made", "share", c.t.share.Name, "error", orStatus(err, st))
		return
	}
	basic := smb2.FileBasicInfo{FileAttributes: smb2.FileAttributeNormal}
	for _, m := range [...]*smb2.SetInfoRequest{
		{InfoType: smb2.InfoFile, FileInfoClass: smb2.FileBasicInformation, FileID: c.found.fid.Wire(), Buffer: basic.Append(nil)},
		setDisposition(c.found.fid, true),
	} {
		h, reply, err := ask(ctx, c.r, c.at, newRequest(smb2.CommandSetInfo, m, 96), 1)
		if err := decodeDone(h, reply, err, &smb2.SetInfoResponse{}); err != nil {
			c.r.Connection.Log().Warn("a refused CREATE leaves the file that it has made", "share", c.t.share.Name, "error", err)
		}
	}
	c.discard(true)
}

// setDisposition is a SET_INFO of FileDispositionInformation.
func setDisposition(fid backend.FileID, on bool) *smb2.SetInfoRequest {
	return &smb2.SetInfoRequest{
		InfoType: smb2.InfoFile, FileInfoClass: smb2.FileDispositionInformation, FileID: fid.Wire(),
		Buffer: (&smb2.FileDispositionInfo{DeletePending: on}).Append(nil),
	}
}

// discard closes what step 2 has opened.
func (c *creation) discard(opened bool) {
	if opened {
		c.at.refs.Add(1)
		closeAtBackend(c.at, c.found.fid)
	}
}

// orStatus is err, or st where there is none.
func orStatus(err error, st ntstatus.Status) error {
	if err != nil {
		return err
	}
	return st
}
