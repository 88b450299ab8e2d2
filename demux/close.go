package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// Delete-pending stands in the state and at the backend: the backend is told when a client says so,
// or when a handle that shall delete its file is closed, and deletes the file with its last handle.
//
//	client's CLOSE    backend (delete-pending first, if on close), then the state, then the reply
//	anything else     the state, so that nobody meets what is gone, then the backend
//
// Where the state says that a file goes with this close, its name is not free until the backend has
// answered: core.Unlinked.

// closeFile serves CLOSE ([MS-SMB2] 3.3.5.10). The client's id is gone at once, whatever the
// backend says.
func closeFile(r *session.Request) {
	o := openOf(r)
	if o == nil {
		return
	}
	if !o.tree.session.remove(o) {
		r.Fail(ntstatus.FileClosed)
		return
	}
	if o.endedHere() {
		r.Reply(ntstatus.Success, &smb2.CloseResponse{})
		return
	}
	if o.data == nil && !o.deleteOnClose {
		relay(r, o, 0, closed)
		return
	}
	r.Retain()
	o.data.close(func() { closeName(r, o) })
}

// closeName is closeFile when nothing but the handle of the name is left.
func closeName(r *session.Request, o *open) {
	if !o.deleteOnClose {
		relay(r, o, 0, closed)
		return
	}
	o.submit(smb2.CommandSetInfo, deletion, func(_ *attachment, h *smb2.Header, _ *transport.Frame, err error) {
		relay(r, o, 0, closedBy(statusOf(h, err)))
	})
}

// closed ends a CLOSE. What is open at no backend any more is closed.
func closed(p *op, h *smb2.Header, reply *transport.Frame, err error) {
	at, o := p.at, p.open
	if o.arbitrated {
		d := o.tree.demux
		o.touched()
		d.unlinked(d.tell(&core.Close{Open: o.state}).Delete, statusOf(h, err))
	}
	endClose(p, h, reply, err)
	at.drop()
}

// endClose is the reply. A handle that is lost and cannot be had again is closed: there is nothing left that could fail.
func endClose(p *op, h *smb2.Header, reply *transport.Frame, err error) {
	if err != nil && p.open.arbitrated {
		p.req.Reply(ntstatus.Success, &smb2.CloseResponse{})
		return
	}
	pass(p, h, reply, err)
}

// closedBy is closed where the backend has said st to the deletion.
func closedBy(st ntstatus.Status) finisher {
	if st == ntstatus.Success {
		return closed
	}
	return func(p *op, h *smb2.Header, reply *transport.Frame, err error) {
		at, d := p.at, p.open.tree.demux
		d.unlinked(d.tell(&core.Close{Open: p.open.state}).Delete, st)
		endClose(p, h, reply, err)
		at.drop()
	}
}

// unlinked tells the state what the backend has made of a deletion, if there is one.
func (d *Demux) unlinked(del *core.Deletion, st ntstatus.Status) {
	if del != nil {
		d.tell(&core.Unlinked{Deletion: *del, OK: st == ntstatus.Success})
	}
}

// abandon closes an open whose client does not ask for it any more, and which is in no table.
func (o *open) abandon() {
	if o.endedHere() {
		return
	}
	var del *core.Deletion
	if o.arbitrated {
		del = o.tree.demux.tell(&core.Close{Open: o.state}).Delete
	}
	o.closeAtBackend(del)
}

// closeAtBackend closes the backend's handle of an open that the state has forgotten, and with it the
// file that del says is to go. A handle that is lost and has nothing to delete is closed already.
func (o *open) closeAtBackend(del *core.Deletion) {
	o.data.close(func() { o.closeNameAtBackend(del) })
}

// closeNameAtBackend is closeAtBackend when nothing but the handle of the name is left.
func (o *open) closeNameAtBackend(del *core.Deletion) {
	last := func(st ntstatus.Status) {
		o.submit(smb2.CommandClose, closing, func(at *attachment, h *smb2.Header, _ *transport.Frame, err error) {
			if st == ntstatus.Success {
				st = statusOf(h, err)
			}
			o.tree.demux.unlinked(del, st)
			at.drop()
		})
	}
	switch {
	case !o.deleteOnClose && del == nil && o.dead():
		o.held().at.drop()
	case !o.deleteOnClose:
		last(ntstatus.Success)
	default:
		o.submit(smb2.CommandSetInfo, deletion, func(_ *attachment, h *smb2.Header, _ *transport.Frame, err error) {
			last(statusOf(h, err))
		})
	}
}

// dead says whether the open's handle is lost and nobody has it moved: then it stays so, for the open is in no table.
func (o *open) dead() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.moves.done == nil && !o.held().at.Alive()
}

// deletion and closing are the last requests about a file.
func deletion(h *handle) smb2.Body { return setDisposition(h.fid, true) }
func closing(h *handle) smb2.Body  { return &smb2.CloseRequest{FileID: h.fid.Wire()} }
