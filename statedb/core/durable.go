package core

import (
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// durableKind is what lets an open outlive its session.
type durableKind uint8

// Values of durableKind.
const (
	durableV1         durableKind = iota + 1 // DHnQ
	durableV2                                // DH2Q
	durablePersistent                        // DH2Q with SMB2_DHANDLE_FLAG_PERSISTENT
	durableResilient                         // FSCTL_LMR_REQUEST_RESILIENCY
)

// durable is what an open that outlives its session needs ([MS-SMB2] 3.3.1.10).
type durable struct {
	open     *open
	kind     durableKind
	timeout  time.Duration
	deadline Instant // while disconnected
	client   GUID
	create   GUID
	user     string
	display  string // of a persistent open: its path as it was spelt
}

// DurableRequest is a DHnQ (V2 false) or DH2Q context.
type DurableRequest struct {
	V2         bool
	Persistent bool          // asked for, and the share is continuously available
	Timeout    time.Duration // V2: 0 lets the server choose
	Create     GUID          // V2
}

// keeps says whether a disconnected open survives a conflict: persistent and resilient
// ones do, until their time-out. nil does not.
func (d *durable) keeps() bool {
	return d != nil && (d.kind == durablePersistent || d.kind == durableResilient)
}

// due and expire make a disconnected open timed.
func (d *durable) due() Instant { return d.deadline }

// expire: nobody came back.
func (d *durable) expire(s *State, now Instant) {
	d.deadline = 0
	s.closeUnasked(now, d.open, ClosedByTimeout)
}

// grantDurable decides whether an open becomes durable ([MS-SMB2] 3.3.5.9.6, 3.3.5.9.10):
// it needs a batch oplock or the right to keep handles, unless it is persistent.
func (s *State) grantDurable(c *Open, o *open) {
	q := c.Durable
	d := &durable{open: o, kind: durableV1, timeout: s.cfg.DurableTimeout, client: c.Client, user: c.User}
	if q.V2 {
		d.kind, d.create, d.timeout = durableV2, q.Create, min(q.Timeout, s.cfg.DurableMax)
		if q.Timeout == 0 {
			d.timeout = s.cfg.DurableDefault
		}
		if q.Persistent {
			d.kind, d.display = durablePersistent, c.Display
		}
	}
	if d.kind != durablePersistent && (o.file.dir || !o.keepsHandle()) {
		return
	}
	o.more().durable = d
}

// display is the path of a persistent open as it was spelt, else empty.
func (o *open) display() string {
	if d := o.durable(); d != nil {
		return d.display
	}
	return ""
}

// keepsHandle says whether the open has a batch oplock or a lease with H.
func (o *open) keepsHandle() bool {
	if o.lease != nil {
		return o.lease.state&cacheH != 0
	}
	return o.oplock.state&cacheH != 0
}

// Resilient is FSCTL_LMR_REQUEST_RESILIENCY ([MS-SMB2] 3.3.5.15.9). Result.TimeoutMS is
// what holds.
type Resilient struct {
	Open    OpenID
	Timeout time.Duration
}

func (c *Resilient) apply(s *State, _ Instant) Result {
	o := s.opens[c.Open]
	if o == nil || o.gone() {
		return refuse(ntstatus.FileClosed)
	}
	if c.Timeout > s.cfg.ResilientMax {
		return refuse(ntstatus.InvalidParameter)
	}
	t := c.Timeout
	if t == 0 {
		t = s.cfg.DurableDefault
	}
	d := o.durable()
	if d == nil {
		d = &durable{open: o, client: o.session.client, user: o.session.user}
		o.more().durable = d
	}
	if d.kind != durablePersistent {
		d.kind = durableResilient
	}
	d.timeout = t
	return Result{Open: o.id, TimeoutMS: uint32(t.Milliseconds())}
}

// survives says whether an open stays when its session is lost ([MS-SMB2] 3.3.7.1).
// FILE_DELETE_ON_CLOSE does not end it, as on Windows; Samba closes and deletes.
func (o *open) survives() bool {
	d := o.durable()
	if d == nil {
		return false
	}
	if d.keeps() {
		return true
	}
	return o.keepsHandle() && !o.file.deletePending
}

// disconnect takes an open from its session and starts its time-out.
func (s *State) disconnect(now Instant, o *open) {
	if !o.persistent() {
		s.forgetCreate(o)
	}
	s.endWaits(now, o)
	s.leave(o)
	o.flags |= isDisconnected
	d := o.durable()
	d.deadline = now.Add(d.timeout)
	s.at(d)
}

// endWaits ends the requests of an open that is about to be disconnected: locks that
// wait, notifications.
func (s *State) endWaits(now Instant, o *open) {
	if o.extra == nil {
		return
	}
	if o.extra.pends > 0 {
		for _, p := range append([]*pendingLock(nil), o.file.locks.queue...) {
			if p.lock.open == o {
				s.stop(now, s.waiting[p.req], ntstatus.RangeNotLocked)
			}
		}
	}
	if w := o.extra.watch; w != nil {
		w.endAll(s, ntstatus.NotifyCleanup)
	}
}

// Reconnect is a DHnC (V2 false) or DH2C context ([MS-SMB2] 3.3.5.9.7, 3.3.5.9.12): the
// open comes back under the session. Result is that of Open. Breaks that the client did
// not hear of are sent again.
type Reconnect struct {
	Open    OpenID
	Session SessionID
	Client  GUID
	User    string
	V2      bool
	Create  GUID
	Persist bool           // SMB2_DHANDLE_FLAG_PERSISTENT
	Lease   *smb2.LeaseKey // of the lease context, nil without
	Name    Name           // of the request
}

func (c *Reconnect) apply(s *State, _ Instant) Result {
	o := s.opens[c.Open]
	if o == nil || !o.gone() {
		return refuse(ntstatus.ObjectNameNotFound)
	}
	d := o.durable()
	if st := c.check(o, d); st != ntstatus.Success {
		return refuse(st)
	}
	d.deadline = 0
	s.forgetCreate(o)
	o.flags &^= isDisconnected
	s.sessionOf(c.Session, c.Client, c.User).join(o)
	d.client = c.Client
	if h := &o.oplock; h.breaking {
		s.emit(BreakOplock{Open: o.id, Session: c.Session, To: levelOf(h.requested), Ack: true})
	}
	if l := o.lease; l != nil && l.breaking {
		s.tellLease(l, l.state, l.requested, 0)
	}
	s.persist(o)
	return s.answer(o)
}

// check compares what the client says with what it had.
func (c *Reconnect) check(o *open, d *durable) ntstatus.Status {
	switch {
	case c.V2 && d.create != c.Create,
		c.V2 && c.Persist != (d.kind == durablePersistent),
		c.Lease == nil && o.flags&isLeased != 0,
		c.Lease != nil && o.lease == nil,
		c.Lease != nil && o.lease.id.Key != *c.Lease,
		c.Lease != nil && d.client != c.Client: // without a lease any client of the user may
		return ntstatus.ObjectNameNotFound
	case c.User != d.user:
		return ntstatus.AccessDenied
	case c.Lease != nil && c.Name != o.node.name:
		return ntstatus.InvalidParameter
	}
	return ntstatus.Success
}
