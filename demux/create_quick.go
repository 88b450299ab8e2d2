package demux

import (
	"time"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/statedb/core"
)

// ahead is how far quick has come with a CREATE, for creation.open to go on from there.
type ahead struct {
	begun bool        // begin has been asked for
	begin core.Result // and this was said
	first *firstReply // step 2's first CREATE has been answered; create takes it
	seen  bool        // step 2 is over, and arbitrate has been asked for
	grant core.Result // and this was said
}

// firstReply is a backend's answer that is kept.
type firstReply struct {
	h     smb2.Header
	reply *transport.Frame
	err   error // there is none
}

// quick does what a CREATE of a file that stands in nobody's way needs without a goroutine: on the reader of the client's
// connection up to the request to the backend, on the lane's from its answer. Where a step has to wait, or needs more of
// the backend, a goroutine goes on (run). False: nothing has been done.
func (c *creation) quick() bool {
	if c.durable.resume != nil || c.durable.replay || c.readOnly != nil {
		return false
	}
	q, widened := c.harmless()
	pool := c.d.routes.Load().home(c.t.share, c.base.Path, nil)
	if widened || pool == nil || !c.mayDelete() || c.toFence(pool) != nil || c.keptAway(pool) {
		return false
	}
	at := c.t.attached(c.r.Session.Identity(), pool)
	if at == nil {
		return false
	}
	if !c.r.Hold() {
		at.drop()
		return false
	}
	c.at, c.id = at, c.d.state.NewOpenID()
	c.holdBreaks()
	c.ahead.begun, c.ahead.begin = true, c.begin()
	if c.ahead.begin.Status != ntstatus.Success || c.ahead.begin.Replayed {
		c.r.Continue(c.run)
		return true
	}
	c.began = time.Now()
	c.call = backend.Call{Frame: newRequest(smb2.CommandCreate, &q, 256), CreditCharge: 1, Done: c}
	c.at.Submit(&c.call)
	return true
}

// Pending tells the client that it takes time (backend.Completion).
func (c *creation) Pending(*backend.Call) { c.r.Pending(func() { c.at.Cancel(&c.call) }) }

// Complete goes on with the answer to step 2's CREATE (backend.Completion).
func (c *creation) Complete(_ *backend.Call, h *smb2.Header, reply *transport.Frame, err error) {
	switch {
	case err != nil:
		c.ahead.first = &firstReply{err: err}
		c.r.Continue(c.run)
	case h.Status != ntstatus.Success:
		c.refuse(h.Status)
	default:
		c.looked(h, reply)
	}
}

// refuse ends a CREATE that the backend has not carried out.
func (c *creation) refuse(err error) {
	if ntstatus.From(err) == ntstatus.DiskFull {
		c.d.diskFull(c.at.pool, c.t.share)
	}
	c.d.tell(&core.End{Req: c.req, Name: c.base})
	c.letBreaksGo()
	c.at.drop()
	c.r.FailErr(err)
	c.r.Drop()
}

// looked goes by the backend's answer, which is borrowed, and ends the CREATE if nothing more is needed for that.
func (c *creation) looked(h *smb2.Header, reply *transport.Frame) {
	goOn := func() {
		c.ahead.first = &firstReply{h: *h, reply: reply.Detach()}
		c.r.Continue(c.run)
	}
	if st, err := c.created(h, reply.Bytes()); st != ntstatus.Success {
		c.refuse(orStatus(err, st))
		return
	}
	known, err := c.learnHere()
	if err != nil {
		c.discard(true)
		c.refuse(err)
		return
	}
	if !known || c.found.destroys || c.asked.CreateOptions&smb2.FileDeleteOnClose != 0 {
		goOn()
		return
	}
	grant := c.arbitrate()
	if grant.Status != ntstatus.Success {
		_, _ = c.created(h, append([]byte(nil), reply.Bytes()...)) // once more, where it stays good
		c.ahead.seen, c.ahead.grant = true, grant
		c.r.Continue(c.run)
		return
	}
	if err := c.enter(c.opened(&grant), &grant); err != nil {
		c.r.FailErr(err)
	}
	c.letBreaksGo()
	c.r.Drop()
}
