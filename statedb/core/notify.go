package core

import (
	"slices"
	"strings"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Change is one change as a watcher is told of it ([MS-FSCC] 2.7.1).
type Change struct {
	Action smb2.NotifyAction
	Name   string // relative to the watched directory, as it was spelt
}

// watch is the notification registration of an open directory. It begins with the first
// CHANGE_NOTIFY and lasts as long as the open; filter and subtree are those of the first
// (Samba: change_notify_create, smb2.notify.mask-change).
type watch struct {
	filter   smb2.CompletionFilter
	tree     bool
	limit    uint32 // bytes of the buffer of the first request
	overflow bool
	behind   *behind // nil: no backend tells of changes
	changes  []Change
	bytes    uint32 // of changes, on the wire
	queue    []*Notify
}

// Notify is CHANGE_NOTIFY ([MS-SMB2] 3.3.5.19). Success with Changes: something had
// happened since the last one; NotifyEnumDir: too much. Pending: Complete follows.
type Notify struct {
	Req    RequestID
	Open   OpenID
	Filter smb2.CompletionFilter
	Tree   bool
	Limit  uint32 // OutputBufferLength

	session SessionID
}

func (c *Notify) apply(s *State, _ Instant) Result {
	o := s.opens[c.Open]
	if o == nil || o.gone() {
		return refuse(ntstatus.FileClosed)
	}
	if !o.file.dir {
		return refuse(ntstatus.InvalidParameter)
	}
	if o.file.deletePending {
		return refuse(ntstatus.DeletePending)
	}
	w := s.watchOf(o, c)
	if len(w.queue) == 0 {
		if r, ok := w.collect(c.Limit); ok {
			return r
		}
	}
	c.session = o.session.id
	w.queue = append(w.queue, c)
	s.waiting[c.Req] = &waiter{req: c.Req, cmd: &parkedNotify{c, w}}
	return pending
}

// parkedNotify is a Notify that waits, for Cancel.
type parkedNotify struct {
	*Notify
	w *watch
}

func (p *parkedNotify) try(*State, Instant, *waiter) Result { return pending }
func (p *parkedNotify) owner() SessionID                    { return 0 } // ends with its open

func (p *parkedNotify) abandon(*State, Instant) {
	p.w.queue = slices.DeleteFunc(p.w.queue, func(c *Notify) bool { return c == p.Notify })
}

// collect answers with what is buffered. A buffer of limit bytes that cannot hold it gets
// NotifyEnumDir, and what was buffered is dropped ([MS-SMB2] 3.3.4.4).
func (w *watch) collect(limit uint32) (Result, bool) {
	if !w.overflow && len(w.changes) == 0 {
		return Result{}, false
	}
	r := Result{Changes: w.changes}
	if w.overflow || w.bytes > limit {
		r = refuse(ntstatus.NotifyEnumDir)
	}
	w.changes, w.bytes, w.overflow = nil, 0, false
	return r, true
}

// add buffers a change and answers the first request with it.
func (w *watch) add(s *State, c Change) {
	w.buffer(s, c)
	if c.Action != smb2.FileActionRenamedOldName { // the new name follows and is told together with the old one
		w.answer(s)
	}
}

// buffer keeps a change for the next answer.
func (w *watch) buffer(s *State, c Change) {
	if w.overflow {
		return
	}
	if n := len(w.changes); n > 0 && w.changes[n-1] == c {
		return // told already and not yet read
	}
	w.bytes += (12 + uint32(smb2.UTF16Len(c.Name)) + 3) &^ 3
	w.changes = append(w.changes, c)
	if len(w.changes) > s.cfg.NotifyMaxEvents || len(w.queue) == 0 && w.bytes > w.limit {
		w.changes, w.bytes, w.overflow = nil, 0, true
	}
}

// answer ends the first request that waits with what is buffered.
func (w *watch) answer(s *State) {
	if len(w.queue) == 0 {
		return
	}
	q := w.queue[0]
	r, ok := w.collect(q.Limit)
	if !ok {
		return
	}
	w.queue = w.queue[1:]
	delete(s.waiting, q.Req)
	s.emit(Complete{Req: q.Req, Result: r})
}

// endAll ends the requests that wait with a status.
func (w *watch) endAll(s *State, st ntstatus.Status) {
	for _, q := range w.queue {
		delete(s.waiting, q.Req)
		s.emit(Complete{Req: q.Req, Result: refuse(st)})
	}
	w.queue = nil
}

// unwatch ends the registration of an open that closes ([MS-SMB2] 3.3.5.10).
func (s *State) unwatch(_ Instant, o *open) {
	w := o.watch()
	if w == nil {
		return
	}
	w.endAll(s, ntstatus.NotifyCleanup)
	if w.behind != nil {
		w.behind.deadline = 0
	}
	s.watches--
	o.node.watching--
	o.extra.watch = nil
}

// Changed tells of a change that was made: to those who watch ([MS-FSA] 2.1.4.1), and to
// directory leases where an entry of the directory is not what it was (Entry). Creation
// by Open, Unlinked and Renamed tell of theirs by themselves.
type Changed struct {
	By      OpenID // the open that made the change: its directory lease is not broken
	Name    Name   // of the base file; zero: By's
	Display string // the path as it was spelt; empty: as those spelt it who have it open
	Stream  string // as it was spelt, where a stream has changed
	Action  smb2.NotifyAction
	Filter  smb2.CompletionFilter
	Entry   bool
	Parent  LeaseID // directory lease of whoever made the change, without By

	unless smb2.CompletionFilter // whose watchers have heard of it in another way
}

func (c *Changed) apply(s *State, now Instant) Result {
	o := s.opens[c.By]
	switch {
	case o != nil:
		c.Parent = o.parentLease()
		if c.Name == (Name{}) {
			c.Name = o.node.name
		}
	case c.Name == Name{}:
		return Result{} // closed meanwhile, which told more than this would
	}
	if !s.changed(now, c) && o != nil && c.Name == o.node.name {
		o.file.hint.heard.Store(s.audience.Load())
	}
	return Result{}
}

// changed finds the directories above a name that are open. It says whether somebody there
// wants to hear of changes, be it of others than this one.
func (s *State) changed(now Instant, c *Changed) (heard bool) {
	up, ok := c.Name.parent()
	if !ok {
		return false
	}
	n, depth := s.nodes[up], 1
	if n != nil {
		if d := n.directory(); d != nil && d.caches.read > 0 {
			heard = true
			if c.Entry {
				s.breakDirectory(now, d, c.Parent)
			}
		}
	}
	if s.watches == 0 {
		return heard
	}
	for n == nil {
		if up, ok = up.parent(); !ok {
			return heard
		}
		n = s.nodes[up]
		depth++
	}
	for ; n != nil; n, depth = n.parent, depth+1 {
		if n.watching == 0 {
			continue
		}
		for o := n.first; o != nil; o = o.nodeNext {
			w := o.watch()
			if w == nil || depth > 1 && !w.tree {
				continue
			}
			heard = true
			if w.behind != nil {
				w.behind.touch(s, now, tail(c.Name.Path, depth), c.Action)
			}
			if w.filter&c.Filter != 0 && w.filter&c.unless == 0 {
				w.add(s, Change{c.Action, c.name(s, depth)})
			}
		}
	}
	return heard
}

// name is the name of what has changed, as a watcher so many levels above knows it.
func (c *Changed) name(s *State, depth int) string {
	display := c.Display
	if display == "" {
		display = c.Name.Path
		if n := s.nodes[c.Name]; n != nil && n.display != "" {
			display = n.display
		}
	}
	name := tail(display, depth)
	if c.Stream != "" {
		name += ":" + c.Stream
	}
	return name
}

// tail returns the last n components of a path.
func tail(path string, n int) string {
	i := len(path)
	for ; n > 0; n-- {
		if i = strings.LastIndexByte(path[:i], '\\'); i < 0 {
			return path
		}
	}
	return path[i+1:]
}

// breakDirectory breaks the leases of a directory whose listing is not what it was
// ([MS-FSA] 2.1.4.12, PARENT_OBJECT), except the one that the change was made under: keys
// are compared there, whoever's they are (smb2.dirlease.seteof). Nobody waits for it.
func (s *State) breakDirectory(now Instant, d *file, own LeaseID) {
	if d.caches.read == 0 {
		return
	}
	for _, l := range append([]*lease(nil), d.leases...) {
		if (own == LeaseID{} || l.id.Key != own.Key) && l.opens > 0 && l.state&cacheR != 0 {
			s.breakLease(now, l, 0)
		}
	}
}

// parentLease returns the directory lease named as the parent of the open's own lease.
func (o *open) parentLease() LeaseID {
	if o.lease == nil || !o.lease.hasParent {
		return LeaseID{}
	}
	return LeaseID{o.lease.id.Client, o.lease.parent}
}

// created tells of a file or stream that an open made.
func (s *State) created(now Instant, c *Open, o *open) {
	ev := Changed{
		Name: c.Name, Action: smb2.FileActionAdded, Filter: nameFilter(c.Directory), Entry: true, Parent: o.parentLease(),
	}
	if c.Stream == "" || c.WithBase {
		s.changed(now, &ev)
	}
	if c.Stream != "" {
		ev.Action, ev.Filter, ev.Stream, ev.Entry = smb2.FileActionAddedStream, smb2.FileNotifyChangeStreamName, c.Spelt, false
		s.changed(now, &ev)
	}
}
