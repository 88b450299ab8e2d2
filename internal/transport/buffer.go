package transport

import (
	"sync"
	"sync/atomic"
)

// bufferSizes are the capacities of pooled buffers: a power of two of payload
// and some for headers, so that a READ of 64 KiB or 1 MiB does not just miss.
// The last one is above the largest frame there is.
var bufferSizes = [...]int{
	512, 2 << 10, 8 << 10, 20 << 10, 72 << 10, 264 << 10,
	1<<20 + 8<<10, 2<<20 + 8<<10, 4<<20 + 8<<10, 8<<20 + 8<<10, 16<<20 + 8<<10,
}

// buffers are the pools, one for each size. The garbage collector empties them
// when they are not used.
var buffers [len(bufferSizes)]sync.Pool

// poison makes releases overwrite, see SetPoison.
var poison atomic.Bool

// poisonByte is what released bytes are filled with.
const poisonByte = 0xDB

// SetPoison is for tests: from now on what is released or handed back is filled
// with 0xDB and never pooled again, so that a use after release shows, as
// garbage or as a report of the race detector. Returns the former setting.
func SetPoison(on bool) bool { return poison.Swap(on) }

// buffer is a pooled piece of memory with a reference count.
type buffer struct {
	data []byte
	refs atomic.Int32
	size int // index into buffers, -1 if not pooled
}

// getBuffer returns a buffer of at least n bytes with one reference. Its
// contents are arbitrary.
func getBuffer(n int) *buffer {
	for i, size := range bufferSizes {
		if n > size {
			continue
		}
		b, _ := buffers[i].Get().(*buffer)
		if b == nil {
			b = &buffer{data: make([]byte, size), size: i}
		}
		b.refs.Store(1)
		return b
	}
	b := &buffer{data: make([]byte, n), size: -1}
	b.refs.Store(1)
	return b
}

// retain adds a reference.
func (b *buffer) retain() { b.refs.Add(1) }

// release drops a reference, the last one gives the memory back.
func (b *buffer) release() {
	switch n := b.refs.Add(-1); {
	case n > 0:
		return
	case n < 0:
		panic("transport: buffer released twice")
	}
	if poison.Load() {
		fill(b.data)
		return
	}
	if b.size >= 0 {
		buffers[b.size].Put(b)
	}
}

// fill poisons p.
func fill(p []byte) {
	if len(p) == 0 {
		return
	}
	p[0] = poisonByte
	for n := 1; n < len(p); n *= 2 {
		copy(p[n:], p[:n])
	}
}
