package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
)

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
	relay(r, o, 0, closed)
}

// closed gives back what the open held.
func closed(p *op, h *smb2.Header, reply *transport.Frame, err error) {
	at := p.at
	pass(p, h, reply, err)
	at.drop()
}
