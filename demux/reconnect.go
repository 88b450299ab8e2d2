package demux

import (
	"context"
	"errors"
	"strings"
	"time"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// reconnect serves a CREATE that comes back for an open ([MS-SMB2] 3.3.5.9.7, 3.3.5.9.12): the state says whether it
// is this client's and user's; then the open goes on in the new session, on the handle it had at the backend, or
// on another one where that is lost.
func (c *creation) reconnect(ctx context.Context) error {
	s := c.durable.resume
	if !c.t.present() {
		return ntstatus.NetworkNameDeleted
	}
	// A wrong name matters with a lease only, and then it is not the open's.
	c.name, _ = createName(c.asked.Name, c.r.Header.Flags&smb2.FlagDFS != 0)
	c.planState()
	old := c.d.detached.find(s.open)
	if old == nil || !strings.EqualFold(old.tree.share.Name, c.t.share.Name) {
		return ntstatus.ObjectNameNotFound
	}
	if err := c.attach(ctx); err != nil {
		return err
	}
	defer func() {
		if c.at != nil {
			c.at.drop()
		}
	}()
	c.d.sink.hold(s.open)
	defer c.d.sink.release(s.open)
	grant := c.d.state.Do(ctx, &core.Reconnect{
		Open: s.open, Session: core.SessionID(c.r.Session.ID), Client: c.r.Session.ClientGUID(), User: c.t.backendUser(),
		V2: s.v2, Create: s.create, Persist: s.persistent, Lease: s.lease, Name: c.base,
	}, nil)
	if grant.Status != ntstatus.Success {
		return grant.Status
	}
	if old = c.d.detached.take(s.open); old == nil {
		return ntstatus.ObjectNameNotFound // closed meanwhile, by an admin
	}
	if err := old.quiet(ctx); err != nil {
		c.d.letGo(old)
		return ntstatus.From(err)
	}
	o := old.inSession(c.t, grant.Hint)
	if h := o.held(); h == nil || !h.at.Alive() {
		if err := c.reopen(ctx, o, &grant); err != nil {
			c.d.letGo(o)
			c.r.Connection.Log().Warn("a durable open cannot be opened again at its backend", "share", c.t.share.Name, "error", err)
			return lostHandle(err)
		}
	}
	m, err := c.describe(ctx, o)
	if err == nil {
		err = c.t.session.add(o)
	}
	if err != nil {
		c.d.letGo(o)
		return err
	}
	m.CreateAction = smb2.FileOpened
	if c.durable.request != nil && o.action != 0 { // a replay is told what the CREATE has done
		m.CreateAction = o.action
	}
	c.answerAgain(o, &grant, m)
	return nil
}

// replayed answers a CREATE that has been answered before ([MS-SMB2] 3.3.5.9.10), with the open it has made.
func (c *creation) replayed(ctx context.Context, grant *core.Result) error {
	if grant.Detached {
		return c.resumeReplayed(ctx, grant.Open)
	}
	o := c.t.session.find(fileID(grant.Open))
	if o == nil || o.tree.share != c.t.share {
		return ntstatus.ObjectNameNotFound
	}
	m, err := c.describe(ctx, o)
	if err != nil {
		return err
	}
	m.CreateAction = o.action
	// Samba: a replay is told no more than it asks for now (4.17).
	if grant.Oplock != smb2.OplockLevelLease {
		grant.Oplock = min(grant.Oplock, c.asked.RequestedOplockLevel)
	}
	c.answerAgain(o, grant, m)
	return nil
}

// resumeReplayed goes on with the persistent handle of a CREATE whose answer was lost with its session: the client
// has nothing of it but the CreateGuid.
func (c *creation) resumeReplayed(ctx context.Context, id core.OpenID) error {
	c.durable.resume = &resume{open: id, v2: true, create: c.durable.createGUID(), persistent: true}
	if c.lease != nil {
		c.durable.resume.lease = &c.lease.Key
	}
	return c.reconnect(ctx)
}

// answerAgain is the reply to a CREATE whose open was there before.
func (c *creation) answerAgain(o *open, grant *core.Result, m *smb2.CreateResponse) {
	m.FileID, m.OplockLevel = o.id, grant.Oplock
	if grant.Oplock == smb2.OplockLevelLease {
		m.CreateContexts = append(m.CreateContexts, leaseContext(&grant.Lease))
	}
	m.CreateContexts = append(m.CreateContexts, c.answerDurable(grant)...)
	c.r.SetFileID(o.id)
	c.r.Reply(ntstatus.Success, m)
}

// inSession is the open as it goes on in a tree of another session; o itself is given up.
func (o *open) inSession(t *tree, hint *core.Hint) *open {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := &open{
		id: o.id, state: o.state, tree: t, directory: o.directory, access: o.access, born: time.Now(),
		arbitrated: true, hint: hint, granted: o.granted, deleteOnClose: o.deleteOnClose, action: o.action,
		name: o.name, resumeKey: o.resumeKey, file: o.file, options: o.options, share: o.share, listing: o.listing,
	}
	n.names.Store(o.held())
	n.data = o.data.again(n)
	n.deleting.Store(o.deleting.Load())
	return n
}

// describe asks the backend for what the reply says of the file.
func (c *creation) describe(ctx context.Context, o *open) (*smb2.CreateResponse, error) {
	held := o.held()
	h, reply, err := ask(ctx, c.r, held.at, newRequest(smb2.CommandQueryInfo, &smb2.QueryInfoRequest{
		InfoType: smb2.InfoFile, FileInfoClass: smb2.FileNetworkOpenInformation, OutputBufferLength: 56, FileID: held.fid.Wire(),
	}, 64), 1)
	var m smb2.QueryInfoResponse
	var info smb2.FileNetworkOpenInfo
	switch err := decodeDone(h, reply, err, &m); {
	case ntstatus.From(err) == ntstatus.AccessDenied:
		return c.describeByName(ctx, held.at, o.Name()) // the handle may not read attributes
	case err != nil:
		return nil, err
	}
	if info.Decode(m.OutputBuffer) != nil {
		c.r.SetFault(session.FaultBackend)
		return nil, ntstatus.UnexpectedNetworkError
	}
	return &smb2.CreateResponse{
		CreationTime: info.CreationTime, LastAccessTime: info.LastAccessTime, LastWriteTime: info.LastWriteTime, ChangeTime: info.ChangeTime,
		AllocationSize: info.AllocationSize, EndofFile: info.EndOfFile, FileAttributes: info.FileAttributes,
	}, nil
}

// describeByName is describe by a handle that may do nothing else.
func (c *creation) describeByName(ctx context.Context, at *attachment, name string) (*smb2.CreateResponse, error) {
	m, fid, err := c.openAgain(ctx, at, &smb2.CreateRequest{DesiredAccess: smb2.FileReadAttributes, Name: name})
	if err != nil {
		return nil, err
	}
	at.refs.Add(1)
	closeAtBackend(at, fid)
	m.CreateContexts = nil
	return m, nil
}

// reopen gives an open another handle, through the attachment of this CREATE, if the name still leads to the file. What
// it may do was decided when it was opened: the access is the one that was granted.
func (c *creation) reopen(ctx context.Context, o *open, grant *core.Result) error {
	info := c.d.tell(&core.Query{Open: grant.Open}).Info
	if info == nil {
		return ntstatus.ObjectNameNotFound
	}
	m, fid, err := c.openAgain(ctx, c.at, pastCreate(o, info))
	if err != nil {
		return err
	}
	disk, ok := onDiskID(m)
	var volume uint64
	if ok {
		volume, err = c.fileSystem(ctx, disk.VolumeID)
	}
	if !ok || err != nil || disk.DiskFileID != info.File.ID || volume != info.File.Volume {
		c.at.refs.Add(1)
		closeAtBackend(c.at, fid)
		return errors.Join(err, ntstatus.ObjectNameNotFound)
	}
	old := o.held()
	o.names.Store(&handle{at: c.at, fid: fid, name: o.Name()})
	o.resumeKey = nil
	if c.at = nil; old != nil {
		c.at = old.at // whose reference is the open's no more
	}
	return nil
}

// openAgain opens at a backend what is there, with full sharing.
func (c *creation) openAgain(ctx context.Context, at *attachment, q *smb2.CreateRequest) (*smb2.CreateResponse, backend.FileID, error) {
	q.ImpersonationLevel, q.ShareAccess, q.CreateDisposition = smb2.ImpersonationImpersonation, shareAll, smb2.FileOpen
	h, reply, err := ask(ctx, c.r, at, newRequest(smb2.CommandCreate, q, 256), 1)
	var m smb2.CreateResponse
	if err := decodeDone(h, reply, err, &m); err != nil {
		return nil, backend.FileID{}, err
	}
	return &m, backend.FileIDOf(m.FileID), nil
}

// lostHandle is what a client is told whose open has no handle any more: it is gone, or it may come again where only the
// backend is away.
func lostHandle(err error) ntstatus.Status {
	if st := ntstatus.From(err); st == ntstatus.UnexpectedNetworkError || st == ntstatus.Cancelled {
		return ntstatus.FileNotAvailable
	}
	return ntstatus.ObjectNameNotFound
}
