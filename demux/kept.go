package demux

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/statedb/core"
)

// Acknowledged is not on disk (DESIGN 8). A backend's node that is lost takes with it what its file system had not
// written yet, and since the client does not see the loss, we owe it its bytes: what a WRITE carried is kept until a FLUSH
// of its backends has succeeded after it. Where a file has to move, what is kept of it is written before anything else
// (restore.go).
//
//	WRITE acknowledged ──> kept ──FLUSH by the client, or ours after 5 s or at the limit──> given up
//	                         └──its backend is lost──> written again at the next one, and kept for that
//
// Each file has a log, in the order of the acknowledgements: written again in that order, the later bytes win. The log is
// as long as the limit lets it be, so nothing is gained by sorting it.

const (
	// defaultUnflushed is how much is kept for one backend before it is flushed. WRITEs that come while twice as much is
	// kept go through to the disk and are not.
	defaultUnflushed = 64 << 20
	// unflushedAge is how long anything is kept before it is flushed.
	unflushedAge = 5 * time.Second
)

// keptWrites is everything that is kept.
type keptWrites struct {
	mu    sync.Mutex // guards files, and all of keptFile but for its atomics
	files map[keptKey]*keptFile

	sums sync.Map      // of *atomic.Int64 by *backend.Pool: bytes kept
	due  chan struct{} // capacity 1: a limit is reached

	anyLost  atomic.Int32 // files with something lost that is not restored yet
	failures sync.Map     // keptKey of files whose bytes are gone, until a client has been told
	failed   atomic.Int32 // how many
}

// keptKey is a file, or a stream of one.
type keptKey struct {
	file   core.FileKey
	stream string
}

// keptFile is what is kept of one file. It is in the table as long as its log is not empty.
type keptFile struct {
	key  keptKey
	by   *open  // that has written last: its user leads to the file
	name string // of the file now, renames included
	log  []keptWrite
	seq  uint64    // of the newest
	born time.Time // of the oldest

	lost     map[*backend.Pool]bool // backends of its entries that were down since
	flushing bool                   // by us
	restored chan struct{}          // closed when the restore under way has ended; nil: none is
}

// keptWrite is one entry of the log: data, or the end of the file set.
type keptWrite struct {
	pool     *backend.Pool
	seq      uint64
	off      uint64           // of the data; or the new end of the file
	frame    *transport.Frame // holds the data; nil: the end was set
	at, size int              // of the data in it
}

// key is the file that the open's data are of.
func (o *open) key() keptKey {
	_, stream := splitStream(o.Name())
	return keptKey{o.file, foldStream(stream)}
}

// sum is how much is kept for a backend, in bytes.
func (k *keptWrites) sum(p *backend.Pool) *atomic.Int64 {
	if s, ok := k.sums.Load(p); ok {
		return s.(*atomic.Int64)
	}
	s, _ := k.sums.LoadOrStore(p, new(atomic.Int64))
	return s.(*atomic.Int64)
}

// unflushedLimit is how much may be kept for one backend.
func (d *Demux) unflushedLimit() int64 {
	if n := d.routes.Load().cfg.UnflushedLimit; n > 0 {
		return n
	}
	return defaultUnflushed
}

// writesThrough says whether the open's next WRITE has to reach the disk before it is acknowledged: then nothing of it
// is kept.
func (o *open) writesThrough(pool *backend.Pool) bool {
	return o.tree.share.StrictAcknowledge || o.tree.demux.kept.sum(pool).Load() > 2*o.tree.demux.unflushedLimit()
}

// keep takes over f, in which the data of a WRITE that pool has acknowledged lie at the offset at.
func (o *open) keep(pool *backend.Pool, off uint64, f *transport.Frame, at, size int) {
	o.log(keptWrite{pool: pool, off: off, frame: f, at: at, size: size})
}

// log appends an entry.
func (o *open) log(w keptWrite) {
	d := o.tree.demux
	key := o.key()
	k := &d.kept
	k.mu.Lock()
	f := k.files[key]
	if f == nil {
		if w.frame == nil { // nothing to cut off
			k.mu.Unlock()
			return
		}
		if k.files == nil {
			k.files = map[keptKey]*keptFile{}
		}
		f = &keptFile{key: key, born: time.Now()}
		k.files[key] = f
	}
	f.seq++
	w.seq, f.by, f.name = f.seq, o, o.Name()
	f.log = append(f.log, w)
	k.mu.Unlock()
	if k.sum(w.pool).Add(int64(w.size)) > d.unflushedLimit() {
		k.wake()
	}
}

// wake has the flusher look at once.
func (k *keptWrites) wake() {
	select {
	case k.due <- struct{}{}:
	default:
	}
}

// mark is how far the log of the open's file goes: what a FLUSH that is sent now covers.
func (o *open) mark() uint64 {
	k := &o.tree.demux.kept
	key := o.key()
	k.mu.Lock()
	defer k.mu.Unlock()
	if f := k.files[key]; f != nil {
		return f.seq
	}
	return 0
}

// flushed gives up what of a file was kept up to a mark: it is on disk wherever it was written.
func (k *keptWrites) flushed(key keptKey, upto uint64) {
	k.mu.Lock()
	f := k.files[key]
	if f == nil || upto == 0 {
		k.mu.Unlock()
		return
	}
	n := 0
	for n < len(f.log) && f.log[n].seq <= upto {
		n++
	}
	gone := append([]keptWrite(nil), f.log[:n]...)
	rest := copy(f.log, f.log[n:])
	clear(f.log[rest:])
	f.log = f.log[:rest]
	f.born = time.Now()
	if rest == 0 {
		k.dropLocked(f)
	}
	k.mu.Unlock()
	k.release(gone)
}

// renamed follows a file, or what is below a directory, to its new path in the space of names.
func (k *keptWrites) renamed(space, from, to string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.files {
		path, stream := splitStream(f.name)
		if below(path, from) && f.by.tree.share.space() == space {
			f.name = to + path[len(from):] + stream
		}
	}
}

// dropLocked takes a file out of the table.
func (k *keptWrites) dropLocked(f *keptFile) {
	delete(k.files, f.key)
	if len(f.lost) > 0 {
		k.anyLost.Add(-1)
	}
}

// fail has the next FLUSH, WRITE or CLOSE of a file fail: bytes that were acknowledged are gone.
func (k *keptWrites) fail(key keptKey) {
	k.forget(key)
	if _, twice := k.failures.LoadOrStore(key, struct{}{}); !twice {
		k.failed.Add(1)
	}
}

// failsOnce says whether the request at hand is the one to tell a client that bytes of the file are gone.
func (o *open) failsOnce() bool {
	k := &o.tree.demux.kept
	if k.failed.Load() == 0 || !o.arbitrated {
		return false
	}
	_, ok := k.failures.LoadAndDelete(o.key())
	if ok {
		k.failed.Add(-1)
	}
	return ok
}

// release gives the frames back.
func (k *keptWrites) release(gone []keptWrite) {
	for _, w := range gone {
		k.sum(w.pool).Add(-int64(w.size))
		if w.frame != nil {
			w.frame.Release()
		}
	}
}

// forget gives up all that is kept of a file: it has been truncated to nothing, or deleted.
func (k *keptWrites) forget(key keptKey) {
	k.mu.Lock()
	f := k.files[key]
	var gone []keptWrite
	if f != nil {
		gone = f.log
		k.dropLocked(f)
	}
	k.mu.Unlock()
	k.release(gone)
}

// keepOp keeps what a WRITE carried that its backend has just acknowledged, or notes that one has set the end of a file.
// It takes the saved message over.
func (p *op) keepOp(reply *smb2.Header) {
	if reply.Status != ntstatus.Success || !p.open.arbitrated {
		return
	}
	msg := p.saved()
	if msg == nil {
		return
	}
	switch reply.Command {
	case smb2.CommandWrite:
		var m smb2.WriteRequest
		if m.Decode(msg) != nil || m.Offset == appendOffset {
			return
		}
		through := m.Flags&smb2.WriteFlagWriteThrough != 0 || p.open.options&smb2.FileWriteThrough != 0
		if through && p.open.mark() == 0 { // else older bytes are kept, which must not come after these
			return
		}
		f := p.large
		if p.large = nil; f == nil {
			f = transport.NewFrame(len(msg))
			f.SetBytes(append(f.Bytes(), msg...))
		}
		p.open.keep(p.at.pool, m.Offset, f, int(binary.LittleEndian.Uint16(f.Bytes()[smb2.HeaderSize+2:])), len(m.Data))
	case smb2.CommandSetInfo:
		var m smb2.SetInfoRequest
		var end smb2.FileEndOfFileInfo
		if m.Decode(msg) == nil && m.InfoType == smb2.InfoFile && m.FileInfoClass == smb2.FileEndOfFileInformation && end.Decode(m.Buffer) == nil {
			p.open.log(keptWrite{pool: p.at.pool, off: end.EndOfFile})
		}
	case smb2.CommandFlush:
		p.open.tree.demux.kept.flushed(p.open.key(), p.upto)
	default:
	}
}
