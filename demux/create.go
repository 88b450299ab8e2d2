package demux

import (
	"context"
	"time"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
)

// creation is a CREATE on its way (DESIGN 7). Its steps are functions of this file:
//
//	create       1  validate, normalise the name, sort the contexts
//	             2  open at the backend, as the user
//	created      3  decide: today the backend has, by its own share modes
//	answer       5  our FileId, no oplock, the contexts that were asked for
//
// Steps 3 and 4 are where open-file state in front of the backends comes in.
type creation struct {
	name      string
	access    smb2.AccessMask
	directory smb2.CreateOptions // FILE_DIRECTORY_FILE or not
	answered  []smb2.CreateContext
	readOnly  func(st ntstatus.Status, opened bool) ntstatus.Status
}

// create serves CREATE ([MS-SMB2] 3.3.5.9).
func (d *Demux) create(r *session.Request) {
	t := treeOf(r)
	var m smb2.CreateRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	if t.session.full() {
		r.Fail(ntstatus.TooManyOpenedFiles)
		return
	}
	c := &creation{access: m.DesiredAccess, directory: m.CreateOptions & smb2.FileDirectoryFile}
	if err := c.plan(r, t, &m); err != nil {
		r.FailErr(err)
		return
	}
	f := newRequest(smb2.CommandCreate, &m, 256)
	p := opOf(r)
	p.create = c
	if p.at = t.attached(r.Session.Identity()); p.at != nil {
		p.send(f, 0, created)
		return
	}
	r.Go(func(ctx context.Context) {
		var err error
		if p.at, err = t.attach(ctx, r); err != nil {
			f.Release()
			r.Connection.Log().Warn("share cannot be used", "share", t.share.Name, "backend", t.share.Backend, "err", err)
			p.lost(connectError(err))
			return
		}
		p.send(f, 0, created)
	})
}

// plan makes of the client's request the one that the backend shall see.
func (c *creation) plan(r *session.Request, t *tree, m *smb2.CreateRequest) error {
	if !t.present() {
		return ntstatus.NetworkNameDeleted
	}
	if m.CreateOptions&smb2.FileOpenByFileID != 0 {
		return ntstatus.NotSupported // the name is an id then. Samba: the same (4.17)
	}
	if t.pipes && !knownPipe(m.Name) {
		return ntstatus.ObjectNameNotFound
	}
	name, err := createName(m.Name, r.Header.Flags&smb2.FlagDFS != 0)
	if err != nil {
		return err
	}
	if !t.pipes {
		if c.answered, err = answeredContexts(m.CreateContexts); err != nil {
			return err
		}
	}
	if m.CreateContexts, err = requestContexts(m.CreateContexts); err != nil {
		return err
	}
	m.Name, c.name = name, name
	m.RequestedOplockLevel = smb2.OplockLevelNone
	if t.readOnly {
		return c.planReadOnly(m)
	}
	return nil
}

// created takes the backend's answer to CREATE.
func created(p *op, h *smb2.Header, reply *transport.Frame, err error) {
	c, at := p.create, p.at
	if err != nil {
		p.lost(err)
		at.drop()
		return
	}
	if h.Status.IsError() || !h.Status.IsSuccess() {
		if c.readOnly != nil {
			p.req.Fail(c.readOnly(h.Status, false))
		} else {
			p.passError(h, reply)
		}
		at.drop()
		return
	}
	var m smb2.CreateResponse
	if err := m.Decode(reply.Bytes()); err != nil {
		p.broken(err)
		at.drop()
		return
	}
	t := treeOf(p.req)
	o := &open{
		fid: backend.FileIDOf(m.FileID), at: at, tree: t, name: c.name, access: c.access,
		directory: m.FileAttributes&smb2.FileAttributeDirectory != 0, born: time.Now(),
	}
	if c.readOnly != nil {
		if st := c.readOnly(h.Status, true); st != ntstatus.Success {
			p.req.Fail(st)
			closeAtBackend(at, o.fid)
			return
		}
	}
	if err := t.session.add(o); err != nil {
		p.req.FailErr(err)
		closeAtBackend(at, o.fid)
		return
	}
	p.answer(o, &m, h.Status, reply)
}

// answer ends a CREATE that has succeeded: the backend's reply with our FileId, no oplock
// whatever it says, and no context but those of the table. The frame is rewritten in place
// unless a context has to go.
func (p *op) answer(o *open, m *smb2.CreateResponse, st ntstatus.Status, reply *transport.Frame) {
	p.req.SetFileID(o.id)
	changed := replyContexts(m, o.tree.readOnly) || len(p.create.answered) > 0
	if !changed && m.OplockLevel == smb2.OplockLevelNone {
		o.putClientID(reply.Bytes(), createResponseFileID)
		p.req.ReplyFrame(st, reply)
		return
	}
	m.FileID, m.OplockLevel = o.id, smb2.OplockLevelNone
	m.CreateContexts = append(m.CreateContexts, p.create.answered...)
	p.req.Reply(st, m)
}

// createResponseFileID is the offset of FileId in the CREATE response, [MS-SMB2] 2.2.14.
const createResponseFileID = smb2.HeaderSize + 64
