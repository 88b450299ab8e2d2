package transport

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"smbproxy/crypto"
)

const (
	// holdMax is the longest frame that is held back and copied, and chunkSize
	// what is gathered of them at most: also the size of the pieces in which
	// small frames are queued.
	holdMax   = 8 << 10
	chunkSize = 64 << 10
	// referMin is the shortest rest of a frame that is queued by reference.
	referMin = 16 << 10
)

// sendState is the sending half.
//
//	          Send                      socket full
//	idle ------------> idle      idle -------------> writing (writer goroutine)
//	     <------------                <-------------
//	       all written                  queue empty
//
// While writing, Send only queues. beginFinish and fail are final.
type sendState struct {
	// mu guards what follows, and the order in which bytes reach the socket: it
	// is held over nonblocking writes, never while waiting for the peer.
	mu      sync.Mutex
	held    *buffer // small frames kept back for a moment, nil if none
	heldLen int
	queue   []piece // what the socket did not take, in order, from head on
	head    int
	writing bool  // the writer goroutine runs and owns the socket's write side
	err     error // why nothing is sent any more
	ending  bool  // CloseAfterFlush was called
	endBy   time.Time
	ended   bool // and the last byte is out
	serving bool
	drained chan struct{} // closed when the queue is short again; nil: nobody waits

	queued  atomic.Int64 // bytes in queue
	holding atomic.Bool  // our own reader is within a batch and will flush
	writer  sync.WaitGroup
}

// piece is a part of the queue: bytes within a buffer it holds a reference to.
type piece struct {
	buf   *buffer
	bytes []byte
	chunk bool // made by the queue, more may be appended
}

// Send writes the frame, encrypted in place if seal is not nil, without ever
// waiting for the peer. What the socket does not take is queued: large rests of
// frames that have their buffer alone by reference, others copied. f's bytes
// belong to the connection afterwards (they may still be read, and are
// scrambled), so the caller of an owned f has only Release left. The order of
// Sends is the order on the wire. An error means that the connection is dead.
//
// A borrowed frame behind which more complete frames wait, and any small frame
// while c's own reader is within such a batch, may be held back until the batch
// is done.
func (c *Conn) Send(f *Frame, seal *crypto.Sealer, sessionID uint64) error {
	b := f.wire(seal, sessionID)
	if b == nil {
		return c.wrap(ErrFrameTooLarge)
	}
	s := &c.tx
	s.mu.Lock()
	if s.err != nil || s.ending {
		err := s.err
		s.mu.Unlock()
		if err == nil {
			err = net.ErrClosed
		}
		return c.wrap(err)
	}
	err := c.sendLocked(f, b)
	s.mu.Unlock()
	if err != nil {
		return c.abort(err)
	}
	return nil
}

// sendLocked decides between holding back, writing and queueing.
func (c *Conn) sendLocked(f *Frame, b []byte) error {
	s := &c.tx
	switch {
	case s.writing:
		return c.enqueueLocked(f, b)
	case len(b) <= holdMax && s.heldLen+len(b) <= chunkSize && (f.more || s.holding.Load()):
		if s.held == nil {
			s.held = getBuffer(chunkSize)
		}
		s.heldLen += copy(s.held.data[s.heldLen:], b)
		if f.more {
			f.reader.rd.hold(c)
		}
		return nil
	}
	return c.writeLocked(f, b)
}

// writeLocked writes what is held back and then b, which is f's, as far as the
// socket takes it, and queues the rest. Nothing is queued before.
func (c *Conn) writeLocked(f *Frame, b []byte) error {
	s := &c.tx
	var held []byte
	if s.held != nil {
		held = s.held.data[:s.heldLen]
	}
	n, err := c.road.write(held, b)
	if err != nil {
		return err
	}
	buf := s.held
	s.held, s.heldLen = nil, 0
	if n < len(held) {
		s.pushLocked(piece{buf: buf, bytes: held[n:]})
		s.queued.Add(int64(len(held) - n))
		n = len(held)
	} else if buf != nil {
		buf.release()
	}
	if rest := b[n-len(held):]; len(rest) > 0 {
		if err := c.enqueueLocked(f, rest); err != nil {
			return err
		}
	}
	if s.head < len(s.queue) {
		s.writing = true
		s.writer.Add(1)
		go c.writeQueue()
	}
	return nil
}

// enqueueLocked queues b, which is f's.
func (c *Conn) enqueueLocked(f *Frame, b []byte) error {
	s := &c.tx
	queued := int(s.queued.Load())
	if queued > 0 && queued+len(b) > c.opt.QueueLimit {
		return ErrQueueFull
	}
	s.queued.Add(int64(len(b)))
	if len(b) >= referMin {
		if buf := f.shared(); buf != nil {
			s.pushLocked(piece{buf: buf, bytes: b})
			return nil
		}
	}
	for len(b) > 0 {
		last := len(s.queue) - 1
		if last < s.head || !s.queue[last].chunk || len(s.queue[last].bytes) == cap(s.queue[last].bytes) {
			buf := getBuffer(max(chunkSize, len(b)))
			s.pushLocked(piece{buf: buf, bytes: buf.data[:0], chunk: true})
			last = len(s.queue) - 1
		}
		p := &s.queue[last]
		n := min(len(b), cap(p.bytes)-len(p.bytes))
		p.bytes = append(p.bytes, b[:n]...)
		b = b[n:]
	}
	return nil
}

// pushLocked appends to the queue. The array is used again and again: what has
// been written is cut off when it is more than half.
func (s *sendState) pushLocked(p piece) {
	if len(s.queue) == cap(s.queue) && s.head > len(s.queue)/2 {
		n := copy(s.queue, s.queue[s.head:])
		clear(s.queue[n:])
		s.queue, s.head = s.queue[:n], 0
	}
	s.queue = append(s.queue, p)
}

// flush writes what is held back.
func (c *Conn) flush() {
	s := &c.tx
	s.mu.Lock()
	var err error
	if s.held != nil && s.err == nil {
		err = c.writeLocked(nil, nil)
	}
	s.mu.Unlock()
	if err != nil {
		_ = c.abort(err)
	}
}

// abort ends the connection because of err and returns it wrapped.
func (c *Conn) abort(err error) error {
	c.tx.fail(err)
	_ = c.nc.Close() // the error that counts is err
	return c.wrap(err)
}

// Queued is how many bytes wait because the peer does not read.
func (c *Conn) Queued() int { return int(c.tx.queued.Load()) }

// lowMark is the queue's length at which WaitDrained returns.
func (c *Conn) lowMark() int64 { return int64(c.opt.QueueLimit) / 8 }

// WaitDrained waits until at most an eighth of QueueLimit is queued, or ctx or
// the connection ends; it returns why. It may be called by the callback of this
// connection's Serve, which is how a client that does not read its replies is
// kept from asking for more: what the batch holds back is written first.
func (c *Conn) WaitDrained(ctx context.Context) error {
	c.flushHeld()
	s := &c.tx
	s.mu.Lock()
	if s.err != nil || s.queued.Load() <= c.lowMark() {
		defer s.mu.Unlock()
		return s.err
	}
	if s.drained == nil {
		s.drained = make(chan struct{})
	}
	drained := s.drained
	s.mu.Unlock()
	select {
	case <-drained:
		return s.cause()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
