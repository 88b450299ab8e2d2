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
	Display       string // of a persistent open: the path as it was spelt
	Directory     bool
	Access        smb2.AccessMask
	Share         smb2.ShareAccess
	Oplock        smb2.OplockLevel
	LeaseKey      smb2.LeaseKey   // with Oplock = OplockLevelLease, as LeaseState
	LeaseState    smb2.LeaseState // what its client may cache
	Locks         int
	Watching      bool
	Durable       string  // "", v1, v2, persistent, resilient
	Deadline      Instant // while disconnected
	Breaking      bool    // of the oplock or lease: an acknowledgement is awaited
	DeleteOnClose bool
	DeletePending bool
}

// LeaseInfo is a lease as an admin sees it.
type LeaseInfo struct {
	ID        LeaseID
	User      string
	File      FileKey
	Stream    string
	Name      Name // that it was made with
	Directory bool
	State     smb2.LeaseState
	Epoch     uint16
	Version   uint8
	Breaking  bool
	Parent    *smb2.LeaseKey // nil: none
	Opens     []OpenID
}

// LockInfo is one byte-range lock, or one that waits.
type LockInfo struct {
	Open           OpenID
	Name           Name
	Offset, Length uint64
	Exclusive      bool
	Waiting        bool
}

// WatchInfo is one registration for change notification.
type WatchInfo struct {
	Open     OpenID
	Name     Name
	Filter   smb2.CompletionFilter
	Tree     bool // SMB2_WATCH_TREE
	Waiting  int  // requests that wait for a change
	Buffered int  // changes that wait for a request
	Overflow bool // so many that they have been dropped
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
		Name: o.node.name, Display: o.display(), Directory: f.dir, Access: o.access, Share: smb2.ShareAccess(o.share),
		Oplock: o.oplock.level(), Locks: int(o.locks), Watching: o.watch() != nil,
		DeletePending: f.deletePending, DeleteOnClose: o.flags&deleteOnClose != 0, Breaking: o.oplock.breaking,
	}
	if o.session != nil {
		i.Session = o.session.id
	}
	if l := o.lease; l != nil {
		i.Oplock = smb2.OplockLevelLease
		i.LeaseKey, i.LeaseState, i.Breaking = l.id.Key, smb2.LeaseState(l.state), l.breaking
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

// Leases calls fn for every lease, in no order.
func (s *State) Leases(fn func(LeaseInfo)) {
	for _, l := range s.leases {
		i := LeaseInfo{
			ID: l.id, File: l.file.key, Stream: l.file.stream, Name: l.node.name, Directory: l.file.dir,
			State: smb2.LeaseState(l.state), Epoch: l.epoch, Version: l.version, Breaking: l.breaking,
		}
		if l.hasParent {
			parent := l.parent
			i.Parent = &parent
		}
		for o := l.first; o != nil; o = o.extra.leaseNext {
			i.Opens = append(i.Opens, o.id)
			i.User = o.userOf()
		}
		fn(i)
	}
}

// Watches calls fn for every registration, in no order.
func (s *State) Watches(fn func(WatchInfo)) {
	for _, o := range s.opens {
		if w := o.watch(); w != nil {
			fn(WatchInfo{
				Open: o.id, Name: o.node.name, Filter: w.filter, Tree: w.tree,
				Waiting: len(w.queue), Buffered: len(w.changes), Overflow: w.overflow,
			})
		}
	}
}
