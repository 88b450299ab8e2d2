package backend

import (
	"context"
	"sync/atomic"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// Do sends one request and waits for its final reply: the form for slow paths.
// Whatever status the reply says, err is nil and reply is the caller's to
// Release; without a reply err says why. When ctx ends first the request is
// cancelled and err wraps ctx's; a CREATE that succeeds all the same is closed.
func (t *Tree) Do(ctx context.Context, cmd smb2.Command, body smb2.Body, charge uint16) (h smb2.Header, reply *transport.Frame, err error) {
	w := &waiter{done: make(chan struct{})}
	w.Frame, w.CreditCharge = NewRequest(cmd, body, smallBody), charge
	w.tree, w.session, w.client = t.tc, t.tc.session, t.client
	return t.tc.session.conn.wait(ctx, w)
}

// waiter is a call that a goroutine waits for.
type waiter struct {
	Call
	done  chan struct{} // closed by Complete
	over  atomic.Bool   // set by whichever of Complete and the end of ctx is first
	h     smb2.Header
	reply *transport.Frame
	err   error
}

// wait submits w and waits.
func (cn *connection) wait(ctx context.Context, w *waiter) (smb2.Header, *transport.Frame, error) {
	w.Done = w
	cn.submit(&w.Call)
	select {
	case <-w.done:
		return w.h, w.reply, w.err
	case <-ctx.Done():
	}
	if !w.over.CompareAndSwap(false, true) {
		<-w.done
		return w.h, w.reply, w.err
	}
	cn.cancel(&w.Call)
	return smb2.Header{}, nil, context.Cause(ctx)
}

// Pending implements Completion.
func (w *waiter) Pending(*Call) {}

// Complete implements Completion.
func (w *waiter) Complete(c *Call, h *smb2.Header, reply *transport.Frame, err error) {
	if !w.over.CompareAndSwap(false, true) {
		orphan{call: &w.Call}.Complete(c, h, reply, err)
		return
	}
	w.err = err
	if err == nil {
		w.h, w.reply = *h, reply.Detach()
	}
	close(w.done)
}

// orphan is the completion of a call that was given up.
type orphan struct {
	forget
	call *Call
}

// Complete implements Completion: what a CREATE opened all the same is closed.
func (o orphan) Complete(_ *Call, h *smb2.Header, reply *transport.Frame, _ error) {
	if h == nil || h.Command != smb2.CommandCreate || h.Status != ntstatus.Success {
		return
	}
	var created smb2.CreateResponse
	if created.Decode(reply.Bytes()) != nil {
		return
	}
	c := &Call{Done: forget{}, Frame: NewRequest(smb2.CommandClose, &smb2.CloseRequest{FileID: created.FileID}, smallBody)}
	c.tree, c.session = o.call.tree, o.call.session
	c.session.conn.submit(c)
}
