package core

import "smbproxy/internal/ntstatus"

// Close ends an open ([MS-FSA] 2.1.5.5). Result.Delete is set when the file must be
// deleted now. Abandon takes back an open whose CREATE failed later on (step 4): nothing
// is deleted for it. Closing what is not open answers FileClosed.
type Close struct {
	Open    OpenID
	Abandon bool
}

func (c *Close) apply(s *State, now Instant) Result {
	o := s.opens[c.Open]
	if o == nil {
		return refuse(ntstatus.FileClosed)
	}
	if c.Abandon {
		o.flags &^= deleteOnClose
	}
	return s.closed(now, o)
}

// closed closes an open and says what is to be done about its file.
func (s *State) closed(now Instant, o *open) Result {
	r := Result{Open: o.id, Delete: s.close(now, o)}
	f := o.file
	r.Needed = r.Delete == nil && f.deletePending && !f.unlinking && f.deleter == o.id
	return r
}

// close takes an open out of everything it is in.
func (s *State) close(now Instant, o *open) *Deletion {
	f, n := o.file, o.node
	parent := o.parentLease()
	s.unlockAll(now, o)
	s.unwatch(now, o)
	if o.flags&deleteOnClose != 0 && !f.deletePending {
		// Samba: FILE_DELETE_ON_CLOSE becomes delete-pending when its handle closes.
		s.setDeletePending(f, o.id)
		// Others have no use for their handles any more, but nobody waits for them (smb2.lease.unlink).
		s.contend(now, f, contention{opener: o.lease, by: o, mask: cacheH, first: true})
	}
	if d := o.durable(); d != nil {
		d.deadline = 0
	}
	s.forgetCreate(o)
	s.unregister(o)
	f.account(&o.oplock, false, -1)
	o.oplock = holder{}
	s.part(o)
	f.quit(o)
	n.detach(o)
	s.leave(o)
	delete(s.opens, o.id)
	o.flags |= isDisconnected
	d := s.lastClose(f, n)
	if d != nil && s.find(d.File, d.Stream).more().deleteUnder.Key == parent.Key {
		d.Parent = parent // who closes last and who wanted it gone hold one directory lease
	}
	switch {
	case !o.persistent():
	case d != nil:
		s.find(d.File, d.Stream).intent = o.id // what was promised is done after a crash
	default:
		s.emit(Forget{Open: o.id})
	}
	s.touch(f)
	s.tidy(n)
	s.drop(f)
	return d
}

// lastClose decides whether the file or stream is to be deleted now: it is delete-pending
// and nothing of it is open, for a file its streams included.
func (s *State) lastClose(f *file, n *node) *Deletion {
	if f.base != nil {
		if b := f.base; b.deletePending && !b.unlinking && b.count == 0 && b.streamOpens == 0 {
			f = b
		}
	}
	if !f.deletePending || f.unlinking || f.count > 0 || f.streamOpens > 0 {
		return nil
	}
	f.unlinking = true
	n.unlinks++
	return &Deletion{File: f.key, Stream: f.stream, Name: n.name, By: f.deleter}
}

// purge closes a disconnected open that is in somebody's way.
func (s *State) purge(now Instant, o *open) {
	s.purges++
	s.closeUnasked(now, o, ClosedByConflict)
}

// closeUnasked closes an open without a request from its owner.
func (s *State) closeUnasked(now Instant, o *open, why CloseReason) {
	var ss SessionID
	if o.session != nil {
		ss = o.session.id
	}
	e := Closed{Open: o.id, Reason: why, Session: ss, User: o.userOf(), Display: o.display()}
	r := s.closed(now, o)
	e.Delete, e.Needed = r.Delete, r.Needed
	s.emit(e)
}
