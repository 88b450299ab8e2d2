package core

import "smbproxy/internal/ntstatus"

// retrier is a command that may have to wait. A command that was answered StatusPending
// belongs to the core until its Complete.
type retrier interface {
	// try does it or parks the waiter somewhere and answers pending.
	try(s *State, now Instant, w *waiter) Result
	// abandon undoes what it holds, when it is cancelled.
	abandon(s *State, now Instant)
	// owner is the session whose end ends the request, 0 if none.
	owner() SessionID
}

// waiter is a request that waits at a file or a node.
type waiter struct {
	req   RequestID
	cmd   retrier
	tries int
	at    *node // where it waits, nil at a file
	dead  bool  // cancelled: skip it
}

// run tries a command for the first time.
func (s *State) run(now Instant, req RequestID, cmd retrier) Result {
	if s.waiting[req] != nil {
		return pending
	}
	w := waiter{req: req, cmd: cmd}
	r := cmd.try(s, now, &w)
	return r
}

// park makes the waiter wait at a file.
func (s *State) park(w *waiter, f *file) Result {
	k := s.keep(w)
	k.at = nil
	f.waiters = append(f.waiters, k)
	return pending
}

// parkAt makes it wait at a node.
func (s *State) parkAt(w *waiter, n *node) Result {
	k := s.keep(w)
	k.at = n
	n.queue = append(n.queue, k)
	return pending
}

// keep registers the waiter, copying it to the heap the first time.
func (s *State) keep(w *waiter) *waiter {
	if k := s.waiting[w.req]; k != nil {
		k.tries++
		return k
	}
	k := &waiter{req: w.req, cmd: w.cmd, tries: 1}
	s.waiting[w.req] = k
	return k
}

// again tries a waiter once more and completes it if it needs to wait no longer.
func (s *State) again(now Instant, w *waiter) {
	if w.dead {
		return
	}
	if r := w.cmd.try(s, now, w); r.Status != ntstatus.Pending {
		w.dead = true
		delete(s.waiting, w.req)
		s.emit(Complete{Req: w.req, Result: r})
	}
}

// wake tries everybody who waits at a file, in order.
func (s *State) wake(now Instant, f *file) {
	list := f.waiters
	f.waiters = nil
	for _, w := range list {
		s.again(now, w)
	}
	s.drop(f)
}

// wakeNode tries everybody who waits at a node, in order.
func (s *State) wakeNode(now Instant, n *node) {
	list := n.queue
	n.queue = nil
	for _, w := range list {
		s.again(now, w)
	}
	s.tidy(n)
}

// stop ends a waiting request with a status.
func (s *State) stop(now Instant, w *waiter, st ntstatus.Status) {
	if w == nil || w.dead {
		return
	}
	w.dead = true
	delete(s.waiting, w.req)
	w.cmd.abandon(s, now)
	s.emit(Complete{Req: w.req, Result: refuse(st)})
	if w.at != nil {
		s.wakeUp(now, w.at) // who waited only behind it goes on
	}
}

// Cancel ends a request that waits, with STATUS_CANCELLED ([MS-SMB2] 3.3.5.16). A request
// that does not wait any more, or never did, is left alone: Success all the same.
type Cancel struct{ Req RequestID }

func (c *Cancel) apply(s *State, now Instant) Result {
	s.stop(now, s.waiting[c.Req], ntstatus.Cancelled)
	return Result{}
}
