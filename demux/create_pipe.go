package demux

import (
	"context"
	"strings"
	"time"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
)

// createPipe serves CREATE on IPC$: a pipe has no state of open files, so the backend's answer is
// ours.
func (d *Demux) createPipe(r *session.Request, t *tree) {
	c := &creation{d: d, r: r, t: t}
	var m smb2.CreateRequest
	err := m.Decode(r.Message())
	if err == nil {
		err = c.plan(&m)
	}
	if err != nil {
		r.FailErr(err)
		return
	}
	if name := strings.ToLower(c.name); d.pipes.Serves(name) {
		d.createLocalPipe(r, t, name, m.DesiredAccess)
		return
	}
	m.RequestedOplockLevel = smb2.OplockLevelNone
	f := newRequest(smb2.CommandCreate, &m, 256)
	p := opOf(r)
	p.create = c
	if pool := d.routes.Load().home(t.share, "", nil); pool != nil {
		if p.at = t.attached(r.Session.Identity(), pool); p.at != nil {
			p.send(f, 0, pipeCreated)
			return
		}
	}
	r.Go(func(ctx context.Context) {
		if p.at, err = t.reach(ctx, r, ""); err != nil {
			f.Release()
			p.lost(c.unattached(err))
			return
		}
		p.send(f, 0, pipeCreated)
	})
}

// pipeCreated takes the backend's answer.
func pipeCreated(p *op, h *smb2.Header, reply *transport.Frame, err error) {
	c, at := p.create, p.at
	if err != nil {
		p.lost(err)
		at.drop()
		return
	}
	if h.Status.IsError() || !h.Status.IsSuccess() {
		p.passError(h, reply)
		at.drop()
		return
	}
	var m smb2.CreateResponse
	if err := m.Decode(reply.Bytes()); err != nil {
		p.broken(err)
		at.drop()
		return
	}
	o := &open{
		tree: c.t, name: c.name, access: c.asked.DesiredAccess,
		born: time.Now(), state: c.d.state.NewOpenID(),
	}
	held := &handle{at: at, fid: backend.FileIDOf(m.FileID)}
	o.names.Store(held)
	if err := c.t.session.add(o); err != nil {
		p.req.FailErr(err)
		held.close()
		return
	}
	p.req.SetFileID(o.id)
	replyContexts(&m, c.t.readOnly)
	m.FileID, m.OplockLevel = o.id, smb2.OplockLevelNone
	p.req.Reply(h.Status, &m)
}

// statusOf is the status of a reply, or of there being none.
func statusOf(h *smb2.Header, err error) ntstatus.Status {
	if err != nil {
		return ntstatus.From(err)
	}
	return h.Status
}
