package demux

import (
	"sync"
	"sync/atomic"
	"time"

	"smbproxy/demux/backend"
	"smbproxy/demux/layout"
	"smbproxy/internal/smb2"
)

// spread is the part of an open whose file's data are served by several backends. Handles there are opened by the
// first READ or WRITE that needs one, and closed before the handle of the name is: smbd sets the write time once
// more when a handle closes that has written, and the backend of the name, which knows what clients have set, must
// have the last word.
type spread struct {
	open *open
	how  *stripes
	file *dataFile
	// primed is when a WRITE has last gone through the handle of the name, Unix nanoseconds: see primeEvery.
	primed atomic.Int64

	// position is where the last READ at a backend of data has ended, plus 1 (FilePositionInformation); 0: the backend of the
	// name has had the last one, and knows it.
	position atomic.Uint64

	slots atomic.Pointer[[]dataSlot] // by place; nil: none has been used

	mu     sync.Mutex // guards what follows, and dataSlot but for its handle; dataHandles.mu may be locked under it
	closed bool
}

// dataSlot is a place's handle and how it is got.
type dataSlot struct {
	handle  atomic.Pointer[dataHandle]
	opening chan struct{} // closed when somebody has tried to; nil: nobody does
	err     error         // why the last try failed
	until   time.Time     // when to try again
}

// spread makes the part of an open that is about data; nil where all of them go to the backend of the name: shares without
// backends of data, directories, streams, snapshots, reparse points, subtrees with a home of their own.
func (c *creation) spread(o *open) *spread {
	how := c.t.share.stripes
	const special = smb2.FileAttributeDirectory | smb2.FileAttributeReparsePoint
	if how == nil || o.granted&dataAccess == 0 || o.file.Snapshot != 0 || c.found.reply.FileAttributes&special != 0 || o.isStream() {
		return nil
	}
	if path, _ := splitStream(c.name); c.t.share.border(path) != "" {
		return nil
	}
	s := &spread{open: o, how: how, file: c.d.dataFiles.open(o.file)}
	if c.found.destroys {
		s.file.forget()
	}
	return s
}

// layout is the file's layout, nil if it has to be read first.
func (s *spread) layout() *layout.Layout {
	if s.how.mount == nil {
		return s.how.rule.For(s.file.key.ID)
	}
	return s.file.current()
}

// place is which backend serves a target for this open: none of its own where it is the one of the name.
func (s *spread) place(t layout.Target) int {
	i := s.how.place(t)
	if i != atName && s.how.backends[i].Name == s.open.held().at.pool.Name() {
		return atName
	}
	return i
}

// run is the place that serves the byte at off, and how many bytes from there, at most n, it serves.
func (s *spread) run(l *layout.Layout, off, n uint64, write bool) (place int, length uint64) {
	t, length := l.Run(off, n, write)
	place = s.place(t)
	for length < n {
		t, more := l.Run(off+length, n-length, write)
		if s.place(t) != place {
			break
		}
		length += more
	}
	return place, length
}

// slot is a place's slot; nil: none has been used.
func (s *spread) slot(place int) *dataSlot {
	list := s.slots.Load()
	if list == nil {
		return nil
	}
	return &(*list)[place]
}

// held is a place's handle with a request counted in, nil if there is none that lives.
func (s *spread) held(place int) *dataHandle {
	slot := s.slot(place)
	if slot == nil {
		return nil
	}
	h := slot.handle.Load()
	if h == nil || !h.at.Alive() || !h.begin() {
		return nil
	}
	return h
}

// drop gives up a handle that is lost. Any number of goroutines may.
func (s *spread) drop(h *dataHandle) {
	if h.slot.handle.CompareAndSwap(h, nil) {
		s.open.tree.demux.dataHandles.remove(h)
		h.at.drop()
	}
}

// leave gives up the handles at backends that match; what is under way there ends.
func (s *spread) leave(match func(*backend.Pool) bool) {
	if s == nil {
		return
	}
	list := s.slots.Load()
	if list == nil {
		return
	}
	for i := range *list {
		slot := &(*list)[i]
		if h := slot.handle.Load(); h != nil && match(h.at.pool) && slot.handle.CompareAndSwap(h, nil) {
			s.open.tree.demux.dataHandles.remove(h)
			h.leave()
		}
	}
}

// again is the part of an open that goes on in another session, as n; s is being closed.
func (s *spread) again(n *open) *spread {
	if s == nil {
		return nil
	}
	fresh := &spread{open: n, how: s.how, file: n.tree.demux.dataFiles.open(n.file)}
	fresh.primed.Store(s.primed.Load())
	return fresh
}

// close closes the handles at the backends of data and then does then, on any goroutine. A file that is to be left dirty
// where too many are is flushed.
func (s *spread) close(then func()) {
	if s == nil {
		then()
		return
	}
	s.mu.Lock()
	s.closed = true
	list := s.slots.Load()
	s.mu.Unlock()
	d := s.open.tree.demux
	var handles []*dataHandle
	if list != nil {
		for i := range *list {
			if h := (*list)[i].handle.Swap(nil); h != nil {
				d.dataHandles.remove(h)
				handles = append(handles, h)
			}
		}
	}
	flush := len(handles) > 0 && !s.file.clean() && d.dataFiles.full()
	var left atomic.Int32
	left.Store(int32(len(handles)) + 1)
	done := func() {
		if left.Add(-1) == 0 {
			d.dataFiles.close(s.file)
			then()
		}
	}
	for _, h := range handles {
		if flush {
			s.flushAndClose(h, done)
		} else {
			h.closeThen(done)
		}
	}
	done()
}
