package core

import (
	"cmp"
	"slices"

	"smbproxy/internal/ntstatus"
)

// Release ends a session's opens, all at once: a client that is lost (Keep: durable opens
// stay, disconnected) or that logged off (no Keep: everything is closed, [MS-SMB2]
// 3.3.5.6). A Closed effect names each open that is gone.
type Release struct {
	Session SessionID
	Keep    bool
}

func (c *Release) apply(s *State, now Instant) Result {
	s.stopSession(now, c.Session)
	ss := s.sessions[c.Session]
	for ss != nil && ss.opens != nil {
		o := ss.opens
		if c.Keep && o.survives() {
			s.disconnect(now, o)
		} else {
			s.closeUnasked(now, o, ClosedBySession)
		}
	}
	return Result{}
}

// stopSession ends the session's requests that wait for breaks or names. Those of its
// opens end with the opens.
func (s *State) stopSession(now Instant, id SessionID) {
	var list []*waiter
	for _, w := range s.waiting {
		if _, ok := w.cmd.(*pendingLock); !ok && w.cmd.owner() == id {
			list = append(list, w)
		}
	}
	// Effects must not depend on the order of a map.
	slices.SortFunc(list, func(a, b *waiter) int { return cmp.Compare(a.req, b.req) })
	for _, w := range list {
		s.stop(now, w, ntstatus.Cancelled)
	}
}

// Disconnect is Release with Keep for a single open (TREE_DISCONNECT does not keep: close
// those). It answers what became of it: Result.Durable says that it stays.
type Disconnect struct{ Open OpenID }

func (c *Disconnect) apply(s *State, now Instant) Result {
	o := s.opens[c.Open]
	if o == nil || o.gone() {
		return refuse(ntstatus.FileClosed)
	}
	if o.survives() {
		s.disconnect(now, o)
		return Result{Open: c.Open, Durable: true}
	}
	return s.closed(now, o)
}
