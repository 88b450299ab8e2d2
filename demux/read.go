package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// read serves READ ([MS-SMB2] 3.3.5.12): the hot path. The reply is the backend's frame.
func read(r *session.Request) {
	o := openOf(r)
	if o == nil {
		return
	}
	var m smb2.ReadRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	if o.tree.pipes {
		if p := o.spoken(); p != nil {
			p.read(r, m.Length)
			return
		}
		relayWaiting(r, o, m.Length, pass)
		return
	}
	if st := o.checkIO(m.Offset, uint64(m.Length), false); st != ntstatus.Success {
		r.Fail(st)
		return
	}
	if !o.data.read(r, &m) {
		o.data.atNamePosition()
		relay(r, o, m.Length, pass)
	}
}
