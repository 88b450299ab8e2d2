package layout

import "sort"

// Lengths of lov_comp_md_v1 and its lov_comp_md_entry_v1, bytes.
const (
	sizeHeader = 32
	sizeEntry  = 48
)

// States of a mirrored file, the low bits of the header's flags (LCM_FL_*).
const (
	stateMask         = 3
	stateNone         = 0
	stateReadOnly     = 1 // all mirrors that are not stale are equal
	stateWritePending = 2 // one has been chosen to write
	stateSyncPending  = 3 // the others are being brought up to date
)

// Flags of a component (LCME_FL_*).
const (
	flagStale     = 0x01
	flagPrefRead  = 0x02
	flagPrefWrite = 0x04
	flagOffline   = 0x08
	flagInit      = 0x10
	flagExtension = 0x40
	flagParity    = 0x80
)

// component is one entry of a composite layout.
type component struct {
	segment
	id, mirror uint32
	flags      uint32
	blob       [2]int // where its structure lies in the attribute: from, to
}

// usable says whether data can be had from the component's objects.
func (c *component) usable() bool {
	return c.flags&(flagStale|flagOffline|flagExtension|flagParity) == 0 && c.flags&flagInit != 0 && c.targets[0] != MDS
}

// composite reads a lov_comp_md_v1.
func (v lov) composite() (*Layout, error) {
	if len(v.b) < sizeHeader {
		return nil, v.fault(0, "cut off after %d of %d bytes", len(v.b), sizeHeader)
	}
	size, count := uint64(v.u32(4)), int(v.u16(14))
	switch {
	case size > uint64(len(v.b)):
		return nil, v.fault(4, "size is %d, there are %d bytes", size, len(v.b))
	case count == 0:
		return nil, v.fault(14, "composite without components")
	case uint64(sizeHeader+count*sizeEntry) > size:
		return nil, v.fault(14, "%d components need %d bytes, size is %d", count, sizeHeader+count*sizeEntry, size)
	}
	v.b = v.b[:size]
	list := make([]component, count)
	for i := range list {
		if err := v.component(i, count, &list[i]); err != nil {
			return nil, err
		}
	}
	if err := v.consistent(list); err != nil {
		return nil, err
	}
	state := v.u16(12) & stateMask
	mirrors := mirrorsOf(list)
	if len(mirrors) > int(v.u16(16))+1 {
		return nil, v.fault(16, "components of %d mirrors, there should be %d", len(mirrors), int(v.u16(16))+1)
	}
	l := &Layout{reads: choose(list, func(c *component) int { return rank(c, flagPrefRead) })}
	switch {
	case state == stateNone && len(mirrors) <= 1, state == stateWritePending:
		l.writes = choose(list, func(c *component) int { return rank(c, flagPrefWrite) })
	default: // the MDS has yet to choose the mirror
		l.writes = []segment{{start: 0, end: EOF, targets: atMDS}}
	}
	return l, nil
}

// component reads entry i of so many.
func (v lov) component(i, count int, c *component) error {
	at := sizeHeader + i*sizeEntry
	c.id, c.flags = v.u32(at), v.u32(at+4)
	c.mirror = c.id >> 16 & 0x7FFF
	c.start, c.end = v.u64(at+8), v.u64(at+16)
	from, size := uint64(v.u32(at+24)), uint64(v.u32(at+28))
	switch {
	case c.start >= c.end:
		return v.fault(at+8, "component %#x has the extent [%d, %d)", c.id, c.start, c.end)
	case from < uint64(sizeHeader+count*sizeEntry):
		return v.fault(at+24, "component %#x begins at %d, inside the table of components", c.id, from)
	case from+size > uint64(len(v.b)):
		return v.fault(at+28, "component %#x ends at %d, there are %d bytes", c.id, from+size, len(v.b))
	}
	c.blob = [2]int{int(from), int(from + size)}
	var err error
	inner := lov{b: v.b[from : from+size], base: int(from), order: v.order}
	c.segment, err = inner.plain(c.start, c.end, c.flags&flagInit != 0 && c.flags&flagExtension == 0)
	return err
}

// consistent checks what no component can tell alone: ids are unique, structures lie apart, and so do the extents of one
// mirror.
func (v lov) consistent(list []component) error {
	order := make([]*component, len(list))
	ids := map[uint32]bool{}
	for i := range list {
		order[i] = &list[i]
		if id := list[i].id; ids[id] {
			return v.fault(sizeHeader+i*sizeEntry, "component %#x stands there twice", id)
		}
		ids[list[i].id] = true
	}
	sort.SliceStable(order, func(i, j int) bool { return order[i].blob[0] < order[j].blob[0] })
	for i, c := range order[1:] {
		if order[i].blob[1] > c.blob[0] {
			return v.fault(c.blob[0], "the structures of components %#x and %#x overlap", order[i].id, c.id)
		}
	}
	sort.SliceStable(order, func(i, j int) bool {
		a, b := order[i], order[j]
		return a.mirror < b.mirror || a.mirror == b.mirror && a.start < b.start
	})
	for i, c := range order[1:] {
		if p := order[i]; p.mirror == c.mirror && p.end > c.start {
			return v.fault(sizeHeader, "the extents of components %#x and %#x overlap", p.id, c.id)
		}
	}
	return nil
}

// mirrorsOf are the ids of mirrors that hold data; parity is none.
func mirrorsOf(list []component) map[uint32]bool {
	m := map[uint32]bool{}
	for i := range list {
		if list[i].flags&flagParity == 0 {
			m[list[i].mirror] = true
		}
	}
	return m
}

// rank orders the components that cover a byte: 0 cannot be used, more is better.
func rank(c *component, preferred uint32) int {
	switch {
	case !c.usable():
		return 0
	case c.flags&preferred != 0:
		return 2
	}
	return 1
}

// choose makes the segments of a file from the components that rank highest, the first of equals. What none covers is at
// the MDS.
func choose(list []component, rank func(*component) int) []segment {
	borders := []uint64{0, EOF}
	for i := range list {
		borders = append(borders, list[i].start, list[i].end)
	}
	sort.Slice(borders, func(i, j int) bool { return borders[i] < borders[j] })
	var out []segment
	for i, start := range borders[:len(borders)-1] {
		end := borders[i+1]
		if start == end {
			continue
		}
		s, best := segment{start: start, end: end, targets: atMDS}, 0
		for j := range list {
			c := &list[j]
			if r := rank(c); r > best && c.start <= start && end <= c.end {
				best = r
				s.size, s.targets = c.size, c.targets
			}
		}
		if n := len(out); n > 0 && out[n-1].continues(&s) {
			out[n-1].end = end
			continue
		}
		out = append(out, s)
	}
	return out
}
