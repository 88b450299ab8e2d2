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
	if o.arbitrated {
		state := o.tree.demux.state
		if st := state.CheckIO(o.state, o.hint, m.Offset, uint64(len(m.Data)), true); st != ntstatus.Success {
			r.Fail(st)
			return
		}
		state.Written(o.state, o.hint)
	}
	relay(r, o, uint32(len(m.Data)), pass)
}

// written tells the state that data or size of a file are about to change otherwise than by WRITE.
func (o *open) written() {
	if o.arbitrated {
		o.tree.demux.state.Written(o.state, o.hint)
	}
}
