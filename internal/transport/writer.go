package transport

import (
	"errors"
	"net"
	"os"
	"time"
)

// writeMax is how much one write of the writer offers at most, so that progress
// shows within the timeout also on a slow line.
const writeMax = 256 << 10

// write is the writer goroutine: it runs from the moment the socket is full
// until the queue is empty, and is waited for by Close.
func (c *Conn) write() {
	defer c.tx.writer.Done()
	for {
		b, until := c.nextPiece()
		if b == nil {
			return
		}
		n, err := 0, c.nc.SetWriteDeadline(until)
		if err == nil {
			n, err = c.road.writeWait(b[:min(len(b), writeMax)])
		}
		if n > 0 {
			c.written(n)
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = ErrWriteTimeout
			}
			_ = c.abort(err)
			return
		}
	}
}

// nextPiece returns the bytes at the queue's head and until when some of them
// have to be gone, or nil if the writer is done; then it has left the state
// writing.
func (c *Conn) nextPiece() ([]byte, time.Time) {
	s := &c.tx
	s.mu.Lock()
	if s.err == nil && s.head < len(s.queue) {
		b, until := s.queue[s.head].bytes, time.Now().Add(c.opt.WriteTimeout)
		if s.ending && s.endBy.Before(until) {
			until = s.endBy
		}
		s.mu.Unlock()
		return b, until
	}
	ending := s.ending && s.err == nil
	if s.err == nil {
		// The deadline would also end nonblocking writes. An error means that
		// the socket is closed, which the next write finds out.
		_ = c.nc.SetWriteDeadline(time.Time{})
	}
	s.queue, s.head = s.queue[:0], 0
	s.writing = false
	s.mu.Unlock()
	if ending {
		c.finish()
	}
	return nil, time.Time{}
}

// written takes n bytes off the queue's head.
func (c *Conn) written(n int) {
	s := &c.tx
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return // fail has emptied the queue
	}
	p := &s.queue[s.head]
	p.bytes = p.bytes[n:]
	if len(p.bytes) == 0 {
		p.buf.release()
		*p = piece{}
		s.head++
	}
	if s.queued.Add(-int64(n)) <= c.lowMark() {
		s.wakeLocked()
	}
}

// wakeLocked wakes WaitDrained.
func (s *sendState) wakeLocked() {
	if s.drained != nil {
		close(s.drained)
		s.drained = nil
	}
}

// fail ends the sending half for good; the first reason stays. The piece the
// writer is at is left to it by not reusing its memory: see releaseLocked.
func (s *sendState) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = err
	s.releaseLocked()
	s.wakeLocked()
}

// releaseLocked gives back what is queued and held. While the writer runs it
// may be within a write of the head, whose buffer then is left to the garbage
// collector.
func (s *sendState) releaseLocked() {
	for i := s.head; i < len(s.queue); i++ {
		if i > s.head || !s.writing {
			s.queue[i].buf.release()
		}
	}
	s.queue, s.head = nil, 0
	s.queued.Store(0)
	if s.held != nil {
		s.held.release()
		s.held, s.heldLen = nil, 0
	}
}

// cause is why the sending half has ended, nil if it has not.
func (s *sendState) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// beginFinish makes later Sends fail and tells whether nothing is left to be
// written, so that finish is due now.
func (s *sendState) beginFinish(c *Conn, by time.Time) bool {
	c.flush()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.ending {
		return false
	}
	s.ending, s.endBy = true, by
	return !s.writing
}

// flushed notes that the last byte is out and tells whether Serve runs and will
// close the socket.
func (s *sendState) flushed() (serving bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if !s.serving && s.err == nil {
		s.err = net.ErrClosed
	}
	return s.serving
}

// enterServe and leaveServe bracket Serve; leaveServe tells whether the socket
// is to be closed now.
func (s *sendState) enterServe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving = true
}

func (s *sendState) leaveServe() (closing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving = false
	if s.ended && s.err == nil {
		s.err = net.ErrClosed
	}
	return s.ended
}
