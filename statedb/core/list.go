package core

import "smbproxy/internal/smb2"

// OpenInfo is one open as an admin sees it.
type OpenInfo struct {
	Open          OpenID
	Session       SessionID // 0 while disconnected
	User          string
	Client        GUID
	File          FileKey
	Stream        string
	Name          Name
	Directory     bool
	Access        smb2.AccessMask
	Share         smb2.ShareAccess
	Oplock        smb2.OplockLevel
	Lease         *LeaseInfo
	Locks         int
	Watching      bool
	Durable       string  // "", v1, v2, persistent, resilient
	Deadline      Instant // while disconnected
	DeletePending bool
}

// LeaseInfo is a lease as an admin sees it.
type LeaseInfo struct {
	ID       LeaseID
	State    smb2.LeaseState
	Epoch    uint16
	Breaking bool
	Opens    int
}

// LockInfo is one byte-range lock, or one that waits.
type LockInfo struct {
	Open           OpenID
	Name           Name
	Offset, Length uint64
	Exclusive      bool
	Waiting        bool
}

// Stats counts what the shard holds.
type Stats struct {
	Opens, Disconnected, Files, Names, Leases, Sessions, Waiting, Watches int
}

// Stats returns the counts.
func (s *State) Stats() Stats {
	st := Stats{
		Opens: len(s.opens), Files: len(s.files), Names: len(s.nodes), Leases: len(s.leases),
		Sessions: len(s.sessions), Waiting: len(s.waiting), Watches: s.watches,
	}
	connected := 0
	for _, ss := range s.sessions {
		connected += ss.count
	}
	st.Disconnected = len(s.opens) - connected
	return st
}

// Opens calls fn for every open, in no order.
func (s *State) Opens(fn func(OpenInfo)) {
	for _, o := range s.opens {
		fn(o.info())
	}
}

// info describes an open.
func (o *open) info() OpenInfo {
	f := o.file
	i := OpenInfo{
		Open: o.id, User: o.userOf(), Client: o.clientOf(), File: f.key, Stream: f.stream,
		Name: o.node.name, Directory: f.dir, Access: o.access, Share: smb2.ShareAccess(o.share),
		Oplock: o.oplock.level(), Locks: int(o.locks), Watching: o.watch() != nil,
		DeletePending: f.deletePending,
	}
	if o.session != nil {
		i.Session = o.session.id
	}
	if l := o.lease; l != nil {
		i.Oplock = smb2.OplockLevelLease
		i.Lease = &LeaseInfo{ID: l.id, State: smb2.LeaseState(l.state), Epoch: l.epoch, Breaking: l.breaking, Opens: int(l.opens)}
	}
	if d := o.durable(); d != nil {
		i.Durable = [...]string{"", "v1", "v2", "persistent", "resilient"}[d.kind]
		i.Deadline = d.deadline
	}
	return i
}

// Locks calls fn for every byte-range lock, in no order of files.
func (s *State) Locks(fn func(LockInfo)) {
	each := func(f *file) {
		if f.locks == nil {
			return
		}
		for _, h := range f.locks.held {
			fn(LockInfo{Open: h.open.id, Name: h.open.node.name, Offset: h.offset, Length: h.length, Exclusive: h.exclusive})
		}
		for _, p := range f.locks.queue {
			h := &p.lock
			fn(LockInfo{Open: h.open.id, Name: h.open.node.name, Offset: h.offset, Length: h.length, Exclusive: h.exclusive, Waiting: true})
		}
	}
	for _, f := range s.files {
		each(f)
		for _, x := range f.streams {
			each(x)
		}
	}
}
