package core

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// lease is one lease of one client: one key, one file ([MS-SMB2] 3.3.1.12).
type lease struct {
	holder
	id        LeaseID
	file      *file
	node      *node // whose name it was made with
	first     *open // list by leaseNext
	opens     int32
	index     int // in file.leases
	epoch     uint16
	version   uint8
	hasParent bool
	parent    smb2.LeaseKey
}

// LeaseRequest is the lease context of a CREATE ([MS-SMB2] 2.2.13.2.8, .10).
type LeaseRequest struct {
	Key       smb2.LeaseKey
	State     smb2.LeaseState
	Version   uint8 // 1 or 2
	Epoch     uint16
	HasParent bool
	Parent    smb2.LeaseKey
}

// newLease makes a lease that nothing has joined yet.
func (s *State) newLease(id LeaseID, f *file, n *node, q *LeaseRequest) *lease {
	l := &lease{id: id, file: f, node: n, version: q.Version, hasParent: q.HasParent, parent: q.Parent}
	l.epoch = q.Epoch
	l.index = len(f.leases)
	f.leases = append(f.leases, l)
	s.leases[id] = l
	return l
}

// join adds an open to the lease.
func (l *lease) join(o *open) {
	o.lease = l
	x := o.more()
	x.leaseNext = l.first
	if l.first != nil {
		l.first.extra.leasePrev = o
	}
	l.first = o
	l.opens++
}

// part takes an open off its lease; the last one ends the lease.
func (s *State) part(o *open) {
	l := o.lease
	if l == nil {
		return
	}
	x := o.extra
	if x.leasePrev != nil {
		x.leasePrev.extra.leaseNext = x.leaseNext
	} else {
		l.first = x.leaseNext
	}
	if x.leaseNext != nil {
		x.leaseNext.extra.leasePrev = x.leasePrev
	}
	o.lease, x.leaseNext, x.leasePrev = nil, nil, nil
	if l.opens--; l.opens > 0 {
		return
	}
	f := l.file
	f.account(&l.holder, true, -1)
	l.holder = holder{}
	last := f.leases[len(f.leases)-1]
	f.leases[l.index], last.index = last, l.index
	f.leases[len(f.leases)-1] = nil
	f.leases = f.leases[:len(f.leases)-1]
	delete(s.leases, l.id)
}

// due and expire make a lease with a break under way timed.
func (l *lease) due() Instant { return l.deadline }

// expire: the lease is gone, its opens stay ([MS-SMB2] 3.3.6.5).
func (l *lease) expire(s *State, _ Instant) {
	s.setLease(l, 0)
	s.touch(l.file)
	s.persistLease(l)
}

// setLease ends a break with a state.
func (s *State) setLease(l *lease, state uint8) {
	l.file.account(&l.holder, true, -1)
	l.holder = holder{state: state}
	l.file.account(&l.holder, true, 1)
}

// connected returns a session to tell about the lease, nil if all its opens are
// disconnected.
func (l *lease) connected() *session {
	for o := l.first; o != nil; o = o.extra.leaseNext {
		if o.session != nil {
			return o.session
		}
	}
	return nil
}

// breakLease breaks a lease down to a state ([MS-SMB2] 3.3.4.7). One that is breaking
// already gets no second notification, only less to keep in the end; the epoch stays
// (Samba: process_oplock_break_message).
func (s *State) breakLease(now Instant, l *lease, to uint8) {
	to &= l.state
	if l.breaking {
		l.required &= to
		return
	}
	if to == l.state {
		return
	}
	if l.connected() == nil && !s.keepsAny(l) {
		for l.first != nil {
			s.purge(now, l.first)
		}
		return
	}
	was := l.state
	l.epoch++
	l.file.account(&l.holder, true, -1)
	if was == cacheR {
		l.state = 0
	} else {
		l.breaking, l.requested, l.required = true, to, to
		l.deadline = now.Add(s.cfg.BreakTimeout)
		s.at(l)
	}
	l.file.account(&l.holder, true, 1)
	s.tellLease(l, was, to, 0)
	s.persistLease(l)
}

// keepsAny says whether one of the lease's opens outlives a conflict while disconnected.
func (s *State) keepsAny(l *lease) bool {
	for o := l.first; o != nil; o = o.extra.leaseNext {
		if o.durable().keeps() {
			return true
		}
	}
	return false
}

// tellLease emits the notification if there is a client to hear it.
func (s *State) tellLease(l *lease, from, to uint8, after RequestID) {
	ss := l.connected()
	if ss == nil {
		return
	}
	s.emit(BreakLease{
		Lease: l.id, Session: ss.id, Epoch: l.wireEpoch(),
		Current: smb2.LeaseState(from), New: smb2.LeaseState(to),
		Ack: from&(cacheW|cacheH) != 0, After: after, Directory: l.file.dir,
	})
}

// wireEpoch is the epoch as messages show it: 0 for version 1.
func (l *lease) wireEpoch() uint16 {
	if l.version < 2 {
		return 0
	}
	return l.epoch
}

// grant answers what the lease is now.
func (l *lease) grant() LeaseGrant {
	return LeaseGrant{
		Key: l.id.Key, State: smb2.LeaseState(l.state), Breaking: l.breaking,
		Epoch: l.wireEpoch(), Version: l.version, Parent: l.parent, HasParent: l.hasParent,
	}
}

// AckLease is a lease break acknowledgement, [MS-SMB2] 3.3.5.22.2. Result.State is the
// state of the response.
type AckLease struct {
	Req   RequestID // comes back in BreakLease.After
	Lease LeaseID
	State smb2.LeaseState
}

func (c *AckLease) apply(s *State, now Instant) Result {
	l := s.leases[c.Lease]
	if l == nil {
		return refuse(ntstatus.ObjectNameNotFound)
	}
	if !l.breaking {
		return refuse(ntstatus.Unsuccessful)
	}
	st := uint8(c.State)
	if c.State&^smb2.LeaseState(l.requested) != 0 {
		return refuse(ntstatus.RequestNotAccepted)
	}
	required := l.required
	s.setLease(l, st)
	if st&^required != 0 {
		s.breakFurther(now, l, required, c.Req)
	}
	s.touch(l.file)
	s.persistLease(l)
	return Result{State: c.State}
}

// breakFurther asks for what conflicts wanted after the first notification, in steps as
// Windows does it (Samba: downgrade_lease): H goes first, then R, which nobody
// acknowledges. The epoch stays.
func (s *State) breakFurther(now Instant, l *lease, required uint8, after RequestID) {
	from, to := l.state, required
	l.file.account(&l.holder, true, -1)
	if from&(cacheW|cacheH) != 0 {
		to |= from & cacheR
		l.breaking, l.requested, l.required = true, to, required
		l.deadline = now.Add(s.cfg.BreakTimeout)
		s.at(l)
	} else {
		l.state = 0
	}
	l.file.account(&l.holder, true, 1)
	s.tellLease(l, from, to, after)
}

// AckOplock is an oplock break acknowledgement, [MS-SMB2] 3.3.5.22.1. Result.Level is the
// level of the response. A client may go further down than it was asked.
type AckOplock struct {
	Open  OpenID
	Level smb2.OplockLevel
}

func (c *AckOplock) apply(s *State, _ Instant) Result {
	o := s.opens[c.Open]
	if o == nil || o.gone() {
		return refuse(ntstatus.FileClosed)
	}
	if c.Level != smb2.OplockLevelNone && c.Level != smb2.OplockLevelII {
		return refuse(ntstatus.InvalidParameter)
	}
	if o.flags&isLeased != 0 || !o.oplock.breaking {
		return refuse(ntstatus.InvalidOplockProtocol)
	}
	st := oplockState(c.Level) & o.oplock.requested
	s.setOplock(o, st)
	s.touch(o.file)
	s.persist(o)
	return Result{Level: levelOf(st)}
}
