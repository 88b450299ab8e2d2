package core

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Begin goes before step 2 of CREATE, before anything is asked of a backend: it orders
// the CREATEs of one name, so that who creates a file also arbitrates first. It also
// answers what needs no backend: a replayed CREATE, a lease key in use by another name.
//
// After Success the name is held until Open with Held set, or End. Both are needed
// exactly once, whatever happens to the client meanwhile.
type Begin struct {
	Req       RequestID
	Session   SessionID
	Name      Name
	MayCreate bool // the disposition creates the file if it is missing

	Client  GUID
	User    string         // who asks, for the replay of a CREATE whose session is gone
	Lease   *smb2.LeaseKey // asked for
	Create  GUID           // CreateGuid of a DH2Q context, zero if there is none
	Replay  bool           // SMB2_FLAGS_REPLAY_OPERATION
	checked bool
}

func (c *Begin) apply(s *State, now Instant) Result {
	c.checked = false // a caller may use the command again
	return s.run(now, c.Req, c)
}

func (c *Begin) owner() SessionID            { return c.Session }
func (c *Begin) abandon(s *State, _ Instant) { s.unreserve(c.Req) }

func (c *Begin) try(s *State, now Instant, w *waiter) Result {
	if !c.checked {
		c.checked = true
		if r, done := s.replay(c); done {
			return r
		}
	}
	n := s.node(c.Name)
	if at := n.blocked(c.MayCreate && n.opens == 0); at != nil {
		r := s.parkAt(w, at)
		s.tidy(n)
		return r
	}
	if r := c.refusal(s, n); r != ntstatus.Success {
		s.unreserve(c.Req)
		s.tidy(n)
		return refuse(r)
	}
	if c.MayCreate && n.opens == 0 {
		n.held = c.Req
	} else {
		n.shared++
	}
	n.fly(1)
	return Result{}
}

// refusal is what can be said before a backend is asked.
func (c *Begin) refusal(s *State, n *node) ntstatus.Status {
	if c.Lease != nil {
		// [MS-SMB2] 3.3.5.9.8, 3.3.5.9.11: one key, one file.
		if l := s.leases[LeaseID{c.Client, *c.Lease}]; l != nil && l.node != n {
			return ntstatus.InvalidParameter
		}
	}
	if c.MayCreate && n.opens == 0 {
		// [MS-FSA] 2.1.5.1.1: nothing is created in a directory that is going away.
		if d := n.parent.directory(); d != nil && d.deletePending {
			return ntstatus.DeletePending
		}
	}
	return ntstatus.Success
}

// blocked returns the node to wait at before n may be used, nil if it may be.
func (n *node) blocked(alone bool) *node {
	for p := n.parent; p != nil; p = p.parent {
		if p.held != 0 && p.rename || p.unlinks > 0 {
			return p
		}
	}
	if n.unlinks > 0 || n.held != 0 || len(n.queue) > 0 || alone && n.shared > 0 {
		return n
	}
	return nil
}

// fly counts a hold in (1) or out (-1) at the nodes above.
func (n *node) fly(d int32) {
	for p := n.parent; p != nil; p = p.parent {
		p.flying += d
	}
}

// release gives a hold back and wakes who waits for it.
func (s *State) release(now Instant, name Name, req RequestID) {
	n := s.nodes[name]
	if n == nil {
		return
	}
	switch {
	case n.held == req && req != 0:
		n.held, n.rename = 0, false
	case n.shared > 0:
		n.shared--
	default:
		return
	}
	n.fly(-1)
	s.wakeUp(now, n)
}

// wakeUp wakes who waits at a node, and renames above that waited for holds below them.
func (s *State) wakeUp(now Instant, n *node) {
	for p := n; p != nil; {
		up := p.parent
		if len(p.queue) > 0 && (p == n || p.flying == 0) {
			s.wakeNode(now, p)
		}
		p = up
	}
	s.tidy(n)
}

// End gives back what Begin or Rename held, when no Open follows.
type End struct {
	Req  RequestID
	Name Name
}

func (c *End) apply(s *State, now Instant) Result {
	s.unreserve(c.Req)
	s.release(now, c.Name, c.Req)
	return Result{}
}
