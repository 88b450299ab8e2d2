package demux

import (
	"errors"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// Delete-pending stands in the state and at the backend. The backend deletes a file with the last handle that it knows;
// with several backends it does not know all. So the handle that may delete is kept there until the last CLOSE.
//
//	CLOSE of a handle that deletes nothing    backend, then the state, then the reply
//	CLOSE of one that does                    the state; not the last: the handle is kept (deleters), and the reply;
//	                                          the last: deleted at the backend, then the reply
//	last CLOSE, and another has to delete     backend, the state, deletion by the handle that was kept, then the reply
//	closed by nobody's request                the state, so that nobody meets what is gone, then the backend
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
	if o.data == nil && !o.deletes() && o.idle() {
		relay(r, o, 0, closed)
		return
	}
	r.Retain()
	o.whenIdle(func() { o.data.close(func() { closeName(r, o) }) })
}

// closeName is closeFile when nothing but the handle of the name is left.
func closeName(r *session.Request, o *open) {
	if !o.arbitrated || !o.deletes() {
		relay(r, o, 0, closed)
		return
	}
	d := o.tree.demux
	o.closing()
	res := d.release(o, &core.Close{Open: o.state})
	switch del := res.Delete; {
	case res.Needed: // it is among the deleters
		keepForDeletion(r, o)
	case del != nil && del.By == o.state:
		o.setDoomed(true)
		o.submit(smb2.CommandSetInfo, deletion, func(_ *attachment, h *smb2.Header, _ *transport.Frame, err error) {
			relay(r, o, 0, closedTold(del, statusOf(h, err)))
		})
	default:
		relay(r, o, 0, closedTold(del, ntstatus.Success))
	}
}

// keepForDeletion replies to the CLOSE of an open that is kept, with the file's attributes if they are wanted. From now on
// the file is delete-pending for the backend too, whatever the open was asked to delete by.
func keepForDeletion(r *session.Request, o *open) {
	var m smb2.CloseRequest
	_ = m.Decode(r.Message()) // it has been read before
	o.submit(smb2.CommandSetInfo, deletion, func(*attachment, *smb2.Header, *transport.Frame, error) {
		if m.Flags&smb2.CloseFlagPostqueryAttrib == 0 {
			r.Reply(ntstatus.Success, &smb2.CloseResponse{})
			return
		}
		queryForClose(r, o)
	})
}

// queryForClose replies to a CLOSE with the attributes of a file that stays open at its backend.
func queryForClose(r *session.Request, o *open) {
	o.submit(smb2.CommandQueryInfo, func(h *handle) smb2.Body {
		return &smb2.QueryInfoRequest{
			InfoType: smb2.InfoFile, FileInfoClass: smb2.FileNetworkOpenInformation, OutputBufferLength: 56, FileID: h.fid.Wire(),
		}
	}, func(_ *attachment, h *smb2.Header, reply *transport.Frame, err error) {
		answer := smb2.CloseResponse{}
		var m smb2.QueryInfoResponse
		var info smb2.FileNetworkOpenInfo
		if statusOf(h, err) == ntstatus.Success && m.Decode(reply.Bytes()) == nil && info.Decode(m.OutputBuffer) == nil {
			answer = smb2.CloseResponse{
				Flags: smb2.CloseFlagPostqueryAttrib, CreationTime: info.CreationTime, LastAccessTime: info.LastAccessTime,
				LastWriteTime: info.LastWriteTime, ChangeTime: info.ChangeTime,
				AllocationSize: info.AllocationSize, EndofFile: info.EndOfFile, FileAttributes: info.FileAttributes,
			}
		}
		r.Reply(ntstatus.Success, &answer)
	})
}

// closed ends a CLOSE. What is open at no backend any more is closed.
func closed(p *op, h *smb2.Header, reply *transport.Frame, err error) {
	var del *core.Deletion
	if o := p.open; o.arbitrated {
		if o.wrote.Load() {
			sink := o.tree.demux.sink
			sink.hold(directories{})
			defer sink.release(directories{})
		}
		o.closing()
		del = o.tree.demux.tell(&core.Close{Open: o.state}).Delete
	}
	endDeletion(p, h, reply, err, del, ntstatus.Success)
}

// closedTold is closed where the state has been told before; st is what became of the deletion so far.
func closedTold(del *core.Deletion, st ntstatus.Status) finisher {
	return func(p *op, h *smb2.Header, reply *transport.Frame, err error) { endDeletion(p, h, reply, err, del, st) }
}

// endDeletion replies to a CLOSE when what it has to delete, if anything, is deleted.
func endDeletion(p *op, h *smb2.Header, reply *transport.Frame, err error, del *core.Deletion, st ntstatus.Status) {
	at, o := p.at, p.open
	d := o.tree.demux
	if st == ntstatus.Success {
		st = deletedBy(h, err)
	}
	other := d.deleters.of(del)
	if other == nil {
		if del != nil {
			d.sink.hold(directories{})
			defer d.sink.release(directories{})
		}
		d.unlinked(del, st)
		endClose(p, h, reply, err)
		o.ended(at)
		return
	}
	var header smb2.Header
	if err == nil {
		header, reply = *h, reply.Detach()
	}
	d.erase(other, del, func() {
		endClose(p, &header, reply, err)
		if reply != nil {
			reply.Release()
		}
		o.ended(at)
	})
}

// deletedBy is what has become of a file by the CLOSE that should delete it. One that is not there any more when its handle
// is to be had again has been deleted by the CLOSE that was lost.
func deletedBy(h *smb2.Header, err error) ntstatus.Status {
	if errors.Is(err, ntstatus.ObjectNameNotFound) {
		return ntstatus.Success
	}
	return statusOf(h, err)
}

// endClose is the reply. A handle that is lost and cannot be had again is closed: there is nothing left that could fail.
func endClose(p *op, h *smb2.Header, reply *transport.Frame, err error) {
	if p.open.failsOnce() {
		p.req.Fail(ntstatus.IoDeviceError)
		return
	}
	if err != nil && p.open.arbitrated {
		p.req.Reply(ntstatus.Success, &smb2.CloseResponse{})
		return
	}
	pass(p, h, reply, err)
}

// unlinked tells the state what the backend has made of a deletion, if there is one.
func (d *Demux) unlinked(del *core.Deletion, st ntstatus.Status) {
	if del != nil {
		d.kept.forget(keptKey{del.File, del.Stream})
		d.tell(&core.Unlinked{Deletion: *del, OK: st == ntstatus.Success})
	}
}

// abandon closes an open whose client does not ask for it any more, and which is in no table.
func (o *open) abandon() {
	if o.endedHere() {
		return
	}
	var res core.Result
	if o.arbitrated {
		res = o.tree.demux.release(o, &core.Close{Open: o.state})
	}
	o.closeAtBackend(res)
}

// closeAtBackend closes the backend's handle of an open that the state has forgotten, and with it the
// file that it says is to go. A handle that is lost and has nothing to delete is closed already.
func (o *open) closeAtBackend(res core.Result) {
	if o.held() == nil { // a persistent handle of before a restart that could not be opened again
		o.tree.demux.unlinked(res.Delete, ntstatus.UnexpectedNetworkError)
		return
	}
	o.whenIdle(func() { o.data.close(func() { o.closeNameAtBackend(res) }) })
}

// closeNameAtBackend is closeAtBackend when nothing but the handle of the name is left.
func (o *open) closeNameAtBackend(res core.Result) {
	d, del := o.tree.demux, res.Delete
	switch {
	case res.Needed: // it is among the deleters
		o.submit(smb2.CommandSetInfo, deletion, func(*attachment, *smb2.Header, *transport.Frame, error) {})
	case del != nil && del.By == o.state:
		d.erase(o, del, func() {})
	case del == nil && o.dead():
		o.ended(o.held().at)
	default:
		other := d.deleters.of(del)
		o.submit(smb2.CommandClose, closing, func(at *attachment, h *smb2.Header, _ *transport.Frame, err error) {
			if other != nil {
				d.erase(other, del, func() {})
			} else {
				d.unlinked(del, statusOf(h, err))
			}
			o.ended(at)
		})
	}
}

// setDoomed notes whether the handle is to take the file with it when it is closed: where it is lost, the next one is.
func (o *open) setDoomed(doomed bool) {
	o.mu.Lock()
	o.doomed = doomed
	o.mu.Unlock()
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
