package demux

import (
	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// op is a request on its way to a backend and back. It lives in its session.Request's Upper and
// is used again with it, which session allows only when no cancel function runs any more; so a
// request costs no memory here once warm.
type op struct {
	call   backend.Call
	req    *session.Request
	at     *attachment
	open   *open   // nil: none
	held   *handle // of open, through which it was sent last
	limit  uint32  // bytes of payload that the reply may carry
	finish finisher
	charge uint16 // in credits

	// The message as it was sent, for the case that its backend is lost (replay.go): a copy, or where it is large the
	// frame. Neither: it cannot be sent again.
	small  []byte
	large  *transport.Frame
	losses int    // how often a backend was lost with it
	keeps  bool   // its success has to do with what is kept (kept.go)
	upto   uint64 // of a FLUSH: what it covers

	create *creation   // of CREATE of a pipe
	data   *dataHandle // that it goes through, counted in; nil: the handle of the name
	offset uint64      // in the file, of a READ that goes through data

	counted *open             // in whose channel sequence the request counts; nil: none
	token   core.ChannelToken // of it

	cancelFunc, endFunc func() // the methods cancel and requestEnded, bound once
}

// finisher ends the request of an op with the backend's reply, which is borrowed, or with err
// where there is none. After it has ended the request it must not touch the op: it may be in use
// again.
type finisher func(p *op, h *smb2.Header, reply *transport.Frame, err error)

// pooledOp is the request's op as it is.
func pooledOp(r *session.Request) *op {
	p, ok := r.Upper.(*op)
	if !ok {
		p = new(op)
		p.cancelFunc, p.endFunc = p.cancel, p.requestEnded
		r.Upper = p
	}
	return p
}

// opOf takes the request's op, as new but for its open's count of requests.
func opOf(r *session.Request) *op {
	p := pooledOp(r)
	p.req, p.at, p.open, p.held, p.limit, p.finish, p.create, p.data = r, nil, nil, nil, 0, nil, nil, nil
	p.small, p.large, p.losses, p.keeps, p.upto = p.small[:0], nil, 0, false, 0
	return p
}

// relay sends the client's own message to the backend, its FileId rewritten in place. payload is
// what it costs in credits: the larger of what goes there and what may come back.
func relay(r *session.Request, o *open, payload uint32, finish finisher) {
	relayTo(r, o, o.held(), payload, finish)
}

// relayTo is relay to a handle of the open that need not be the one of its name.
func relayTo(r *session.Request, o *open, h *handle, payload uint32, finish finisher) {
	p := prepareRelay(r, o, h, payload, finish)
	p.at.Submit(&p.call)
}

// relayWaiting is relay for what may wait at the backend for long: CANCEL reaches it before the
// backend has said that it waits.
func relayWaiting(r *session.Request, o *open, payload uint32, finish finisher) {
	p := prepareRelay(r, o, o.held(), payload, finish)
	r.OnCancel(p.cancelFunc)
	p.at.Submit(&p.call)
}

// prepareRelay makes the op of relay. The frame may be borrowed: a lane that has to wait with it
// detaches it.
func prepareRelay(r *session.Request, o *open, h *handle, payload uint32, finish finisher) *op {
	p := opOf(r)
	p.open, p.at, p.held = o, h.at, h
	f := r.Frame()
	msg := f.Bytes()
	scrub(msg)
	h.putID(msg, r.Command().FileIDOffset)
	f.Retain() // Submit takes a reference over; the request releases its own
	p.prepare(f, payload, finish)
	return p
}

// send sends a message that was made here, which the lane owns from now on. The op may have ended
// when it returns.
func (p *op) send(f *transport.Frame, payload uint32, finish finisher) {
	p.prepare(f, payload, finish)
	p.at.Submit(&p.call)
}

// prepare fills in the call.
func (p *op) prepare(f *transport.Frame, payload uint32, finish finisher) {
	p.limit, p.finish, p.charge = payload, finish, smb2.CreditCharge(int(payload))
	p.save(f)
	p.call = backend.Call{Frame: f, CreditCharge: p.charge, Done: p}
}

// scrub takes out of a client's header what is between it and us: flags (there are no DFS paths
// and no replays behind us), channel sequence, compound. Ids, credits and signature are the lane's.
func scrub(msg []byte) {
	smb2.SetRawStatus(msg, 0)
	smb2.SetRawFlags(msg, 0)
	smb2.SetRawNextCommand(msg, 0)
	smb2.SetRawProcessID(msg, 0)
}

// newRequest makes a request of our own, as the backend's side makes its.
func newRequest(cmd smb2.Command, body smb2.Body, size int) *transport.Frame {
	return backend.NewRequest(cmd, body, size)
}

// Pending tells the client that the backend takes its time (backend.Completion).
func (p *op) Pending(*backend.Call) { p.req.Pending(p.cancelFunc) }

// cancel passes CANCEL on, and the backend then ends the request; one that waits for a backend is ended here.
func (p *op) cancel() {
	o := p.open
	if o == nil {
		p.at.Cancel(&p.call)
		return
	}
	if o.unpark(p) {
		p.end(nil, nil, ntstatus.Cancelled)
		return
	}
	o.mu.Lock()
	at := p.at
	o.mu.Unlock()
	at.Cancel(&p.call)
}

// Complete ends the request, or parks it until its open has moved (backend.Completion).
func (p *op) Complete(_ *backend.Call, h *smb2.Header, reply *transport.Frame, err error) {
	if p.open.lostOn(p.held, h, err) {
		if err = p.retry(err); err == nil {
			return
		}
		h, reply = nil, nil
	}
	p.end(h, reply, err)
}

// end ends the request.
func (p *op) end(h *smb2.Header, reply *transport.Frame, err error) {
	if p.keeps && err == nil {
		p.keepOp(h)
	}
	if large := p.large; large != nil {
		p.large = nil
		defer large.Release()
	}
	p.finish(p, h, reply, err)
}

// lost ends a request that no backend has answered: STATUS_UNEXPECTED_NETWORK_ERROR, or what err says. The backend is to
// blame, unless the client itself has cancelled it or closed its pipe.
func (p *op) lost(err error) {
	fault := session.FaultBackend
	if st := ntstatus.From(err); st == ntstatus.Cancelled || st == ntstatus.FileClosed {
		fault = session.FaultClient
	}
	p.req.SetFault(fault)
	p.req.FailErr(err)
}

// broken ends a request that a backend has answered with something that is no answer.
func (p *op) broken(err error) {
	p.req.Connection.Log().Error("malformed reply of a backend", "command", p.req.Header.Command.String(), "error", err)
	p.lost(ntstatus.UnexpectedNetworkError)
}

// closeCall is a CLOSE of our own that nobody waits for.
type closeCall struct {
	call backend.Call
	at   *attachment
}

// closeAtBackend closes a handle whose client does not ask for it any more, and gives its
// reference to the attachment back when the backend has done so.
func closeAtBackend(at *attachment, fid backend.FileID) {
	f := newRequest(smb2.CommandClose, &smb2.CloseRequest{FileID: fid.Wire()}, 24)
	c := &closeCall{at: at}
	c.call = backend.Call{Frame: f, CreditCharge: 1, Done: c}
	at.Submit(&c.call)
}

// Pending is nothing to wait for (backend.Completion).
func (c *closeCall) Pending(*backend.Call) {}

// Complete gives back what the call held; an error means that the handle has gone with its
// connection (backend.Completion).
func (c *closeCall) Complete(*backend.Call, *smb2.Header, *transport.Frame, error) {
	c.at.drop()
}
