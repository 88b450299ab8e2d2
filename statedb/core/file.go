package core

import (
	"sync/atomic"

	"smbproxy/internal/smb2"
)

// file is an open file, directory or stream: what has share modes, leases and locks.
type file struct {
	key     FileKey
	stream  string // folded, "" for the file itself
	base    *file  // of a stream; nil for the file itself
	streams []*file
	dir     bool

	first       *open // list by fileNext, oldest first
	last        *open
	count       int32 // opens here; a base counts its streams' opens in streamOpens
	streamOpens int32
	stats       int32 // of count: with leaseStatAccess at most

	share  shareCount
	caches cacheCount
	leases []*lease // that have opens here
	locks  *locks   // nil until the first lock
	hint   Hint

	waiters []*waiter // of opens, renames and dispositions, in order of arrival
	dirty   bool      // is on State.dirty

	deletePending bool
	deleter       OpenID // the open that asked for it
	unlinking     bool   // deleted at the backend right now
	gone          bool   // ... and that has worked
	intent        OpenID // persistent open whose record stays until then
	rare          *rare  // nil: none
}

// rare is what only streams and files that are to be deleted have.
type rare struct {
	spelt       string  // the stream as it was spelt
	deleteUnder LeaseID // parentLease of deleter
}

// more returns the file's rare, making it.
func (f *file) more() *rare {
	if f.rare == nil {
		f.rare = &rare{}
	}
	return f.rare
}

// Hint is what a READ or WRITE looks at before it takes the driver's mutex: if no bit
// concerns it, nothing has to be asked. It may be read at any time by anybody.
type Hint struct {
	bits  atomic.Uint32
	heard atomic.Uint64 // State.audience when nobody was found who wants to hear of changes
}

// Bits of a Hint.
const (
	hintLocks uint32 = 1 << iota // the file has byte-range locks: CheckIO
	hintRead                     // somebody caches reads: a write must Contend
)

// Locked says whether READ and WRITE must ask CheckIO.
func (h *Hint) Locked() bool { return h.bits.Load()&hintLocks != 0 }

// ReadCached says whether a change of the data must be told with Contend. It is also set
// when only the changing open's own lease caches: Contend knows.
func (h *Hint) ReadCached() bool { return h.bits.Load()&hintRead != 0 }

// set changes one bit.
func (h *Hint) set(bit uint32, on bool) {
	old := h.bits.Load()
	if on != (old&bit != 0) {
		h.bits.Store(old ^ bit)
	}
}

// file finds or makes the file of an identity.
func (s *State) file(key FileKey, stream string, dir bool) *file {
	b := s.files[key]
	if b == nil {
		b = &file{key: key, dir: dir && stream == ""}
		s.files[key] = b
	}
	if stream == "" {
		return b
	}
	for _, f := range b.streams {
		if f.stream == stream {
			return f
		}
	}
	f := &file{key: key, stream: stream, base: b}
	b.streams = append(b.streams, f)
	return f
}

// find is file without making one.
func (s *State) find(key FileKey, stream string) *file {
	b := s.files[key]
	if b == nil || stream == "" {
		return b
	}
	for _, f := range b.streams {
		if f.stream == stream {
			return f
		}
	}
	return nil
}

// drop forgets a file that nothing refers to any more.
func (s *State) drop(f *file) {
	if f.count > 0 || f.streamOpens > 0 || len(f.streams) > 0 || len(f.waiters) > 0 || f.unlinking {
		return
	}
	if f.base == nil {
		delete(s.files, f.key)
		return
	}
	for i, x := range f.base.streams {
		if x == f {
			f.base.streams = append(f.base.streams[:i], f.base.streams[i+1:]...)
			break
		}
	}
	s.drop(f.base)
}

// join puts an open at the end of the file's list and counts it.
func (f *file) join(o *open) {
	o.file, o.filePrev, o.fileNext = f, f.last, nil
	if f.last != nil {
		f.last.fileNext = o
	} else {
		f.first = o
	}
	f.last = o
	f.count++
	if o.access&^leaseStatAccess == 0 {
		f.stats++
	}
	if f.base != nil {
		f.base.streamOpens++
	}
	f.share.add(o, 1)
}

// quit takes it off.
func (f *file) quit(o *open) {
	if o.filePrev != nil {
		o.filePrev.fileNext = o.fileNext
	} else {
		f.first = o.fileNext
	}
	if o.fileNext != nil {
		o.fileNext.filePrev = o.filePrev
	} else {
		f.last = o.filePrev
	}
	o.filePrev, o.fileNext = nil, nil
	f.count--
	if o.access&^leaseStatAccess == 0 {
		f.stats--
	}
	if f.base != nil {
		f.base.streamOpens--
	}
	f.share.add(o, -1)
}

// touch has the waiters of a file, of its base and of its streams looked at again.
func (s *State) touch(f *file) {
	if f.base != nil {
		f = f.base
	}
	s.mark(f)
	for _, x := range f.streams {
		s.mark(x)
	}
}

// mark puts one file on the list of those to be looked at.
func (s *State) mark(f *file) {
	if len(f.waiters) > 0 && !f.dirty {
		f.dirty = true
		s.dirty = append(s.dirty, f)
	}
}

// open is one open of a file. What few opens have stands in extra.
type open struct {
	id      OpenID
	file    *file
	node    *node
	session *session // nil while disconnected
	lease   *lease
	extra   *extra

	fileNext, filePrev *open
	nodeNext, nodePrev *open
	sessNext, sessPrev *open

	oplock holder // when lease is nil
	access smb2.AccessMask
	locks  int32 // byte-range locks held
	share  uint8 // smb2.ShareAccess
	flags  openFlags
}

// openFlags are properties of an open.
type openFlags uint8

// Values of openFlags.
const (
	deleteOnClose openFlags = 1 << iota // FILE_DELETE_ON_CLOSE was asked for
	isLeased                            // answered with a lease
	isDisconnected
)

// extra is what only some opens have.
type extra struct {
	durable *durable
	watch   *watch
	seq     *[lockSequences]uint8
	app     *appInstance
	create  *create // CREATE that may still be replayed
	pends   int32   // blocking locks that wait

	leaseNext, leasePrev *open
}

// more returns the open's extra, making it.
func (o *open) more() *extra {
	if o.extra == nil {
		o.extra = &extra{}
	}
	return o.extra
}

// watch returns the open's notification registration or nil.
func (o *open) watch() *watch {
	if o.extra == nil {
		return nil
	}
	return o.extra.watch
}

// durable returns the open's durable state or nil.
func (o *open) durable() *durable {
	if o.extra == nil {
		return nil
	}
	return o.extra.durable
}

// gone says whether the open is disconnected.
func (o *open) gone() bool { return o.flags&isDisconnected != 0 }
