package core

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Open asks for an open: step 3 of CREATE, when a backend has opened the file and its
// identity is known. Answers: Success; Pending (breaks are under way, Complete follows);
// SharingViolation, DeletePending, FileNotAvailable (a persistent handle that is
// disconnected is in the way), InvalidParameter (lease key of another file),
// FileForcedClosed (a later AppInstanceVersion has it), ObjectNameNotFound with Retry.
type Open struct {
	Req     RequestID
	ID      OpenID
	Session SessionID
	Client  GUID
	User    string // who may reconnect

	File      FileKey
	Stream    string // folded, without ::$DATA
	Spelt     string // the stream as it was spelt, likewise
	Name      Name   // of the base file
	Display   string // its path as it was spelt, for notifications
	Directory bool
	Held      bool // Begin held the name for Req: it is given back, and Held cleared

	Access    smb2.AccessMask // granted, never MAXIMUM_ALLOWED or GENERIC_*
	Share     smb2.ShareAccess
	Options   smb2.CreateOptions // FileDeleteOnClose counts
	Created   bool               // this CREATE made the file or stream
	WithBase  bool               // ... and the file whose stream it is
	Overwrite bool               // it exists and the disposition will truncate or replace it
	// ImpliedDelete: DELETE is in Access by MAXIMUM_ALLOWED or GENERIC_ALL only. Open streams that do not share deletion
	// do not stand against it (Samba: open_streams_for_delete is asked with the rights as they were asked for).
	ImpliedDelete bool

	Oplock  smb2.OplockLevel
	Lease   *LeaseRequest // with Oplock = OplockLevelLease
	Durable *DurableRequest
	App     *AppInstance
}

func (c *Open) apply(s *State, now Instant) Result {
	if o := s.opens[c.ID]; o != nil {
		return s.answer(o)
	}
	if s.waiting[c.Req] != nil {
		return pending
	}
	r := s.run(now, c.Req, c)
	if c.Held {
		c.Held = false
		s.release(now, c.Name, c.Req)
	}
	return r
}

func (c *Open) owner() SessionID            { return c.Session }
func (c *Open) abandon(s *State, _ Instant) { s.unreserve(c.Req) }

func (c *Open) try(s *State, now Instant, w *waiter) Result {
	r := c.decide(s, now, w)
	if r.Status != ntstatus.Success && r.Status != ntstatus.Pending {
		s.unreserve(c.Req)
	}
	return r
}

// decide is [MS-FSA] 2.1.5.1.2 in Samba's order.
func (c *Open) decide(s *State, now Instant, w *waiter) Result {
	if c.App != nil {
		if st := s.supersede(now, c); st != ntstatus.Success {
			return refuse(st)
		}
	}
	for {
		purges := s.purges
		f := s.find(c.File, c.Stream)
		own, ok := c.ownLease(s, f)
		if !ok {
			return refuse(ntstatus.InvalidParameter)
		}
		b := s.files[c.File]
		if f == nil {
			if b == nil {
				return c.grant(s, now, nil, nil)
			}
			f = b // what may stand in the way of a new stream is the file's deletion
		}
		if b.gone || f.gone {
			return Result{Status: ntstatus.ObjectNameNotFound, Retry: true}
		}
		if b.unlinking || f.unlinking {
			return s.park(w, f)
		}
		if b.deletePending || f.deletePending {
			return refuse(ntstatus.DeletePending)
		}
		if f.stream != c.Stream {
			return c.grant(s, now, nil, nil)
		}
		violation := f.violation(c.Access, c.Share, c.ImpliedDelete)
		if violation {
			if kept := s.evict(now, f, c.Access, c.Share); kept {
				return refuse(ntstatus.FileNotAvailable)
			}
		}
		wait := purges == s.purges && c.contend(s, now, f, own, violation, w.tries == 0)
		switch {
		case purges != s.purges: // somebody was closed: look again
		case wait:
			return s.park(w, f)
		case violation:
			return refuse(ntstatus.SharingViolation)
		default:
			return c.grant(s, now, f, own)
		}
	}
}

// ownLease returns the lease that the request is for, nil if there is none yet. ok is
// false when its key is another file's ([MS-SMB2] 3.3.5.9.8).
func (c *Open) ownLease(s *State, f *file) (l *lease, ok bool) {
	if c.Lease == nil {
		return nil, true
	}
	l = s.leases[LeaseID{c.Client, c.Lease.Key}]
	return l, l == nil || l.file == f
}

// contend breaks what stands in the open's way ([MS-FSA] 2.1.4.12 case OPEN): for a
// sharing violation the right to keep handles, else the right to write.
func (c *Open) contend(s *State, now Instant, f *file, own *lease, violation, first bool) bool {
	access := c.Access
	if c.Overwrite {
		access |= smb2.FileWriteData
	}
	if access&^statAccess == 0 {
		return false
	}
	mask := cacheW
	if violation {
		mask = cacheH
	}
	return s.contend(now, f, contention{
		opener: own, mask: mask, overwrite: c.Overwrite,
		spare: access&^leaseStatAccess == 0, first: first,
	})
}

// evict closes the disconnected opens that stand in the way of access and share, and says
// whether one of them may not be closed.
func (s *State) evict(now Instant, f *file, access smb2.AccessMask, share smb2.ShareAccess) (kept bool) {
	evict := func(f *file, access smb2.AccessMask, share smb2.ShareAccess) {
		for o := f.first; o != nil; {
			next := o.fileNext
			if o.gone() && o.conflicts(access, share) {
				if o.durable().keeps() {
					kept = true
				} else {
					s.purge(now, o)
				}
			}
			o = next
		}
	}
	evict(f, access, share)
	if access&deleteAccess != 0 {
		all := smb2.FileShareRead | smb2.FileShareWrite | smb2.FileShareDelete
		for _, x := range append([]*file(nil), f.streams...) {
			evict(x, deleteAccess, all)
		}
	}
	return kept
}

// grant makes the open. f is nil when it is the first of its stream.
func (c *Open) grant(s *State, now Instant, f *file, own *lease) Result {
	if f == nil {
		f = s.file(c.File, c.Stream, c.Directory)
	}
	o := &open{id: c.ID, access: c.Access, share: uint8(c.Share)}
	if c.Options&smb2.FileDeleteOnClose != 0 {
		o.flags |= deleteOnClose
	}
	n := s.node(c.Name)
	if c.Lease != nil && c.Oplock == smb2.OplockLevelLease {
		s.grantLease(c, f, n, own, o)
	} else {
		o.oplock.state = c.oplock(f)
	}
	f.join(o)
	f.account(&o.oplock, false, 1)
	n.attach(o)
	s.sessionOf(c.Session, c.Client, c.User).join(o)
	s.opens[o.id] = o
	if n.display == "" || c.Created && c.Stream == "" {
		n.display = c.Display
	}
	if c.Stream != "" && f.more().spelt == "" {
		f.rare.spelt = c.Spelt
	}
	if c.App != nil {
		s.register(c.App, o)
	}
	if c.Durable != nil {
		s.grantDurable(c, o)
	}
	s.keepCreate(c.Req, o)
	if c.Created {
		s.created(now, c, o)
	}
	s.persist(o)
	return s.answer(o)
}

// oplock is what is granted of an oplock request ([MS-FSA] 2.1.5.17.1; Samba:
// delay_for_oplock): a stat open of an existing file gets none, only one open caches
// writes, a file with byte-range locks is not cached, nor one with handle leases.
func (c *Open) oplock(f *file) uint8 {
	st := oplockState(c.Oplock)
	if st == 0 || f.dir || c.Access&^statAccess == 0 && !c.Created && !c.Overwrite {
		return 0
	}
	if f.locks.any() || f.caches.handle > 0 {
		return 0
	}
	if f.count > 0 {
		st &^= cacheW | cacheH
	}
	return st
}

// grantLease joins the open to its lease, makes or upgrades it ([MS-SMB2] 3.3.5.9.8,
// 3.3.5.9.11; Samba: grant_fsp_lease).
func (s *State) grantLease(c *Open, f *file, n *node, own *lease, o *open) {
	o.flags |= isLeased
	q := c.Lease
	want := uint8(q.State) & (cacheR | cacheW | cacheH)
	if want&cacheR == 0 {
		want = 0
	}
	if f.dir {
		want &^= cacheW // [MS-SMB2] 3.3.5.9.11: nobody writes a directory
	}
	granted := want
	if f.shared(own) {
		granted &^= cacheW
	}
	if f.dir && q.Version < 2 {
		granted = 0 // [MS-SMB2] 3.3.5.9.8: directories are leased with version 2 only
	}
	if f.caches.oplocks > 0 {
		granted &^= cacheH
	}
	if f.locks.any() {
		granted = 0
	}
	switch {
	case own == nil:
		own = s.newLease(LeaseID{c.Client, q.Key}, f, n, q)
		own.epoch++
		own.state = granted
		f.account(&own.holder, true, 1)
	case !own.breaking && own.state&want == own.state && granted != own.state && granted == want:
		// A strict upgrade, granted whole or not at all.
		f.account(&own.holder, true, -1)
		own.state = granted
		own.epoch++
		f.account(&own.holder, true, 1)
	}
	if f.dir && own.state != 0 {
		s.audience.Add(1)
	}
	own.join(o)
}

// shared says whether somebody else than a lease has a file open for more than its
// attributes, or caches anything of it ([MS-FSA] 2.1.5.17.2).
func (f *file) shared(own *lease) bool {
	others, caches := f.count-f.stats, f.caches.read
	if own != nil {
		for o := own.first; o != nil; o = o.extra.leaseNext {
			if o.access&^leaseStatAccess != 0 {
				others--
			}
		}
		if own.state&cacheR != 0 {
			caches--
		}
	}
	return others > 0 || caches > 0
}

// answer tells what an open has.
func (s *State) answer(o *open) Result {
	r := Result{Open: o.id, Hint: &o.file.hint, Oplock: o.oplock.level()}
	if o.flags&isLeased != 0 {
		r.Oplock = smb2.OplockLevelLease
		if o.lease != nil {
			r.Lease = o.lease.grant()
		}
	}
	if d := o.durable(); d != nil {
		r.Durable = d.kind != durableResilient
		r.Persist = d.kind == durablePersistent
		r.TimeoutMS = uint32(d.timeout.Milliseconds())
	}
	return r
}
