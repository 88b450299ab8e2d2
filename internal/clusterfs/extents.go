package clusterfs

import (
	"slices"
	"sort"
)

// extents are bytes at places of a file, without overlap, in order. The later write wins.
type extents struct {
	list  []extent
	bytes int64
}

// extent is some bytes at an offset.
type extent struct {
	off  int64
	data []byte
}

func (e extent) end() int64 { return e.off + int64(len(e.data)) }

// chunk is how far an extent grows by appending, in bytes.
const chunk = 1 << 20

// block is what the tree allocates, in bytes; sectors is the same in st_blocks' unit.
const (
	block   = 4096
	sectors = block / 512
)

// write puts a copy of p at off.
func (x *extents) write(off int64, p []byte) {
	if len(p) == 0 {
		return
	}
	if n := len(x.list); n > 0 {
		last := &x.list[n-1]
		if last.end() == off && len(last.data)+len(p) <= chunk {
			last.data = append(last.data, p...)
			x.bytes += int64(len(p))
			return
		}
	}
	x.take(off, off+int64(len(p)))
	at := sort.Search(len(x.list), func(i int) bool { return x.list[i].off >= off })
	x.list = slices.Insert(x.list, at, extent{off, append([]byte(nil), p...)})
	x.bytes += int64(len(p))
}

// take removes the bytes from off up to end and returns them.
func (x *extents) take(off, end int64) []extent {
	var out, keep []extent
	first := sort.Search(len(x.list), func(i int) bool { return x.list[i].end() > off })
	last := first
	for ; last < len(x.list) && x.list[last].off < end; last++ {
		e := x.list[last]
		from, to := max(off, e.off), min(end, e.end())
		// Capacity ends where the piece does: a later append must not run into the next one.
		piece := func(a, b int64) extent {
			return extent{a, e.data[a-e.off : b-e.off : b-e.off]}
		}
		if e.off < from {
			keep = append(keep, piece(e.off, from))
		}
		out = append(out, piece(from, to))
		x.bytes -= to - from
		if to < e.end() {
			keep = append(keep, piece(to, e.end()))
		}
	}
	if first != last {
		x.list = slices.Replace(x.list, first, last, keep...)
	}
	return out
}

// overlaps tells whether a byte from off up to end is here.
func (x *extents) overlaps(off, end int64) bool {
	at := sort.Search(len(x.list), func(i int) bool { return x.list[i].end() > off })
	return at < len(x.list) && x.list[at].off < end
}

// overlay copies what is here over p, which was read at off.
func (x *extents) overlay(p []byte, off int64) {
	end := off + int64(len(p))
	at := sort.Search(len(x.list), func(i int) bool { return x.list[i].end() > off })
	for ; at < len(x.list) && x.list[at].off < end; at++ {
		e := x.list[at]
		if e.off >= off {
			copy(p[e.off-off:], e.data)
		} else {
			copy(p, e.data[off-e.off:])
		}
	}
}

// end is the offset behind the last byte, 0 without any.
func (x *extents) end() int64 {
	if len(x.list) == 0 {
		return 0
	}
	return x.list[len(x.list)-1].end()
}

// blocksBehind is how many sectors the bytes behind the tree's end of file will take.
func (x *extents) blocksBehind(size int64) uint64 {
	var n, done int64 // done: the first block not counted
	done = (size + block - 1) / block
	for _, e := range x.list {
		from, to := max(done, e.off/block), (e.end()+block-1)/block
		if to > from {
			n += to - from
			done = to
		}
	}
	return uint64(n) * sectors
}
