package core

import "smbproxy/internal/ntstatus"

// Replace asks whether a name may be taken for something else: the target of a hard link
// or a copy that replaces ([MS-FSA] 2.1.5.15.6). Rights to keep handles of what is open
// there are broken first, and waited for; AccessDenied if it stays open, ObjectNameCollision
// without Over. Success holds the name for Req until End.
type Replace struct {
	Req     RequestID
	Session SessionID
	Name    Name
	Over    bool
}

func (c *Replace) apply(s *State, now Instant) Result { return s.run(now, c.Req, c) }
func (c *Replace) abandon(*State, Instant)            {}
func (c *Replace) owner() SessionID                   { return c.Session }

func (c *Replace) try(s *State, now Instant, w *waiter) Result {
	n := s.node(c.Name)
	if at := n.blocked(true); at != nil {
		return s.parkTidy(w, at, n)
	}
	for o := n.first; o != nil; o = o.nodeNext {
		if !c.Over {
			return refuse(ntstatus.ObjectNameCollision)
		}
		f := o.file
		if (o.keepsHandle() || f.caches.breaking > 0) && s.contend(now, f, contention{mask: cacheH, first: w.tries == 0}) {
			return s.park(w, f)
		}
		if o.node == nil {
			return c.try(s, now, w) // a disconnected open gave way: look again
		}
	}
	if n.opens > 0 {
		return refuse(ntstatus.AccessDenied)
	}
	if d := n.parent.directory(); d != nil && d.deletePending {
		s.tidy(n)
		return refuse(ntstatus.DeletePending)
	}
	n.held = c.Req
	n.fly(1)
	return Result{}
}
