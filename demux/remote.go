package demux

import (
	"context"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
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

// own is a request of our own about an open that moves with it when its lane is lost.
type own struct {
	call   backend.Call
	open   *open
	held   *handle // through which it was sent last
	cmd    smb2.Command
	body   func(h *handle) smb2.Body
	then   func(at *attachment, h *smb2.Header, reply *transport.Frame, err error)
	losses int
}

// submit sends a request of our own about the open; then runs on the lane's reader and must not block. It is told the
// attachment that answered. reply is borrowed. Twice must be as good as once.
func (o *open) submit(cmd smb2.Command, body func(h *handle) smb2.Body, then func(at *attachment, h *smb2.Header, reply *transport.Frame, err error)) {
	c := &own{open: o, cmd: cmd, body: body, then: then}
	c.send(o.held())
}

// send sends it through h.
func (c *own) send(h *handle) {
	c.held = h
	c.call = backend.Call{Frame: newRequest(c.cmd, c.body(h), 64), CreditCharge: 1, Done: c}
	h.at.Submit(&c.call)
}

// Pending is nothing to wait for (backend.Completion).
func (c *own) Pending(*backend.Call) {}

// Complete hands the reply on, or parks the request until the open has moved (backend.Completion).
func (c *own) Complete(_ *backend.Call, h *smb2.Header, reply *transport.Frame, err error) {
	if c.open.lostOn(c.held, h, err) {
		if err == nil {
			err = ntstatus.UnexpectedNetworkError
		} else if sent(err) {
			c.losses++
		}
		if c.losses < 2 {
			_, why := c.open.park(c, c.held)
			if why == nil {
				return
			}
			err = why
		}
		h, reply = nil, nil
	}
	c.then(c.held.at, h, reply, err)
}

// again sends it through h (parkable).
func (c *own) again(_ context.Context, h *handle) { c.send(h) }

// fail ends it (parkable).
func (c *own) fail(err error) { c.then(c.held.at, nil, nil, err) }

// wait is nothing to a request that no client waits for (parkable).
func (c *own) wait() {}

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
