package core

import "fmt"

// check walks the whole shard and compares every count and list with what it counts.
func (s *State) check() error {
	for id, o := range s.opens {
		if o.id != id || o.file == nil || o.node == nil || o.node.dead {
			return fmt.Errorf("open %d: not in place", id)
		}
		if (o.session == nil) != o.gone() {
			return fmt.Errorf("open %d: session %v, disconnected %v", id, o.session, o.gone())
		}
		if s.nodes[o.node.name] != o.node {
			return fmt.Errorf("open %d: node %q is not in the table", id, o.node.name.Path)
		}
		if s.find(o.file.key, o.file.stream) != o.file {
			return fmt.Errorf("open %d: file is not in the table", id)
		}
	}
	opens := 0
	for _, b := range s.files {
		list := append([]*file{b}, b.streams...)
		var streamOpens int32
		for _, f := range list {
			if err := f.check(s); err != nil {
				return fmt.Errorf("file %d:%s: %w", f.key.ID, f.stream, err)
			}
			opens += int(f.count)
			if f != b {
				streamOpens += f.count
			}
		}
		if streamOpens != b.streamOpens {
			return fmt.Errorf("file %d: streamOpens %d, counted %d", b.key.ID, b.streamOpens, streamOpens)
		}
	}
	if opens != len(s.opens) {
		return fmt.Errorf("files have %d opens, the table %d", opens, len(s.opens))
	}
	for _, n := range s.nodes {
		var opens, below, flying int32
		for o := n.first; o != nil; o = o.nodeNext {
			opens++
		}
		for c := n.children; c != nil; c = c.next {
			below += c.opens + c.below
			flying += c.flying + c.shared
			if c.held != 0 {
				flying++
			}
		}
		if opens != n.opens || below != n.below || flying != n.flying {
			return fmt.Errorf("node %q: opens %d/%d below %d/%d flying %d/%d", n.name.Path, n.opens, opens, n.below, below, n.flying, flying)
		}
		if n.opens == 0 && n.children == nil && n.shared == 0 && n.held == 0 && n.unlinks == 0 && len(n.queue) == 0 {
			return fmt.Errorf("node %q: nothing uses it", n.name.Path)
		}
	}
	for req, w := range s.waiting {
		if w.dead || w.req != req {
			return fmt.Errorf("waiter %d is dead", req)
		}
	}
	return nil
}

// check compares a file's sums with its opens and leases.
func (f *file) check(s *State) error {
	var share shareCount
	var c cacheCount
	var n int32
	x := file{}
	for o := f.first; o != nil; o = o.fileNext {
		n++
		share.add(o, 1)
		x.account(&o.oplock, false, 1)
	}
	for i, l := range f.leases {
		if l.index != i || l.opens == 0 || s.leases[l.id] != l {
			return fmt.Errorf("lease %q is not in place", l.id.Key[:])
		}
		x.account(&l.holder, true, 1)
	}
	c = x.caches
	if n != f.count || share != f.share || c != f.caches {
		return fmt.Errorf("count %d/%d share %+v/%+v caches %+v/%+v", f.count, n, f.share, share, f.caches, c)
	}
	if f.hint.Locked() != f.locks.any() || f.hint.ReadCached() != (c.read > 0) {
		return fmt.Errorf("hint %x, locks %v, caches %+v", f.hint.bits.Load(), f.locks.any(), c)
	}
	if f.count == 0 && f.streamOpens == 0 && len(f.streams) == 0 && len(f.waiters) == 0 && !f.unlinking {
		return fmt.Errorf("nothing uses it")
	}
	writers := 0
	for o := f.first; o != nil; o = o.fileNext {
		if o.oplock.state&cacheW != 0 {
			writers++
		}
	}
	for _, l := range f.leases {
		if l.state&cacheW != 0 {
			writers++
		}
	}
	if writers > 1 {
		return fmt.Errorf("%d holders cache writes", writers)
	}
	return nil
}
