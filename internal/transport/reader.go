package transport

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

const (
	// readSize is the read buffer's length: small enough to stay in the cache,
	// large enough for a whole READ or WRITE of 64 KiB.
	readSize = 72 << 10
	// firstByte is where reading starts, so that the first message has HeadRoom.
	firstByte = HeadRoom - prefixSize
	// growth bounds the memory a peer can claim by a frame's length alone: the
	// buffer is at most so many times what has arrived of the frame.
	growth = 32
	// takeOver is the shortest frame for which a whole read buffer is given
	// away by Detach or the queue.
	takeOver = 16 << 10
	// lowWaterMin and lowWaterMax bound what SO_RCVLOWAT is set to: below, one
	// wake-up more costs less than the two system calls.
	lowWaterMin = 64 << 10
	lowWaterMax = 1 << 20
)

// NetBIOS session packet types, RFC 1002 4.3.1. Direct TCP ([MS-SMB2] 2.1) knows
// only the first; keepalives are harmless and come from old clients.
const (
	packetMessage   = 0x00
	packetKeepalive = 0x85
)

// reader is the receiving half, used by Serve's goroutine alone except for
// dirty.
type reader struct {
	buf   *buffer // nil while there is nothing to read
	start int     // the first byte not worked off, a prefix
	end   int     // the first free byte
	stop  int     // reading ends here: the buffer's end, or the frame's if it has the buffer alone
	frame Frame   // the one that is lent to the callback

	stopped atomic.Bool // Serve's context has ended
	closing atomic.Bool // CloseAfterFlush was called: nothing is delivered any more

	dirtyMu sync.Mutex
	dirty   []*Conn // connections that hold sends back until this batch is done
}

// space returns where to read to; never empty.
func (r *reader) space() []byte {
	if r.buf == nil {
		r.buf = getBuffer(readSize)
		r.start, r.end, r.stop = firstByte, firstByte, len(r.buf.data)-TailRoom
	}
	return r.buf.data[r.end:r.stop]
}

// idle is called when nothing can be read. It returns how many bytes are worth
// waking up for and gives back an empty buffer.
func (r *reader) idle() (lowWater int) {
	if r.buf == nil {
		return 1
	}
	if r.start == r.end {
		r.drop()
		return 1
	}
	if missing := r.start + r.need() - r.end; missing >= lowWaterMin {
		return min(missing, lowWaterMax)
	}
	return 1
}

// drop gives the buffer back.
func (r *reader) drop() {
	if r.buf != nil {
		r.buf.release()
		r.buf = nil
		r.start, r.end = 0, 0
	}
}

// need is the length of the frame at start with its prefix, or the prefix's if
// not even that is there.
func (r *reader) need() int {
	if r.end-r.start < prefixSize {
		return prefixSize
	}
	return prefixSize + r.length(r.start)
}

// length is what the prefix at p says.
func (r *reader) length(p int) int {
	return int(binary.BigEndian.Uint32(r.buf.data[p:]) & maxStream)
}

// complete tells whether a whole frame lies at p.
func (r *reader) complete(p int) bool {
	return r.end-p > prefixSize && r.buf.data[p] == packetMessage && r.end-p-prefixSize >= r.length(p)
}

// arrange makes room for the rest of the frame at start, after all complete ones
// are worked off.
func (r *reader) arrange() {
	have := r.end - r.start
	if have == 0 {
		if len(r.buf.data) != readSize || r.buf.refs.Load() > 1 {
			r.drop()
			return
		}
		r.start, r.end = firstByte, firstByte
		return
	}
	need := r.need()
	if r.start+need <= r.stop {
		return
	}
	room := len(r.buf.data) - TailRoom - firstByte
	switch {
	case need <= room || have < room && have*growth < need:
		copy(r.buf.data[firstByte:], r.buf.data[r.start:r.end])
	default:
		want := min(need, have*growth)
		buf := getBuffer(firstByte + want + TailRoom)
		copy(buf.data[firstByte:], r.buf.data[r.start:r.end])
		r.buf.release()
		r.buf = buf
		r.stop = firstByte + min(need, len(buf.data)-TailRoom-firstByte)
	}
	r.start, r.end = firstByte, firstByte+have
}

// serve is the loop of Serve.
func (c *Conn) serve(fn func(*Frame) error) error {
	for {
		n, err := c.road.read()
		c.rd.end += n
		if n > 0 {
			if err := c.batch(fn); err != nil {
				return err
			}
			c.rd.arrange()
		}
		if errors.Is(err, io.EOF) && c.rd.end > c.rd.start {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
}

// batch works off the complete frames in the buffer and then lets go what was
// held back meanwhile.
func (c *Conn) batch(fn func(*Frame) error) error {
	held := false
	var err error
	for err == nil && c.rd.end-c.rd.start >= prefixSize {
		var n int
		if n, err = c.check(); err != nil || c.rd.end-c.rd.start < prefixSize+n {
			break
		}
		if n == 0 { // a keepalive
			c.rd.start += prefixSize
			continue
		}
		more := c.rd.complete(c.rd.start + prefixSize + n)
		if more != held {
			c.tx.holding.Store(more)
		}
		held = held || more
		err = c.deliver(n, more, fn)
	}
	if held {
		c.tx.holding.Store(false)
		c.flushHeld()
	}
	return err
}

// check looks at the prefix at start and returns the frame's length, 0 for a
// keepalive.
func (c *Conn) check() (int, error) {
	n := c.rd.length(c.rd.start)
	switch c.rd.buf.data[c.rd.start] {
	case packetMessage:
		if n == 0 {
			return 0, ErrProtocol
		}
		if n > int(c.maxFrame.Load())+transformSize {
			return 0, ErrFrameTooLarge
		}
		return n, nil
	case packetKeepalive:
		if n == 0 {
			return 0, nil
		}
	}
	return 0, ErrProtocol
}

// deliver lends the frame of n bytes at start to fn and takes it back.
func (c *Conn) deliver(n int, more bool, fn func(*Frame) error) error {
	r, f := &c.rd, &c.rd.frame
	if r.stopped.Load() || r.closing.Load() {
		return net.ErrClosed // Serve knows better if it was its context
	}
	first := r.start
	r.start += prefixSize + n
	f.buf, f.off, f.end, f.limit = r.buf, first+prefixSize, r.start, r.start
	f.sealed, f.sessionID = false, 0
	f.more, f.alone = more, r.start == r.end && n >= takeOver

	err := c.open(f)
	if err == nil {
		err = fn(f)
	}
	if f.buf != r.buf {
		f.buf.release() // SetBytes had to grow it
	}
	f.buf = nil
	if poison.Load() && r.buf.refs.Load() == 1 {
		fill(r.buf.data[first:r.start])
	}
	return err
}

// hold notes that to keeps bytes back until this connection's batch is done.
func (r *reader) hold(to *Conn) {
	r.dirtyMu.Lock()
	defer r.dirtyMu.Unlock()
	for _, c := range r.dirty {
		if c == to {
			return
		}
	}
	r.dirty = append(r.dirty, to)
}

// flushHeld writes what c itself and the connections that frames of this batch
// went to keep back. Any goroutine may call it.
func (c *Conn) flushHeld() {
	c.flush()
	r := &c.rd
	for {
		r.dirtyMu.Lock()
		if len(r.dirty) == 0 {
			r.dirtyMu.Unlock()
			return
		}
		last := len(r.dirty) - 1
		to := r.dirty[last]
		r.dirty[last] = nil
		r.dirty = r.dirty[:last]
		r.dirtyMu.Unlock()
		to.flush()
	}
}
