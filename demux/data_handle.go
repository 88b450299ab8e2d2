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
	slot    *dataSlot
	busy    atomic.Int32 // requests under way; far below 0 once it is given up
	used    atomic.Bool  // since the list was last looked through
	over    atomic.Bool  // to be closed when nothing is under way
	element *list.Element
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
func (h *dataHandle) end() {
	if h.busy.Add(-1) == 0 && h.over.Load() {
		h.closeIdle()
	}
}

// leave closes the handle, which is in no slot any more, as soon as nothing is under way.
func (h *dataHandle) leave() {
	h.over.Store(true)
	h.closeIdle()
}

// closeIdle closes it if nothing is under way; of several that come at once one does.
func (h *dataHandle) closeIdle() {
	if h.busy.CompareAndSwap(0, givenUp) {
		h.close()
	}
}

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
	h.element = t.queue.PushBack(h)
	for tries := t.queue.Len() * 2; t.queue.Len() > limit && tries > 0; tries-- {
		e := t.queue.Front()
		old := e.Value.(*dataHandle)
		if old == h || old.used.Swap(false) || old.busy.Load() != 0 {
			t.queue.MoveToBack(e)
			continue
		}
		t.queue.Remove(e)
		old.element = nil
		out = append(out, old)
	}
	return out
}

// remove takes a handle out; nothing if it is out already.
func (t *dataHandles) remove(h *dataHandle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h.element != nil {
		t.queue.Remove(h.element)
		h.element = nil
	}
}

// len is how many there are.
func (t *dataHandles) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.queue.Len()
}
