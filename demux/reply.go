package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// pass is the finisher of most commands: the backend's reply goes to the client as it is.
func pass(p *op, h *smb2.Header, reply *transport.Frame, err error) {
	switch {
	case err != nil:
		p.lost(err)
	case !carries(h):
		p.passError(h, reply)
	default:
		if err := checkReply(h.Command, reply.Bytes(), p.limit); err != nil {
			p.broken(err)
			return
		}
		p.req.ReplyFrame(h.Status, reply)
	}
}

// carries says whether a reply holds the command's own response rather than an ERROR response
// ([MS-SMB2] 3.3.4.4).
func carries(h *smb2.Header) bool {
	switch {
	case h.Status.IsSuccess():
		return true
	case h.Status == ntstatus.BufferOverflow:
		return h.Command == smb2.CommandRead || h.Command == smb2.CommandQueryInfo || h.Command == smb2.CommandIoctl
	}
	return false
}

// passError ends the request with the backend's status, and with the data of those errors whose
// data means something to any client: how long the buffer should have been.
func (p *op) passError(h *smb2.Header, reply *transport.Frame) {
	st := h.Status
	if st == ntstatus.Cancelled && p.req.Closing() {
		// Nobody has cancelled: tree or session goes, and its opens with it. Samba: the statuses (4.17).
		switch h.Command {
		case smb2.CommandChangeNotify:
			st = ntstatus.NotifyCleanup
		case smb2.CommandLock:
			st = ntstatus.RangeNotLocked
		default:
		}
	}
	if st == ntstatus.DiskFull && p.open != nil {
		p.open.tree.demux.diskFull(p.at.pool, p.open.tree.share)
	}
	if st == ntstatus.BufferTooSmall || st == ntstatus.InfoLengthMismatch {
		var e smb2.ErrorResponse
		if e.Decode(reply.Bytes()) == nil {
			p.req.FailData(st, errorData(&e))
			return
		}
	}
	p.req.Fail(st)
}

// errorData takes the data out of an ERROR response; 3.1.1, which backends speak, packs it into a
// context ([MS-SMB2] 2.2.2.1).
func errorData(e *smb2.ErrorResponse) []byte {
	if len(e.ErrorContexts) > 0 {
		return e.ErrorContexts[0].ErrorData
	}
	return e.ErrorData
}

// checkReply decodes a reply far enough to know that every offset and length in it is inside
// it, and that it carries no more than was asked for.
func checkReply(cmd smb2.Command, msg []byte, limit uint32) error {
	switch cmd {
	case smb2.CommandRead:
		var m smb2.ReadResponse
		err := m.Decode(msg)
		return within(err, cmd, len(m.Data), limit)
	case smb2.CommandWrite:
		var m smb2.WriteResponse
		err := m.Decode(msg)
		return within(err, cmd, int(m.Count), limit)
	case smb2.CommandQueryDirectory:
		var m smb2.QueryDirectoryResponse
		err := m.Decode(msg)
		return within(err, cmd, len(m.OutputBuffer), limit)
	case smb2.CommandQueryInfo:
		var m smb2.QueryInfoResponse
		err := m.Decode(msg)
		return within(err, cmd, len(m.OutputBuffer), limit)
	case smb2.CommandChangeNotify:
		var m smb2.ChangeNotifyResponse
		err := m.Decode(msg)
		return within(err, cmd, len(m.OutputBuffer), limit)
	case smb2.CommandIoctl:
		var m smb2.IoctlResponse
		err := m.Decode(msg)
		return within(err, cmd, len(m.Output), limit)
	case smb2.CommandSetInfo:
		var m smb2.SetInfoResponse
		return m.Decode(msg)
	case smb2.CommandClose:
		var m smb2.CloseResponse
		return m.Decode(msg)
	case smb2.CommandFlush:
		var m smb2.FlushResponse
		return m.Decode(msg)
	case smb2.CommandLock:
		var m smb2.LockResponse
		return m.Decode(msg)
	default:
		return ntstatus.InvalidNetworkResponse
	}
}

// within joins a decoder's verdict with the limit that the request set.
func within(err error, cmd smb2.Command, n int, limit uint32) error {
	if err == nil && uint64(n) > uint64(limit) {
		return &smb2.DecodeError{Command: cmd, Field: "Length", Reason: "more than was asked for"}
	}
	return err
}
