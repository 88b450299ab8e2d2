package core

import "smbproxy/internal/smb2"

// Caching rights. Oplocks are held in the same words: level II is R, exclusive RW, batch
// RWH (Samba: get_lease_type), so one conflict rule serves both.
const (
	cacheR = uint8(smb2.LeaseReadCaching)
	cacheH = uint8(smb2.LeaseHandleCaching)
	cacheW = uint8(smb2.LeaseWriteCaching)
)

// holder is what a lease or an open with an oplock may cache.
type holder struct {
	deadline  Instant // of the acknowledgement, 0 when none is awaited
	state     uint8
	requested uint8 // breaking: what the notification asked to go down to
	required  uint8 // breaking: what conflicts since then want, within requested
	breaking  bool
}

// cacheCount sums the holders of a file, so that an open need not look at each.
type cacheCount struct {
	read, handle, write int32
	breaking            int32
	oplocks             int32 // opens with an oplock, level II included
}

// account counts a holder in (1) or out (-1). Every change of a holder is put between
// the two.
func (f *file) account(h *holder, leased bool, d int32) {
	c := &f.caches
	if h.state&cacheR != 0 {
		c.read += d
	}
	if h.state&cacheH != 0 {
		c.handle += d
	}
	if h.state&cacheW != 0 {
		c.write += d
	}
	if h.breaking {
		c.breaking += d
	}
	if !leased && h.state != 0 {
		c.oplocks += d
	}
	f.hint.set(hintRead, c.read > 0)
}

// level names an oplock's state in the words of the protocol.
func (h *holder) level() smb2.OplockLevel {
	switch {
	case h.state&cacheW != 0 && h.state&cacheH != 0:
		return smb2.OplockLevelBatch
	case h.state&cacheW != 0:
		return smb2.OplockLevelExclusive
	case h.state&cacheR != 0:
		return smb2.OplockLevelII
	}
	return smb2.OplockLevelNone
}

// oplockState is the reverse of level.
func oplockState(l smb2.OplockLevel) uint8 {
	switch l {
	case smb2.OplockLevelBatch:
		return cacheR | cacheW | cacheH
	case smb2.OplockLevelExclusive:
		return cacheR | cacheW
	case smb2.OplockLevelII:
		return cacheR
	default:
		return 0
	}
}

// due and expire make an open with an oplock break under way timed.
func (o *open) due() Instant { return o.oplock.deadline }

// expire: no acknowledgement came, the oplock is gone ([MS-SMB2] 3.3.6.1).
func (o *open) expire(s *State, _ Instant) {
	s.setOplock(o, 0)
	s.touch(o.file)
}

// setOplock ends a break or gives a state; nothing is sent.
func (s *State) setOplock(o *open, state uint8) {
	o.file.account(&o.oplock, false, -1)
	o.oplock = holder{state: state}
	o.file.account(&o.oplock, false, 1)
}

// breakOplock breaks an open's oplock down to R or nothing. A break on its way is left as
// it is ([MS-SMB2] 3.3.4.6; Samba: process_oplock_break_message).
func (s *State) breakOplock(now Instant, o *open, to uint8) {
	to &= cacheR
	h := &o.oplock
	if h.breaking || h.state&^to == 0 {
		return
	}
	if o.gone() && !o.durable().keeps() {
		s.purge(now, o)
		return
	}
	ack := h.state&cacheW != 0
	o.file.account(h, false, -1)
	if ack {
		h.breaking, h.requested, h.required = true, to, to
		h.deadline = now.Add(s.cfg.BreakTimeout)
		s.at(o)
	} else {
		h.state = to
	}
	o.file.account(h, false, 1)
	if o.session != nil {
		s.emit(BreakOplock{Open: o.id, Session: o.session.id, To: levelOf(to), Ack: ack})
	}
}

// levelOf names what an oplock is broken to.
func levelOf(to uint8) smb2.OplockLevel {
	if to&cacheR != 0 {
		return smb2.OplockLevelII
	}
	return smb2.OplockLevelNone
}

// contention says which holders stand in the way of an operation, and how.
type contention struct {
	opener    *lease // whose own lease is not broken
	by        *open  // whose own oplock is not broken
	mask      uint8  // rights that must go, and be waited for
	overwrite bool   // R and H go too, unwaited (Samba: delay_for_oplock_fn)
	spare     bool   // leases are not concerned (leaseStatAccess)
	first     bool   // the request has not waited yet
}

// contend breaks what c says and answers whether the request must wait.
func (s *State) contend(now Instant, f *file, c contention) (wait bool) {
	n := &f.caches
	if n.breaking == 0 &&
		(c.mask&cacheW == 0 || n.write == 0) &&
		(c.mask&cacheH == 0 || n.handle == 0) &&
		(c.mask&cacheR == 0 && !c.overwrite || n.read == 0) &&
		(!c.overwrite || n.handle == 0) {
		return false
	}
	if !c.spare {
		// A purge takes leases off the list while we walk, and may lead here again.
		list := append(s.scratch, f.leases...)
		s.scratch = nil
		for _, l := range list {
			if l != c.opener && l.opens > 0 && s.contendLease(now, l, &c) {
				wait = true
			}
		}
		clear(list)
		s.scratch = list[:0]
	}
	if n.oplocks == 0 {
		return wait
	}
	for o := f.first; o != nil; {
		next := o.fileNext
		if !c.spares(o) && o.oplock.state != 0 && s.contendOplock(now, o, &c) {
			wait = true
		}
		o = next
	}
	return wait
}

// spares says whether an oplock is left alone because it is the operation's own. A level
// II oplock is not spared its own holder's changes (Samba: do_break_to_none).
func (c *contention) spares(o *open) bool {
	return o == c.by && (!c.overwrite || o.oplock.state&cacheW != 0)
}

// target is what a holder may keep.
func (c *contention) target(state uint8) uint8 {
	to := state &^ c.mask
	if c.overwrite {
		to &^= cacheH | cacheR
	}
	return to
}

// contendLease breaks one lease where it must and answers whether to wait for it.
func (s *State) contendLease(now Instant, l *lease, c *contention) bool {
	to := c.target(l.state)
	if l.state&^to == 0 {
		return l.breaking
	}
	if c.overwrite {
		to &^= cacheR | cacheW
	}
	was, breaking := l.state, l.breaking
	s.breakLease(now, l, to)
	if l.opens == 0 {
		return false
	}
	return l.breaking && (was&c.mask&(cacheW|cacheH) != 0 || breaking && !c.first)
}

// contendOplock is contendLease for an oplock: exclusive and batch go to level II or none.
func (s *State) contendOplock(now Instant, o *open, c *contention) bool {
	to := c.target(o.oplock.state)
	if o.oplock.state&^to == 0 {
		return false
	}
	was := o.oplock.state
	s.breakOplock(now, o, to)
	return o.file != nil && o.oplock.breaking && was&c.mask != 0
}
