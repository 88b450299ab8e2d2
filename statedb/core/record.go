package core

import (
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Record is everything about a persistent open that must outlive the process
// ([MS-SMB2] 3.3.5.9.10): its share mode, locks, lease and what it has promised to delete.
type Record struct {
	Open          OpenID
	Client        GUID
	User          string
	Create        GUID
	File          FileKey
	Stream        string
	Name          Name
	Display       string // Name.Path as it was spelt
	Directory     bool
	Access        smb2.AccessMask
	Share         smb2.ShareAccess
	DeleteOnClose bool
	DeletePending bool
	Oplock        smb2.OplockLevel
	Lease         *LeaseRecord
	Locks         []LockRecord
	Sequences     []byte // lock sequences, nil or 64 of them
	App           *AppInstance
	Timeout       time.Duration
}

// LeaseRecord is the lease of a Record. State is what the client may still cache, also
// while a break is under way.
type LeaseRecord struct {
	Key       smb2.LeaseKey
	State     smb2.LeaseState
	Epoch     uint16
	Version   uint8
	HasParent bool
	Parent    smb2.LeaseKey
}

// LockRecord is one byte-range lock of a Record.
type LockRecord struct {
	Offset, Length uint64
	Exclusive      bool
}

// persist has a persistent open's record written; other opens have none.
func (s *State) persist(o *open) {
	if o.persistent() {
		s.emit(Persist{Record: o.record()})
	}
}

// persistent says whether the open has a record.
func (o *open) persistent() bool {
	d := o.durable()
	return d != nil && d.kind == durablePersistent
}

// persistLease persists the opens of a lease.
func (s *State) persistLease(l *lease) {
	for o := l.first; o != nil; o = o.extra.leaseNext {
		s.persist(o)
	}
}

// record describes a persistent open. It shares nothing with it.
func (o *open) record() Record {
	f, d := o.file, o.extra.durable
	r := Record{
		Open: o.id, Client: d.client, User: d.user, Create: d.create,
		File: f.key, Stream: f.stream, Name: o.node.name, Display: d.display, Directory: f.dir,
		Access: o.access, Share: smb2.ShareAccess(o.share),
		DeleteOnClose: o.flags&deleteOnClose != 0,
		DeletePending: f.deletePending && f.deleter == o.id,
		Oplock:        o.oplock.level(), Timeout: d.timeout,
	}
	if o.flags&isLeased != 0 {
		r.Oplock = smb2.OplockLevelLease
	}
	if l := o.lease; l != nil {
		r.Lease = &LeaseRecord{
			Key: l.id.Key, State: smb2.LeaseState(l.state), Epoch: l.epoch, Version: l.version,
			HasParent: l.hasParent, Parent: l.parent,
		}
	}
	if o.locks > 0 {
		for _, h := range f.locks.held {
			if h.open == o {
				r.Locks = append(r.Locks, LockRecord{h.offset, h.length, h.exclusive})
			}
		}
	}
	if o.extra.seq != nil {
		r.Sequences = append([]byte(nil), o.extra.seq[:]...)
	}
	if o.extra.app != nil {
		a := o.extra.app.AppInstance
		r.App = &a
	}
	return r
}

// Restore brings a persistent open back after a restart, disconnected, its time-out
// beginning now. All records are restored before the first client is served, so nothing
// is arbitrated: they stood beside one another before.
type Restore struct{ Record Record }

func (c *Restore) apply(s *State, now Instant) Result {
	r := &c.Record
	if r.Open == 0 || s.opens[r.Open] != nil {
		return refuse(ntstatus.InvalidParameter)
	}
	if r.Lease != nil {
		if l := s.leases[LeaseID{r.Client, r.Lease.Key}]; l != nil && l.file != s.find(r.File, r.Stream) {
			return refuse(ntstatus.InvalidParameter)
		}
	}
	f, n := s.file(r.File, r.Stream, r.Directory), s.node(r.Name)
	o := &open{id: r.Open, access: r.Access, share: uint8(r.Share), flags: isDisconnected}
	if r.DeleteOnClose {
		o.flags |= deleteOnClose
	}
	if r.Oplock == smb2.OplockLevelLease {
		o.flags |= isLeased
	} else {
		o.oplock.state = oplockState(r.Oplock)
	}
	d := &durable{
		open: o, kind: durablePersistent, timeout: r.Timeout, client: r.Client, create: r.Create,
		user: r.User, display: r.Display, deadline: now.Add(r.Timeout),
	}
	o.more().durable = d
	if id := (createID{r.Client, r.Create}); r.Create != (GUID{}) && s.creates[id] == nil {
		o.extra.create = &create{id: id, open: o}
		s.creates[id] = o.extra.create
	}
	f.join(o)
	f.account(&o.oplock, false, 1)
	n.attach(o)
	s.opens[o.id] = o
	s.restoreLease(r, f, n, o)
	if r.DeletePending {
		f.deletePending, f.deleter = true, o.id
	}
	if len(r.Sequences) == lockSequences {
		o.extra.seq = new([lockSequences]uint8)
		copy(o.extra.seq[:], r.Sequences)
	}
	if r.App != nil {
		s.register(r.App, o)
	}
	for _, k := range r.Locks {
		if f.locks == nil {
			f.locks = &locks{}
		}
		f.locks.insert(lock{byteRange{k.Offset, k.Length}, o, k.Exclusive})
		o.locks++
	}
	f.hint.set(hintLocks, f.locks.any())
	s.at(d)
	return Result{Open: o.id}
}

// restoreLease joins a restored open to its lease.
func (s *State) restoreLease(r *Record, f *file, n *node, o *open) {
	q := r.Lease
	if q == nil {
		return
	}
	id := LeaseID{r.Client, q.Key}
	l := s.leases[id]
	if l == nil {
		l = s.newLease(id, f, n, &LeaseRequest{
			Key: q.Key, Version: q.Version, Epoch: q.Epoch, HasParent: q.HasParent, Parent: q.Parent,
		})
		l.state = uint8(q.State)
		f.account(&l.holder, true, 1)
	}
	l.join(o)
}
