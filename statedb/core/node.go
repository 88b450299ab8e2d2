package core

// node is a name in use: by opens, by a CREATE or rename in flight, or because something
// below it is. Nodes form the tree of names, so that a rename of a directory finds what
// is open below it and a change finds who watches above it.
type node struct {
	name     Name
	display  string // the path as it was spelt when the file was made, renamed, or first opened
	parent   *node
	children *node // list by next
	next     *node
	prev     *node
	first    *open // opens by this name, list by nodeNext
	opens    int32 // length of that list
	below    int32 // opens at the nodes below this one
	watching int32 // opens at this node that watch

	// names in flight (flight.go)
	shared  int32
	flying  int32     // holds at the nodes below this one
	held    RequestID // who may create or rename it; 0 nobody
	rename  bool      // held by a rename: nothing below may start
	unlinks int32     // deletions of it that are under way
	queue   []*waiter
	dead    bool // forgotten; a new node may have its name
}

// node finds or makes the node of a name, and the nodes above it.
func (s *State) node(name Name) *node {
	if n := s.nodes[name]; n != nil {
		return n
	}
	n := &node{name: name}
	s.nodes[name] = n
	if up, ok := name.parent(); ok {
		p := s.node(up)
		n.parent, n.next = p, p.children
		if p.children != nil {
			p.children.prev = n
		}
		p.children = n
	}
	return n
}

// tidy forgets a node that nothing uses any more, and those above it.
func (s *State) tidy(n *node) {
	for n != nil && !n.dead && n.opens == 0 && n.children == nil && n.shared == 0 && n.held == 0 &&
		n.unlinks == 0 && len(n.queue) == 0 {
		p := n.parent
		if p != nil {
			if n.prev != nil {
				n.prev.next = n.next
			} else {
				p.children = n.next
			}
			if n.next != nil {
				n.next.prev = n.prev
			}
		}
		delete(s.nodes, n.name)
		n.dead = true
		n = p
	}
}

// attach puts an open at the node.
func (n *node) attach(o *open) {
	o.node, o.nodeNext, o.nodePrev = n, n.first, nil
	if n.first != nil {
		n.first.nodePrev = o
	}
	n.first = o
	n.opens++
	for p := n.parent; p != nil; p = p.parent {
		p.below++
	}
	if o.watch() != nil {
		n.watching++
	}
}

// detach takes it away; the caller tidies the node.
func (n *node) detach(o *open) {
	if o.nodePrev != nil {
		o.nodePrev.nodeNext = o.nodeNext
	} else {
		n.first = o.nodeNext
	}
	if o.nodeNext != nil {
		o.nodeNext.nodePrev = o.nodePrev
	}
	o.node, o.nodeNext, o.nodePrev = nil, nil, nil
	n.opens--
	for p := n.parent; p != nil; p = p.parent {
		p.below--
	}
	if o.watch() != nil {
		n.watching--
	}
}

// eachBelow calls fn for every open below the node, not at it, until fn says no. It does
// not descend where nothing is open. fn must not change the tree.
func (n *node) eachBelow(fn func(*open) bool) bool {
	for c := n.children; c != nil; c = c.next {
		for o := c.first; o != nil; o = o.nodeNext {
			if !fn(o) {
				return false
			}
		}
		if c.below > 0 && !c.eachBelow(fn) {
			return false
		}
	}
	return true
}

// directory returns the file of the directory that is open at this node, nil if none is.
func (n *node) directory() *file {
	if n == nil {
		return nil
	}
	for o := n.first; o != nil; o = o.nodeNext {
		if o.file.dir {
			return o.file
		}
	}
	return nil
}
