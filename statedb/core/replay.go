package core

import "smbproxy/internal/ntstatus"

// create is a CREATE with a CreateGuid that may still be replayed: until the client used
// the handle, and so has seen the answer; that of a persistent handle also when its
// session is gone, or was before a restart ([MS-SMB2] 3.3.5.9.10, 3.3.5.2.10 IsReplayEligible).
type create struct {
	id   createID
	open *open // nil while the CREATE is under way
}

// replay looks a CREATE with a CreateGuid up. done says that r is its answer.
func (s *State) replay(c *Begin) (r Result, done bool) {
	if c.Create == (GUID{}) {
		return Result{}, false
	}
	id := createID{c.Client, c.Create}
	k := s.creates[id]
	switch {
	case k == nil:
		k = &create{id: id}
		s.creates[id] = k
		s.reserved[c.Req] = k
		return Result{}, false
	case k.open == nil:
		// Samba: the first is still under way, the client tries again.
		return refuse(ntstatus.FileNotAvailable), true
	case !c.Replay:
		return refuse(ntstatus.DuplicateObjectid), true
	}
	o := k.open
	if o.gone() && o.userOf() == c.User {
		return Result{Open: o.id, Replayed: true, Detached: true}, true
	}
	if o.session == nil || o.session.id != c.Session {
		return refuse(ntstatus.DuplicateObjectid), true
	}
	if o.flags&isLeased != 0 != (c.Lease != nil) || c.Lease != nil && o.lease != nil && o.lease.id.Key != *c.Lease {
		return refuse(ntstatus.AccessDenied), true
	}
	r = s.answer(o)
	r.Replayed = true
	return r, true
}

// unreserve forgets a CREATE that came to nothing.
func (s *State) unreserve(req RequestID) {
	if k := s.reserved[req]; k != nil {
		delete(s.reserved, req)
		delete(s.creates, k.id)
	}
}

// keepCreate ties the CREATE that req reserved to its open.
func (s *State) keepCreate(req RequestID, o *open) {
	if k := s.reserved[req]; k != nil {
		delete(s.reserved, req)
		k.open = o
		o.more().create = k
	}
}

// forgetCreate ends the replay of an open's CREATE.
func (s *State) forgetCreate(o *open) {
	if o.extra != nil && o.extra.create != nil {
		delete(s.creates, o.extra.create.id)
		o.extra.create = nil
	}
}

// Seen says that the client used the handle: its CREATE is not replayed any more. Only
// needed once, and only for opens with a CreateGuid.
type Seen struct{ Open OpenID }

func (c *Seen) apply(s *State, _ Instant) Result {
	if o := s.opens[c.Open]; o != nil {
		s.forgetCreate(o)
	}
	return Result{}
}
