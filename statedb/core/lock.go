package core

import (
	"sort"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Flags of a lock element ([MS-SMB2] 2.2.26.1).
const (
	LockShared          uint32 = 0x01
	LockExclusive       uint32 = 0x02
	LockUnlock          uint32 = 0x04
	LockFailImmediately uint32 = 0x10
)

// byteRange is a range as [MS-FSA] 2.1.4.10 compares them. A zero-length range conflicts
// with what reaches over its offset; {0, 0} with nothing.
type byteRange struct {
	offset uint64
	length uint64
}

// valid says whether the range ends within 64 bits ([MS-FSA] 2.1.5.7).
func (r byteRange) valid() bool { return r.length == 0 || r.offset+r.length-1 >= r.offset }

// last is the last byte; for a zero length the one before its offset.
func (r byteRange) last() uint64 { return r.offset + r.length - 1 }

// overlaps says whether two valid ranges touch.
func (r byteRange) overlaps(x byteRange) bool {
	if r == (byteRange{}) || x == (byteRange{}) {
		return false
	}
	return r.offset <= x.last() && x.offset <= r.last()
}

// lock is one byte-range lock.
type lock struct {
	byteRange
	open      *open
	exclusive bool
}

// locks are the locks of a file, sorted by offset, and the requests that wait, in order.
type locks struct {
	held  []lock
	queue []*pendingLock
}

// pendingLock is a blocking request.
type pendingLock struct {
	req  RequestID
	lock lock
	seq  lockSequence
	s    *State
}

// any says whether the file has locks; on a nil receiver too.
func (ls *locks) any() bool { return ls != nil && len(ls.held) > 0 }

// conflict returns whether a new lock meets one that is held ([MS-FSA] 2.1.5.7; Samba:
// brl_conflict). A shared lock may lie over the same open's exclusive one, not the reverse.
func (ls *locks) conflict(n lock) bool {
	for i := range ls.held {
		h := &ls.held[i]
		if h.offset > n.offset && h.offset > n.last() {
			break
		}
		if !h.exclusive && !n.exclusive {
			continue
		}
		if h.exclusive && !n.exclusive && h.open == n.open {
			continue
		}
		if h.overlaps(n.byteRange) {
			return true
		}
	}
	return false
}

// insert adds a lock in its place, behind equal offsets.
func (ls *locks) insert(n lock) {
	i := sort.Search(len(ls.held), func(i int) bool { return ls.held[i].offset > n.offset })
	ls.held = append(ls.held, lock{})
	copy(ls.held[i+1:], ls.held[i:])
	ls.held[i] = n
}

// remove takes the lock of exactly this range and open away. Of an exclusive and a shared
// one it is the exclusive (Samba: brl_unlock_windows), which is always the older.
func (ls *locks) remove(o *open, r byteRange) bool {
	i := sort.Search(len(ls.held), func(i int) bool { return ls.held[i].offset >= r.offset })
	for ; i < len(ls.held) && ls.held[i].offset == r.offset; i++ {
		if h := &ls.held[i]; h.open == o && h.byteRange == r {
			ls.held = append(ls.held[:i], ls.held[i+1:]...)
			return true
		}
	}
	return false
}

// Lock is the LOCK request ([MS-SMB2] 3.3.5.14). Pending: it is queued, Complete follows.
type Lock struct {
	Req   RequestID
	Open  OpenID
	Locks []smb2.LockElement

	SequenceNumber uint8  // 4 bits
	SequenceIndex  uint32 // 1 to 64 where the client wants replays to be found
	Verify         bool   // dialect 3.x with multichannel: sequences count on every open
}

func (c *Lock) apply(s *State, now Instant) Result {
	o := s.opens[c.Open]
	if o == nil || o.gone() {
		return refuse(ntstatus.FileClosed)
	}
	if len(c.Locks) == 0 {
		return refuse(ntstatus.InvalidParameter)
	}
	seq := c.sequence(o)
	if seq.replayed(o) {
		return Result{}
	}
	seq.start(o)
	var r Result
	if c.Locks[0].Flags == LockUnlock {
		r = refuse(c.unlock(s, now, o))
	} else {
		r = c.lock(s, now, o, seq)
	}
	if r.Status == ntstatus.Success {
		seq.done(o)
	}
	if r.Status != ntstatus.Pending {
		s.persist(o) // an unlock that failed may have unlocked something
	}
	return r
}

// unlock takes the elements away one by one; those before a bad one stay unlocked. A range that is none was never
// locked (Samba: STATUS_RANGE_NOT_LOCKED).
func (c *Lock) unlock(s *State, now Instant, o *open) ntstatus.Status {
	for _, e := range c.Locks {
		if e.Flags&(LockShared|LockExclusive) != 0 && e.Flags&LockUnlock == 0 && e.Flags&LockFailImmediately == 0 {
			return ntstatus.InvalidParameter
		}
	}
	st := ntstatus.Success
	f := o.file
	for _, e := range c.Locks {
		r := byteRange{e.Offset, e.Length}
		switch {
		case e.Flags != LockUnlock:
			st = ntstatus.InvalidParameter
		case f.locks == nil || !f.locks.remove(o, r):
			st = ntstatus.RangeNotLocked
		default:
			o.locks--
			continue
		}
		break
	}
	s.unlocked(now, f)
	return st
}

// lock takes all elements or none. Only a single one may wait.
func (c *Lock) lock(s *State, now Instant, o *open, seq lockSequence) Result {
	if st := c.check(); st != ntstatus.Success {
		return refuse(st)
	}
	f := o.file
	// A lock ends others' read caching ([MS-FSA] 2.1.4.12 case LOCK_CONTROL).
	s.contend(now, f, contention{opener: o.lease, by: o, overwrite: true, first: true})
	if f.locks == nil {
		f.locks = &locks{}
	}
	for i, e := range c.Locks {
		n := lock{byteRange: byteRange{e.Offset, e.Length}, open: o, exclusive: e.Flags&LockExclusive != 0}
		if !f.locks.conflict(n) {
			f.locks.insert(n)
			o.locks++
			continue
		}
		if e.Flags&LockFailImmediately == 0 {
			f.locks.queue = append(f.locks.queue, &pendingLock{req: c.Req, lock: n, seq: seq, s: s})
			o.more().pends++
			s.waiting[c.Req] = &waiter{req: c.Req, cmd: f.locks.queue[len(f.locks.queue)-1]}
			return pending
		}
		for _, e := range c.Locks[:i] {
			f.locks.remove(o, byteRange{e.Offset, e.Length})
			o.locks--
		}
		s.unlocked(now, f)
		return refuse(ntstatus.LockNotGranted)
	}
	f.hint.set(hintLocks, true)
	return Result{}
}

// check is the validation of [MS-SMB2] 3.3.5.14.2.
func (c *Lock) check() ntstatus.Status {
	for _, e := range c.Locks {
		switch e.Flags {
		case LockShared, LockExclusive:
			if len(c.Locks) > 1 {
				return ntstatus.InvalidParameter
			}
		case LockShared | LockFailImmediately, LockExclusive | LockFailImmediately:
		default:
			return ntstatus.InvalidParameter
		}
		if r := (byteRange{e.Offset, e.Length}); !r.valid() {
			return ntstatus.InvalidLockRange
		}
	}
	return ntstatus.Success
}

// unlocked grants what waits, in order: a request does not overtake one that it conflicts
// with, since that one is granted first or waits on.
func (s *State) unlocked(_ Instant, f *file) {
	ls := f.locks
	if ls == nil {
		return
	}
	list := ls.queue
	ls.queue = nil
	for _, p := range list {
		if ls.conflict(p.lock) {
			ls.queue = append(ls.queue, p)
			continue
		}
		ls.insert(p.lock)
		p.lock.open.locks++
		p.lock.open.extra.pends--
		p.seq.done(p.lock.open)
		delete(s.waiting, p.req)
		s.persist(p.lock.open)
		s.emit(Complete{Req: p.req, Result: Result{Persist: p.lock.open.persistent()}})
	}
	f.hint.set(hintLocks, len(ls.held) > 0)
	if len(ls.held) == 0 && len(ls.queue) == 0 {
		f.locks = nil
	}
}

// unlockAll ends an open's locks and waiting requests ([MS-SMB2] 3.3.5.10, Samba:
// STATUS_RANGE_NOT_LOCKED for the latter).
func (s *State) unlockAll(now Instant, o *open) {
	ls := o.file.locks
	if ls == nil || o.locks == 0 && (o.extra == nil || o.extra.pends == 0) {
		return
	}
	held := ls.held[:0]
	for _, h := range ls.held {
		if h.open != o {
			held = append(held, h)
		}
	}
	clear(ls.held[len(held):])
	ls.held = held
	o.locks = 0
	for _, p := range append([]*pendingLock(nil), ls.queue...) {
		if p.lock.open == o {
			s.stop(now, s.waiting[p.req], ntstatus.RangeNotLocked)
		}
	}
	s.unlocked(now, o.file)
}

// A pendingLock is a retrier so that Cancel reaches it; it is granted by unlocked.
func (p *pendingLock) try(*State, Instant, *waiter) Result { return pending }

func (p *pendingLock) abandon(s *State, _ Instant) {
	o := p.lock.open
	o.extra.pends--
	ls := o.file.locks
	for i, x := range ls.queue {
		if x == p {
			ls.queue = append(ls.queue[:i], ls.queue[i+1:]...)
			return
		}
	}
}

func (p *pendingLock) owner() SessionID { return p.lock.open.session.id }

// CheckIO asks whether a READ or WRITE meets a lock ([MS-FSA] 2.1.4.10; Samba:
// brl_conflict_other): FileLockConflict or Success. Only needed where Hint.Locked says so.
// Nothing is changed.
type CheckIO struct {
	Open           OpenID
	Offset, Length uint64
	Write          bool
}

func (c *CheckIO) apply(s *State, _ Instant) Result {
	o := s.opens[c.Open]
	if o == nil {
		return refuse(ntstatus.FileClosed)
	}
	if c.Length == 0 || !o.file.locks.any() {
		return Result{}
	}
	r := byteRange{c.Offset, c.Length}
	if !r.valid() {
		r.length = -r.offset
	}
	for i := range o.file.locks.held {
		h := &o.file.locks.held[i]
		if h.offset > r.last() {
			break
		}
		if !c.Write && !h.exclusive || h.open == o && (h.exclusive || !c.Write) {
			continue
		}
		if h.overlaps(r) {
			return refuse(ntstatus.FileLockConflict)
		}
	}
	return Result{}
}
