package core

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Rename asks whether an open file or directory may be renamed ([MS-FSA] 2.1.5.15.11),
// before a backend is asked. Success holds both names for Req until Renamed, which is
// needed exactly once. AccessDenied: something is open below the directory, a stream of
// the file is open, or the target is. Rights of others to keep those handles are broken
// first, and waited for.
type Rename struct {
	Req  RequestID
	Open OpenID
	To   Name // of the base file; a stream's rename gives the name it has
	Over bool // ReplaceIfExists

	Stream string // folded new name of a stream that is renamed
}

func (c *Rename) apply(s *State, now Instant) Result { return s.run(now, c.Req, c) }
func (c *Rename) abandon(*State, Instant)            {}
func (c *Rename) owner() SessionID                   { return 0 }

func (c *Rename) try(s *State, now Instant, w *waiter) Result {
	o := s.opens[c.Open]
	if o == nil {
		return refuse(ntstatus.FileClosed)
	}
	from, to := o.node, s.node(c.To)
	for _, n := range [...]*node{from, to} {
		if at := n.blocked(true); at != nil {
			return s.parkTidy(w, at, to)
		}
		if n.flying > 0 {
			return s.parkTidy(w, n, to)
		}
	}
	if at := c.breaks(s, now, o, to, w.tries == 0); at != nil {
		r := s.park(w, at)
		s.tidy(to)
		return r
	}
	if st := c.refusal(s, o, to); st != ntstatus.Success {
		s.tidy(to)
		return refuse(st)
	}
	from.held, from.rename = c.Req, true
	from.fly(1)
	if to != from {
		to.held, to.rename = c.Req, true
		to.fly(1)
	}
	return Result{From: from.name}
}

// parkTidy waits at a node and forgets the target's node if nothing else uses it.
func (s *State) parkTidy(w *waiter, at, to *node) Result {
	r := s.parkAt(w, at)
	s.tidy(to)
	return r
}

// breaks ends the right to keep handles of everything that the rename moves or replaces.
// It returns the file to wait for.
func (c *Rename) breaks(s *State, now Instant, o *open, to *node, first bool) *file {
	keep := contention{opener: o.lease, by: o, mask: cacheH, first: first}
	if s.contend(now, o.file, keep) {
		return o.file
	}
	other := contention{mask: cacheH, first: first}
	var list []*file
	add := func(x *open) bool {
		if x.file != o.file && (x.keepsHandle() || x.file.caches.breaking > 0) {
			list = append(list, x.file)
		}
		return true
	}
	if o.file.dir {
		o.node.eachBelow(add)
	}
	if d := to.parent.directory(); d != nil && c.Stream == "" && d.share.deleters > 0 {
		// A directory that somebody may delete takes nothing new in, unless he lets go.
		list = append(list, d)
	}
	if to != o.node {
		for x := to.first; x != nil; x = x.nodeNext {
			add(x)
		}
	}
	var at *file
	for _, f := range list {
		if f.count > 0 && s.contend(now, f, other) && at == nil {
			at = f
		}
	}
	return at
}

// refusal is what still stands in the way when nothing is left to break.
func (c *Rename) refusal(s *State, o *open, to *node) ntstatus.Status {
	f := o.file
	if f.dir && o.node.below > 0 {
		return ntstatus.AccessDenied
	}
	if f.base == nil && f.streamOpens > 0 {
		return ntstatus.AccessDenied // Samba: smb2.streams.basefile-rename-with-open-stream
	}
	if to == o.node {
		if x := s.find(f.key, c.Stream); c.Stream != "" && x != nil && x != f && x.count > 0 {
			return ntstatus.AccessDenied
		}
		return ntstatus.Success
	}
	for x := to.first; x != nil; x = x.nodeNext {
		if x.file == f || f.base == x.file {
			continue // another name of the same file
		}
		if !c.Over {
			return ntstatus.ObjectNameCollision
		}
		return ntstatus.AccessDenied
	}
	if d := to.parent.directory(); d != nil {
		switch {
		case d.deletePending:
			return ntstatus.DeletePending
		case d.share.deleters > 0:
			// [MS-FSA] 2.1.5.15.11 opens it without sharing deletion. Samba: smbd looks at it too, but in its own process (4.17).
			return ntstatus.SharingViolation
		}
	}
	return ntstatus.Success
}

// Renamed ends a Rename. If OK, the opens by the old name have the new one, watchers hear
// of it, and directory leases of both directories are broken.
type Renamed struct {
	Req      RequestID
	Open     OpenID
	From, To Name
	OK       bool

	Directory              bool
	FromDisplay, ToDisplay string // as they were spelt
	Stream                 string // new folded stream name of a renamed stream
	Spelt                  string // ... as it was spelt
}

func (c *Renamed) apply(s *State, now Instant) Result {
	from, to := s.nodes[c.From], s.nodes[c.To]
	if from == nil || to == nil || from.held != c.Req || to.held != c.Req {
		return refuse(ntstatus.InvalidParameter)
	}
	o := s.opens[c.Open]
	var f *file
	for x := from.first; f == nil && x != nil; x = x.nodeNext {
		if o == nil || x == o {
			f = x.file
		}
	}
	whole := c.OK && f != nil && c.Stream == ""
	if whole {
		if from.display != "" {
			c.FromDisplay = from.display
		}
		to.display = c.ToDisplay
	}
	if c.OK && f != nil && from != to {
		c.move(s, f, from, to)
	}
	if c.OK && f != nil && f.base != nil && c.Stream != "" {
		c.tellStream(s, now, f)
		f.stream, f.more().spelt = c.Stream, c.Spelt
	}
	if whole && c.FromDisplay != c.ToDisplay {
		c.tell(s, now, o)
	}
	s.release(now, c.From, c.Req)
	if c.From != c.To {
		s.release(now, c.To, c.Req)
	}
	return Result{}
}

// move gives the opens of the file by the old name the new one.
func (c *Renamed) move(s *State, f *file, from, to *node) {
	b := f
	if f.base != nil {
		b = f.base
	}
	for x := from.first; x != nil; {
		next := x.nodeNext
		if x.file == b || x.file.base == b {
			from.detach(x)
			to.attach(x)
			x.file.hint.heard.Store(0)
			if x.lease != nil {
				x.lease.node = to
			}
			if x.persistent() {
				x.extra.durable.display = c.ToDisplay
			}
			s.persist(x)
		}
		x = next
	}
}

// tell emits the changes: within a directory a rename has two names, else the file is
// removed here and added there (Samba: notify_rename).
func (c *Renamed) tell(s *State, now Instant, o *open) {
	ev := Changed{
		Filter: nameFilter(c.Directory), Entry: true,
		Name: c.From, Display: c.FromDisplay, Action: smb2.FileActionRenamedOldName,
	}
	if o != nil {
		ev.Parent = o.parentLease()
	}
	a, _ := c.From.parent()
	b, _ := c.To.parent()
	if a != b {
		ev.Action = smb2.FileActionRemoved
	}
	s.changed(now, &ev)
	ev.Name, ev.Display, ev.Action = c.To, c.ToDisplay, smb2.FileActionRenamedNewName
	if a != b {
		ev.Action = smb2.FileActionAdded
	}
	s.changed(now, &ev)
	if !c.Directory {
		// Windows tells those of a change who do not hear of names, of files only (smb2.notify.rec, .mask-change).
		ev.Action, ev.Filter, ev.Entry = smb2.FileActionModified, smb2.FileNotifyChangeAttributes|smb2.FileNotifyChangeCreation, false
		ev.unless = nameFilter(false)
		s.changed(now, &ev)
	}
}

// tellStream emits that a stream has another name.
func (c *Renamed) tellStream(s *State, now Instant, f *file) {
	ev := Changed{Name: c.To, Filter: smb2.FileNotifyChangeStreamName, Stream: f.more().spelt, Action: smb2.FileActionRemovedStream}
	s.changed(now, &ev)
	ev.Stream, ev.Action = c.Spelt, smb2.FileActionAddedStream
	s.changed(now, &ev)
}
