package demux

import (
	"smbproxy/demux/backend"
	"smbproxy/session"
)

// Failed answers the client of a request whose finisher has panicked (backend.Failer). The lane is lost with it, and
// the panic is in the log.
func (p *op) Failed(*backend.Call) {
	p.req.SetFault(session.FaultProxy)
	p.req.FailPanicked()
}
