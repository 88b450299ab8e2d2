package core

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// SetDisposition is FileDispositionInformation ([MS-FSA] 2.1.5.15.3): the file becomes
// delete-pending, or is not any more. Whether the file may be deleted (access, read-only,
// directory not empty) the caller has checked. Of what is not to be deleted any more, Result.Open was to do it. Others' right to keep handles is broken
// first, and waited for.
type SetDisposition struct {
	Req    RequestID
	Open   OpenID
	Delete bool
}

func (c *SetDisposition) apply(s *State, now Instant) Result { return s.run(now, c.Req, c) }
func (c *SetDisposition) abandon(*State, Instant)            {}
func (c *SetDisposition) owner() SessionID                   { return 0 }

func (c *SetDisposition) try(s *State, now Instant, w *waiter) Result {
	o := s.opens[c.Open]
	if o == nil {
		return refuse(ntstatus.FileClosed)
	}
	f := o.file
	if !c.Delete {
		r := Result{Open: f.deleter}
		f.deletePending, f.deleter = false, 0
		s.persist(o)
		return r
	}
	if f.deletePending {
		return Result{}
	}
	if s.contend(now, f, contention{opener: o.lease, by: o, mask: cacheH, first: w.tries == 0}) {
		return s.park(w, f)
	}
	s.setDeletePending(f, o.id)
	s.persist(o)
	return Result{}
}

// setDeletePending marks a file; who watches a directory that goes away is told (Samba:
// smb2.notify.rmdir).
func (s *State) setDeletePending(f *file, by OpenID) {
	f.deletePending, f.deleter, f.more().deleteUnder = true, by, LeaseID{}
	if o := s.opens[by]; o != nil {
		f.rare.deleteUnder = o.parentLease()
	}
	if !f.dir {
		return
	}
	for o := f.first; o != nil; o = o.fileNext {
		if w := o.watch(); w != nil {
			w.endAll(s, ntstatus.DeletePending)
		}
	}
}

// Unlinked tells what became of a Deletion. Who waited for the name goes on.
type Unlinked struct {
	Deletion
	OK bool
}

func (c *Unlinked) apply(s *State, now Instant) Result {
	f := s.find(c.File, c.Stream)
	if f == nil || !f.unlinking {
		return refuse(ntstatus.InvalidParameter)
	}
	f.unlinking = false
	if f.intent != 0 {
		s.emit(Forget{Open: f.intent})
		f.intent = 0
	}
	if c.OK {
		f.gone = true
		ev := &Changed{
			Name: c.Name, Action: smb2.FileActionRemoved, Filter: nameFilter(f.dir), Entry: true, Parent: c.Parent,
		}
		if c.Stream != "" {
			ev.Action, ev.Filter, ev.Stream, ev.Entry = smb2.FileActionRemovedStream, smb2.FileNotifyChangeStreamName, f.more().spelt, false
		}
		s.changed(now, ev)
	} else {
		f.deletePending, f.deleter = false, 0
	}
	if n := s.nodes[c.Name]; n != nil && n.unlinks > 0 {
		n.unlinks--
		s.wakeUp(now, n)
	}
	s.touch(f)
	if f.gone && len(f.waiters) == 0 || !f.gone {
		s.drop(f)
	}
	return Result{}
}

// nameFilter is the filter that a change of a name matches.
func nameFilter(dir bool) smb2.CompletionFilter {
	if dir {
		return smb2.FileNotifyChangeDirName
	}
	return smb2.FileNotifyChangeFileName
}
