package core

import (
	"maps"
	"slices"

	"smbproxy/internal/smb2"
)

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
	Durable       string  // "", v1, v2, DurablePersistent, resilient
	Deadline      Instant // while disconnected
	Breaking      bool    // of the oplock or lease: an acknowledgement is awaited
	DeleteOnClose bool
	DeletePending bool
}

// DurablePersistent is OpenInfo.Durable of a persistent handle.
const DurablePersistent = "persistent"

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

// The lists are made in two steps, so that the driver can let others in between: what there is, then each.
// What has gone meanwhile is left out.

// OpenIDs returns every open, in no order.
func (s *State) OpenIDs() []OpenID {
	return slices.AppendSeq(make([]OpenID, 0, len(s.opens)), maps.Keys(s.opens))
}

// OpenInfo describes an open; false: it has gone.
func (s *State) OpenInfo(id OpenID) (OpenInfo, bool) {
	if o := s.opens[id]; o != nil {
		return o.info(), true
	}
	return OpenInfo{}, false
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
		i.Durable = [...]string{"", "v1", "v2", DurablePersistent, "resilient"}[d.kind]
		i.Deadline = d.deadline
	}
	return i
}

// LockedFiles returns the files that have byte-range locks, on themselves or on a stream, in no order.
func (s *State) LockedFiles() (list []FileKey) {
	for key, f := range s.files {
		if f.locks != nil || slices.ContainsFunc(f.streams, func(x *file) bool { return x.locks != nil }) {
			list = append(list, key)
		}
	}
	return list
}

// LockInfos describes the byte-range locks of a file and its streams.
func (s *State) LockInfos(key FileKey) (list []LockInfo) {
	f := s.files[key]
	if f == nil {
		return nil
	}
	for _, x := range append([]*file{f}, f.streams...) {
		if x.locks == nil {
			continue
		}
		for _, h := range x.locks.held {
			list = append(list, h.info())
		}
		for _, p := range x.locks.queue {
			i := p.lock.info()
			i.Waiting = true
			list = append(list, i)
		}
	}
	return list
}

// info describes a lock.
func (h *lock) info() LockInfo {
	return LockInfo{Open: h.open.id, Name: h.open.node.name, Offset: h.offset, Length: h.length, Exclusive: h.exclusive}
}

// LeaseIDs returns every lease, in no order.
func (s *State) LeaseIDs() []LeaseID {
	return slices.AppendSeq(make([]LeaseID, 0, len(s.leases)), maps.Keys(s.leases))
}

// LeaseInfo describes a lease; false: it has gone.
func (s *State) LeaseInfo(id LeaseID) (LeaseInfo, bool) {
	l := s.leases[id]
	if l == nil {
		return LeaseInfo{}, false
	}
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
	return i, true
}

// Watchers returns the opens that watch their directory, in no order.
func (s *State) Watchers() (list []OpenID) {
	if s.watches == 0 {
		return nil
	}
	for id, o := range s.opens {
		if o.watch() != nil {
			list = append(list, id)
		}
	}
	return list
}

// WatchInfo describes an open's registration; false: it has none any more.
func (s *State) WatchInfo(id OpenID) (WatchInfo, bool) {
	o := s.opens[id]
	if o == nil || o.watch() == nil {
		return WatchInfo{}, false
	}
	w := o.watch()
	return WatchInfo{
		Open: o.id, Name: o.node.name, Filter: w.filter, Tree: w.tree,
		Waiting: len(w.queue), Buffered: len(w.changes), Overflow: w.overflow,
	}, true
}
