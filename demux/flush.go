package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/session"
)

// flush serves FLUSH ([MS-SMB2] 3.3.5.11).
func flush(r *session.Request) {
	o := openOf(r)
	if o == nil {
		return
	}
	if o.tree.readOnly {
		// Samba: a handle without write access may not flush, and here none has it (4.17).
		r.Fail(ntstatus.AccessDenied)
		return
	}
	relay(r, o, 0, pass)
}
