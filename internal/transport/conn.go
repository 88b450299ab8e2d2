package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"smbproxy/crypto"
)

// Options of a connection. The zero value takes frames of any length, no
// encrypted ones, and the defaults below.
type Options struct {
	// MaxFrame is the longest message (or compound) taken from the peer, in
	// bytes without prefix and TRANSFORM_HEADER; a longer one ends the
	// connection. 0: no limit but the stream protocol's 16 MiB. SetMaxFrame
	// changes it.
	MaxFrame uint32
	// Opener returns the key for a TRANSFORM_HEADER's SessionId, or nil, which
	// ends the connection. Called on Serve's goroutine.
	Opener func(sessionID uint64) *crypto.Sealer
	// QueueLimit is how many bytes may wait for a slow peer before the
	// connection is closed; 0: 16 MiB. A single frame may always wait.
	QueueLimit int
	// WriteTimeout closes the connection when the queue made no progress for so
	// long; 0: 30 s. It also bounds CloseAfterFlush as a whole.
	WriteTimeout time.Duration
}

// Defaults of Options.
const (
	defaultQueueLimit   = 16 << 20
	defaultWriteTimeout = 30 * time.Second
)

// linger is how long CloseAfterFlush goes on reading (and throwing away) after
// the last byte is out: closing a socket with unread bytes sends a reset, which
// can take the final reply from the peer.
const linger = time.Second

// Conn is one SMB connection. Send, Close and the rest may be called from
// anywhere; Serve once.
type Conn struct {
	nc       net.Conn
	road     road
	opt      Options
	maxFrame atomic.Uint32

	rd reader
	tx sendState
	// writeQueue is the method write, bound once: a go statement with it does
	// not allocate.
	writeQueue func()

	// deadlineMu guards interrupted and the setting of read deadlines, so that
	// a deadline set late cannot undo the end of Serve's context.
	deadlineMu  sync.Mutex
	interrupted bool
}

// NewConn takes over nc.
func NewConn(nc net.Conn, opt Options) *Conn {
	if opt.QueueLimit <= 0 {
		opt.QueueLimit = defaultQueueLimit
	}
	if opt.WriteTimeout <= 0 {
		opt.WriteTimeout = defaultWriteTimeout
	}
	c := &Conn{nc: nc, opt: opt}
	c.SetMaxFrame(opt.MaxFrame)
	c.rd.frame.reader = c
	c.writeQueue = c.write
	c.road = newRoad(nc, &c.rd)
	return c
}

// SetMaxFrame changes Options.MaxFrame from the next frame on.
func (c *Conn) SetMaxFrame(n uint32) {
	if n == 0 || n > maxStream {
		n = maxStream
	}
	c.maxFrame.Store(n)
}

// SetReadDeadline makes Serve fail with os.ErrDeadlineExceeded if it still waits
// for bytes at t; the zero time takes it back. Frames being worked on are not
// interrupted.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.deadlineMu.Lock()
	defer c.deadlineMu.Unlock()
	if c.interrupted {
		return nil
	}
	return c.nc.SetReadDeadline(t)
}

// interrupt makes every read fail from now on.
func (c *Conn) interrupt() {
	c.deadlineMu.Lock()
	defer c.deadlineMu.Unlock()
	c.interrupted = true
	c.rd.stopped.Store(true)
	// An error means that the socket is closed, and then nobody waits.
	_ = c.nc.SetReadDeadline(time.Unix(1, 0))
}

// RemoteAddr is the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// LocalAddr is our end's address.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// wrap says which connection an error is about.
func (c *Conn) wrap(err error) error {
	return fmt.Errorf("connection with %v: %w", c.nc.RemoteAddr(), err)
}

// Serve reads frames and calls fn with them, one at a time, in order, on this
// goroutine. The frame is borrowed: valid until fn returns. Serve returns when
// the peer closes, on the first error (also fn's), when ctx ends, and when the
// connection is closed; always with an error, which wraps the cause. It does not
// close the connection, unless CloseAfterFlush was called.
func (c *Conn) Serve(ctx context.Context, fn func(f *Frame) error) error {
	stop := context.AfterFunc(ctx, c.interrupt)
	defer stop()
	c.tx.enterServe()
	defer c.leaveServe()
	defer c.rd.drop()

	err := c.serve(fn)
	if c.rd.closing.Load() {
		_, _ = io.Copy(io.Discard, c.nc) // until the peer closes or the deadline
	}
	closed := errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe)
	cause := c.tx.cause()
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case closed && cause != nil:
		err = cause
	case c.rd.closing.Load() && (closed || errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded)):
		err = net.ErrClosed
	}
	return c.wrap(err)
}

// leaveServe closes the socket if CloseAfterFlush left that to Serve.
func (c *Conn) leaveServe() {
	if c.tx.leaveServe() {
		_ = c.nc.Close() // nothing is left to lose
	}
}

// Close ends the connection at once; what is queued is lost. It waits for the
// writer and may be called more than once and from anywhere, fn included.
func (c *Conn) Close() error {
	c.tx.fail(net.ErrClosed)
	err := c.nc.Close()
	c.tx.writer.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// CloseAfterFlush ends the connection once what was sent so far has reached the
// socket, or after Options.WriteTimeout; it does not wait. Later Sends fail.
// Serve, if it runs, throws away what still comes and returns when the peer has
// closed, after a second at the latest; so call it before Serve returns, lest
// unread bytes turn the close into a reset that overtakes the last reply.
func (c *Conn) CloseAfterFlush() {
	c.rd.closing.Store(true)
	if c.tx.beginFinish(c, time.Now().Add(c.opt.WriteTimeout)) {
		c.finish()
	}
}

// finish runs when the queue of a connection that is to be closed is empty.
func (c *Conn) finish() {
	serving := c.tx.flushed()
	if w, ok := c.nc.(interface{ CloseWrite() error }); ok && serving {
		_ = w.CloseWrite() // fails if the peer is gone, and then reading fails too
		_ = c.SetReadDeadline(time.Now().Add(linger))
		return
	}
	_ = c.nc.Close() // nothing is left to lose
}
