package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// write serves WRITE ([MS-SMB2] 3.3.5.13): the hot path. The client's frame goes to the backend.
func write(r *session.Request) {
	o := openOf(r)
	if o == nil {
		return
	}
	var m smb2.WriteRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	if o.tree.readOnly {
		r.Fail(ntstatus.AccessDenied)
		return
	}
	if o.tree.pipes { // whoever is at the other end may be busy
		relayWaiting(r, o, uint32(len(m.Data)), pass)
		return
	}
	relay(r, o, uint32(len(m.Data)), pass)
}
