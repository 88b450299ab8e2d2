package demux

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"smbproxy/demux/layout"
	"smbproxy/statedb/core"
)

// maxIdleDirty bounds the files that nobody has open and that are dirty at a backend of data: beyond it the last
// CLOSE of a file flushes.
const maxIdleDirty = 1 << 16

// dataFiles are the files whose data are at several backends and that are open, or dirty.
type dataFiles struct {
	mu    sync.Mutex // guards what follows, and dataFile.opens
	files map[core.FileKey]*dataFile
	idle  int // of them not open
}

// dataFile is what is known of such a file.
type dataFile struct {
	key   core.FileKey
	opens int

	layout atomic.Pointer[layout.Layout] // nil: not known; of shares whose file system is mounted here
	read   atomic.Int64                  // when it was, Unix nanoseconds
	hurry  atomic.Bool                   // the MDS has had to write, which changes layouts

	mu    sync.Mutex // guards what follows; a leaf
	dirty []dirtyAt
	reads chan struct{} // closed when the layout has been read that somebody reads now; nil: nobody does
}

// dirtyAt says that a backend of data has been sent WRITEs that no FLUSH has followed.
type dirtyAt struct {
	backend string
	writes  uint64 // counts them, so that a FLUSH knows whether one came after it
}

// open enters an open of a file.
func (t *dataFiles) open(key core.FileKey) *dataFile {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.files[key]
	if f == nil {
		if t.files == nil {
			t.files = map[core.FileKey]*dataFile{}
		}
		f = &dataFile{key: key}
		t.files[key] = f
	} else if f.opens == 0 {
		t.idle--
		f.forget() // the number may be another file's by now
	}
	f.opens++
	return f
}

// close takes an open out.
func (t *dataFiles) close(f *dataFile) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.opens--
	switch {
	case f.opens > 0:
	case f.clean():
		delete(t.files, f.key)
	default:
		t.idle++
	}
}

// cleaned forgets a file that nobody has open any more and that has become clean.
func (t *dataFiles) cleaned(f *dataFile) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.opens == 0 && t.files[f.key] == f && f.clean() {
		delete(t.files, f.key)
		t.idle--
	}
}

// full says whether no more dirty files may be left behind.
func (t *dataFiles) full() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.idle >= maxIdleDirty
}

// clean says whether no backend of data has to be flushed.
func (f *dataFile) clean() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.dirty) == 0
}

// written notes a WRITE that is about to be sent to a backend of data.
func (f *dataFile) written(backend string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.dirty {
		if f.dirty[i].backend == backend {
			f.dirty[i].writes++
			return
		}
	}
	f.dirty = append(f.dirty, dirtyAt{backend, 1})
}

// unflushed is where the file is dirty.
func (f *dataFile) unflushed() []dirtyAt {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.dirty)
}

// flushed notes that a FLUSH that was sent when the file was dirty as d says has succeeded.
func (f *dataFile) flushed(d dirtyAt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.dirty, d); i >= 0 {
		f.dirty = slices.Delete(f.dirty, i, i+1)
	}
}

// How old a layout may be before it is read again: other nodes can change it at any time, and a stale one only
// costs speed.
const (
	layoutAge      = 10 * time.Second
	layoutHurryAge = time.Second // after the MDS has written to what had no objects yet
)

// current is the layout, nil if it has to be read.
func (f *dataFile) current() *layout.Layout {
	l := f.layout.Load()
	if l == nil {
		return nil
	}
	age := time.Duration(time.Now().UnixNano() - f.read.Load())
	if age > layoutAge || age > layoutHurryAge && f.hurry.Load() {
		return nil
	}
	return l
}

// forget drops the layout: the file has been truncated or overwritten.
func (f *dataFile) forget() { f.layout.Store(nil) }

// keep notes a layout that has just been read.
func (f *dataFile) keep(l *layout.Layout) {
	f.hurry.Store(false)
	f.read.Store(time.Now().UnixNano())
	f.layout.Store(l)
}
