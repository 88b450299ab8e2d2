package demux

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// maxDataHandles is how many handles at backends of data may be open at once where the configuration does not say.
const maxDataHandles = 16384

// dataHandle is a handle for data only. Requests that go through it are counted, so that it is not given up under them.
type dataHandle struct {
	handle
	slot *dataSlot
	busy atomic.Int32 // requests under way; far below 0 once it is given up
	used atomic.Bool  // since the list was last looked through
	at_  *list.Element
}

// givenUp is added to busy of a handle that nobody may begin anything with.
const givenUp = -1 << 30

// begin counts a request in; false: the handle is not for use any more. Each true needs an end.
func (h *dataHandle) begin() bool {
	if h.busy.Add(1) <= 0 {
		h.busy.Add(-1)
		return false
	}
	if !h.used.Load() {
		h.used.Store(true)
	}
	return true
}

// end counts it out.
func (h *dataHandle) end() { h.busy.Add(-1) }

// dataHandles are all handles for data, bounded: the one that nobody has used for longest goes first.
//
// It is the clock algorithm rather than a list in the order of use, since READ and WRITE must not take a lock here.
type dataHandles struct {
	mu    sync.Mutex // guards what follows; nothing else is locked under it
	queue list.List  // of *dataHandle
}

// add enters a handle and returns those that have to be closed for it.
func (t *dataHandles) add(h *dataHandle, limit int) (out []*dataHandle) {
	if limit <= 0 {
		limit = maxDataHandles
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	h.at_ = t.queue.PushBack(h)
	for tries := t.queue.Len() * 2; t.queue.Len() > limit && tries > 0; tries-- {
		e := t.queue.Front()
		old := e.Value.(*dataHandle)
		if old == h || old.used.Swap(false) || !old.busy.CompareAndSwap(0, givenUp) {
			t.queue.MoveToBack(e)
			continue
		}
		t.queue.Remove(e)
		old.at_ = nil
		out = append(out, old)
	}
	return out
}

// remove takes a handle out; nothing if it is out already.
func (t *dataHandles) remove(h *dataHandle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h.at_ != nil {
		t.queue.Remove(h.at_)
		h.at_ = nil
	}
}

// len is how many there are.
func (t *dataHandles) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.queue.Len()
}
