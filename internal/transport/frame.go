package transport

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	// HeadRoom is how many bytes before a frame's first message byte are free
	// to be written: the transport's length (4), a TRANSFORM_HEADER (52), spare.
	HeadRoom = 64
	// TailRoom is how many bytes behind a frame's last message byte exist. They
	// may belong to the next frame: who writes them puts them back.
	TailRoom = 16
)

// Frame is one SMB2 frame: the bytes of its message or compounded messages,
// plain, with HeadRoom before and TailRoom behind. A frame from NewFrame or
// Detach is owned and reference counted; one given to Serve's callback is
// borrowed until the callback returns. Not safe for concurrent use, apart from
// Retain and Release.
type Frame struct {
	buf   *buffer
	off   int // message bytes are buf.data[off:end]
	end   int
	limit int // append may use buf.data up to here
	refs  atomic.Int32

	sessionID uint64 // of the TRANSFORM_HEADER, if sealed
	sealed    bool

	// Of borrowed frames only:
	reader *Conn // whose Serve lends it; nil for an owned frame
	more   bool  // complete frames lie behind it in the read buffer
	alone  bool  // nothing lies behind it: buf may be taken over
}

// frames are the Frame structs of owned frames.
var frames = sync.Pool{New: func() any { return new(Frame) }}

// NewFrame returns an owned, empty frame that takes capacity bytes without
// growing.
func NewFrame(capacity int) *Frame {
	return ownFrame(getBuffer(HeadRoom + capacity + TailRoom))
}

// ownFrame makes an empty owned frame that takes over the caller's reference to
// buf.
func ownFrame(buf *buffer) *Frame {
	f := frames.Get().(*Frame)
	f.buf, f.off, f.end, f.limit = buf, HeadRoom, HeadRoom, len(buf.data)-TailRoom
	f.sessionID, f.sealed = 0, false
	f.refs.Store(1)
	return f
}

// Bytes are the message bytes. Their capacity is what append may use in place.
func (f *Frame) Bytes() []byte { return f.buf.data[f.off:f.end:f.limit] }

// Len is len(f.Bytes()).
func (f *Frame) Len() int { return f.end - f.off }

// SetBytes makes b the message bytes. b is f.Bytes() resliced (also from the
// front, which adds head room) or appended to; if it is another array, because
// append had to grow it, the bytes are copied into a larger buffer.
func (f *Frame) SetBytes(b []byte) {
	if cap(b) == 0 {
		f.end = f.off
		return
	}
	if off := f.limit - cap(b); off >= HeadRoom && unsafe.SliceData(b) == &f.buf.data[off] {
		f.off, f.end = off, off+len(b)
		return
	}
	buf := getBuffer(HeadRoom + len(b) + TailRoom)
	copy(buf.data[HeadRoom:], b)
	if f.reader == nil || f.buf != f.reader.rd.buf {
		f.buf.release()
	}
	f.buf, f.off, f.end, f.limit = buf, HeadRoom, HeadRoom+len(b), len(buf.data)-TailRoom
	f.alone = true
}

// Sealed tells whether the frame arrived in a TRANSFORM_HEADER, and its
// SessionId ([MS-SMB2] 2.2.41).
func (f *Frame) Sealed() (sessionID uint64, ok bool) { return f.sessionID, f.sealed }

// Detach returns an owned frame that outlives the callback; release it. From
// then on use the result and not f, whose bytes it may share. Of an owned frame
// it is one more reference.
func (f *Frame) Detach() *Frame {
	if f.reader == nil {
		f.Retain()
		return f
	}
	var d *Frame
	if f.alone {
		f.buf.retain()
		d = ownFrame(f.buf)
		d.off, d.end = f.off, f.end
	} else {
		d = NewFrame(f.Len())
		d.end = d.off + copy(d.buf.data[d.off:], f.Bytes())
	}
	d.sessionID, d.sealed = f.sessionID, f.sealed
	return d
}

// Retain adds a reference to an owned frame. A borrowed one cannot be kept this
// way; Detach it.
func (f *Frame) Retain() {
	if f.reader == nil {
		f.refs.Add(1)
	}
}

// Release drops a reference to an owned frame; with the last one the bytes are
// gone. Of a borrowed frame it does nothing.
func (f *Frame) Release() {
	if f.reader != nil {
		return
	}
	switch n := f.refs.Add(-1); {
	case n > 0:
		return
	case n < 0:
		panic("transport: frame released twice")
	}
	f.buf.release()
	f.buf = nil
	if !poison.Load() {
		frames.Put(f)
	}
}

// shared returns a reference to the buffer that keeps the frame's bytes beyond
// the frame's life, or nil if other frames lie in it.
func (f *Frame) shared() *buffer {
	if f.reader != nil && !f.alone {
		return nil
	}
	f.buf.retain()
	return f.buf
}
