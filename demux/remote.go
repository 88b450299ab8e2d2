package demux

import (
	"context"

	"smbproxy/demux/backend"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
)

// remote is a request of our own to a backend, that ends in a function.
type remote struct {
	call backend.Call
	then func(h *smb2.Header, reply *transport.Frame, err error)
}

// submit sends a request of our own; then runs on the lane's reader and must not block. reply is
// borrowed.
func submit(at *attachment, cmd smb2.Command, body smb2.Body, then func(h *smb2.Header, reply *transport.Frame, err error)) {
	c := &remote{then: then}
	c.call = backend.Call{Frame: newRequest(cmd, body, 64), CreditCharge: 1, Done: c}
	at.Submit(&c.call)
}

// Pending is nothing to wait for (backend.Completion).
func (c *remote) Pending(*backend.Call) {}

// Complete hands the reply on (backend.Completion).
func (c *remote) Complete(_ *backend.Call, h *smb2.Header, reply *transport.Frame, err error) {
	c.then(h, reply, err)
}

// exchange is a request to a backend that a client's request waits for on a goroutine: the backend's
// interim reply and the client's CANCEL are passed on.
type exchange struct {
	call  backend.Call
	at    *attachment
	req   *session.Request
	done  chan struct{} // closed by Complete
	h     smb2.Header
	reply *transport.Frame
	err   error
}

// ask sends a request and waits for its reply, which is the caller's to release. It waits for the
// backend even when the client has gone, as the backend is asked to cancel then.
func ask(ctx context.Context, r *session.Request, at *attachment, f *transport.Frame, charge uint16) (smb2.Header, *transport.Frame, error) {
	x := &exchange{at: at, req: r, done: make(chan struct{})}
	x.call = backend.Call{Frame: f, CreditCharge: charge, Done: x}
	at.Submit(&x.call)
	select {
	case <-x.done:
	case <-ctx.Done():
		at.Cancel(&x.call)
		<-x.done
	}
	return x.h, x.reply, x.err
}

// Pending tells the client that it takes time (backend.Completion).
func (x *exchange) Pending(*backend.Call) { x.req.Pending(x.cancel) }

// cancel passes CANCEL on.
func (x *exchange) cancel() {
	select {
	case <-x.done:
	default:
		x.at.Cancel(&x.call)
	}
}

// Complete wakes who waits (backend.Completion).
func (x *exchange) Complete(_ *backend.Call, h *smb2.Header, reply *transport.Frame, err error) {
	x.err = err
	if err == nil {
		x.h, x.reply = *h, reply.Detach()
	}
	close(x.done)
}
