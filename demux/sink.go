package demux

import (
	"context"
	"sync"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// Sink is what the state of open files calls when it wants something of a client or a backend
// (statedb.Sink). It is made before the state and Demux, which both need it; until New has tied it
// to a Demux there is no open that could be spoken of.
//
// A break must not overtake the reply that the client learns the FileId or the lease's state from:
// while such a reply is on its way the key of the open or lease is held, and so are its breaks.
type Sink struct {
	demux *Demux

	mu      sync.Mutex // guards held, awaited
	held    map[any]*heldBreaks
	awaited map[any]awaited // by core.OpenID or core.LeaseID
}

// heldBreaks are the breaks of one core.OpenID or core.LeaseID, oldest first.
type heldBreaks struct {
	holds  int
	breaks []func()
}

// hold keeps the breaks of key back until release has been called as often.
func (s *Sink) hold(key any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		s.held = map[any]*heldBreaks{}
	}
	h := s.held[key]
	if h == nil {
		h = &heldBreaks{}
		s.held[key] = h
	}
	h.holds++
}

// release sends what has come meanwhile.
func (s *Sink) release(key any) {
	s.mu.Lock()
	h := s.held[key]
	var list []func()
	if h.holds--; h.holds == 0 {
		list = h.breaks
		delete(s.held, key)
	}
	s.mu.Unlock()
	for _, send := range list {
		send()
	}
}

// send sends a break, now or when its key is released.
func (s *Sink) send(key any, send func()) {
	s.mu.Lock()
	if h := s.held[key]; h != nil {
		h.breaks = append(h.breaks, send)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	send()
}

// BreakOplock sends an oplock break notification ([MS-SMB2] 3.3.4.6).
func (s *Sink) BreakOplock(b core.BreakOplock) {
	s.send(b.Open, func() {
		s.notify(b.Open, b.Ack, func() *session.Connection {
			cs := s.demux.clientSession(uint64(b.Session))
			if cs == nil {
				return nil
			}
			id := fileID(b.Open)
			sealed := false
			if o := cs.find(id); o != nil {
				sealed = o.tree.connect.EncryptData
			}
			return cs.session.Notify(smb2.CommandOplockBreak, &smb2.OplockBreakNotification{OplockLevel: b.To, FileID: id}, sealed)
		})
	})
}

// BreakLease sends a lease break notification ([MS-SMB2] 3.3.4.7).
func (s *Sink) BreakLease(b core.BreakLease) {
	if b.Directory {
		s.send(directories{}, func() { s.breakLease(b) })
		return
	}
	s.breakLease(b)
}

// directories is the key of the breaks of all directory leases. It is held while a change of names has been made and not
// been answered yet: who has made it hears of its success first, as from Samba (4.22).
type directories struct{}

// breakLease is BreakLease for one lease. Any session of the client will do, but best one that has the file open.
func (s *Sink) breakLease(b core.BreakLease) {
	m := &smb2.LeaseBreakNotification{
		NewEpoch: b.Epoch, LeaseKey: b.Lease.Key, CurrentLeaseState: b.Current, NewLeaseState: b.New,
	}
	if b.Ack {
		m.Flags = smb2.LeaseFlagBreakAckRequired
	}
	s.send(b.Lease, func() {
		s.notify(b.Lease, b.Ack, func() *session.Connection {
			if cs := s.demux.clientSession(uint64(b.Session)); cs != nil {
				if c := cs.session.Notify(smb2.CommandOplockBreak, m, false); c != nil {
					return c
				}
			}
			for _, cs := range s.demux.clientSessions() {
				if cs.session.ClientGUID() == b.Lease.Client {
					if c := cs.session.Notify(smb2.CommandOplockBreak, m, false); c != nil {
						return c
					}
				}
			}
			return nil
		})
	})
}

// Closed closes at the backend what the state has closed by itself, in a session or detached from it.
func (s *Sink) Closed(c core.Closed) {
	var o *open
	if cs := s.demux.clientSession(uint64(c.Session)); cs != nil {
		if o = cs.find(fileID(c.Open)); o != nil && !cs.remove(o) {
			o = nil
		}
	}
	if o == nil {
		o = s.demux.detached.take(c.Open)
	}
	if o == nil {
		// Its client closes it just now, and the backend has been told what to delete.
		s.demux.unlinked(c.Delete, ntstatus.UnexpectedNetworkError)
		return
	}
	if c.Needed {
		s.demux.deleters.put(o)
	}
	o.closeAtBackend(core.Result{Open: c.Open, Delete: c.Delete, Needed: c.Needed})
}

// fileID is the FileId of an open: both halves are its number.
func fileID(id core.OpenID) smb2.FileID {
	return smb2.FileID{Persistent: uint64(id), Volatile: uint64(id)}
}

// tell gives the state a command that never waits.
func (d *Demux) tell(c core.Command) core.Result {
	return d.state.Do(context.Background(), c, func(core.Result) {})
}
