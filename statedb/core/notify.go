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
	x := o.more()
	if x.watch == nil {
		x.watch = &watch{filter: c.Filter, tree: c.Tree, limit: c.Limit}
		s.watches++
		o.node.watching++
	}
	w := x.watch
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

// add buffers a change or answers the first request with it.
func (w *watch) add(s *State, c Change) {
	if !w.overflow {
		if n := len(w.changes); n > 0 && w.changes[n-1] == c {
			return // told already and not yet read
		}
		w.bytes += (12 + uint32(smb2.UTF16Len(c.Name)) + 3) &^ 3
		w.changes = append(w.changes, c)
		if len(w.changes) > s.cfg.NotifyMaxEvents || len(w.queue) == 0 && w.bytes > w.limit {
			w.changes, w.bytes, w.overflow = nil, 0, true
		}
	}
	if len(w.queue) == 0 || c.Action == smb2.FileActionRenamedOldName {
		return // the new name follows and is told together with the old one
	}
	q := w.queue[0]
	r, _ := w.collect(q.Limit)
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
	s.watches--
	o.node.watching--
	o.extra.watch = nil
}

// Changed tells of a change that was made: to those who watch ([MS-FSA] 2.1.4.1), and to
// directory leases where an entry of the directory is not what it was (Entry). Creation
// by Open, Unlinked and Renamed tell of theirs by themselves.
type Changed struct {
	Name      Name
	Display   string // the path as it was spelt; the stream too, if one changed
	Action    smb2.NotifyAction
	Filter    smb2.CompletionFilter
	Directory bool
	Entry     bool
	Parent    LeaseID // directory lease of whoever made the change: not broken
	By        OpenID  // ... or the open that made it
}

func (c *Changed) apply(s *State, now Instant) Result {
	if o := s.opens[c.By]; o != nil {
		c.Parent = o.parentLease()
	}
	s.changed(now, c)
	return Result{}
}

// changed finds the directories above a name that are open.
func (s *State) changed(now Instant, c *Changed) {
	up, ok := c.Name.parent()
	if !ok {
		return
	}
	n, depth := s.nodes[up], 1
	if c.Entry && n != nil {
		if d := n.directory(); d != nil {
			s.breakDirectory(now, d, c.Parent)
		}
	}
	if s.watches == 0 {
		return
	}
	for n == nil {
		if up, ok = up.parent(); !ok {
			return
		}
		n = s.nodes[up]
		depth++
	}
	for ; n != nil; n, depth = n.parent, depth+1 {
		if n.watching == 0 {
			continue
		}
		name := tail(c.Display, depth)
		for o := n.first; o != nil; o = o.nodeNext {
			if w := o.watch(); w != nil && w.filter&c.Filter != 0 && (depth == 1 || w.tree) {
				w.add(s, Change{c.Action, name})
			}
		}
	}
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
// ([MS-FSA] 2.1.4.12, PARENT_OBJECT), except the one that the change was made under.
// Nobody waits for it.
func (s *State) breakDirectory(now Instant, d *file, own LeaseID) {
	if d.caches.read == 0 {
		return
	}
	for _, l := range append([]*lease(nil), d.leases...) {
		if l.id != own && l.opens > 0 && l.state&cacheR != 0 {
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

// created tells of a file that an open made.
func (s *State) created(now Instant, c *Open, o *open) {
	if c.Stream != "" {
		return // the caller knows whether the file or only the stream is new
	}
	s.changed(now, &Changed{
		Name: c.Name, Display: c.Display, Action: smb2.FileActionAdded,
		Filter: nameFilter(c.Directory), Directory: c.Directory, Entry: true, Parent: o.parentLease(),
	})
}
