package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestCloseAfterFlush holds that the final reply reaches a peer that has sent
// more than was read, and one that reads late; that Serve delivers nothing
// more; and that later sends fail.
func TestCloseAfterFlush(t *testing.T) {
	for _, road := range roads[:2] { // a pipe has no buffer, so nobody could write more
		for _, size := range []int{100, 12 << 20} {
			t.Run(road.name, func(t *testing.T) {
				peer, ours := road.pair(t)
				c := NewConn(ours, Options{})
				want := message(size, 9)
				// A second request lies unread in the socket when the first
				// is answered.
				if _, err := peer.Write(stream(message(64, 1), message(64, 2))); err != nil {
					t.Fatal(err)
				}
				served := make(chan error)
				go func() {
					n := 0
					served <- c.Serve(context.Background(), func(*Frame) error {
						if n++; n > 1 {
							t.Error("delivered after CloseAfterFlush")
						}
						f := frameOf(want)
						if err := c.Send(f, nil, 0); err != nil {
							t.Error(err)
						}
						f.Release()
						c.CloseAfterFlush()
						f = frameOf(want)
						if err := c.Send(f, nil, 0); !errors.Is(err, net.ErrClosed) {
							t.Errorf("Send afterwards: %v", err)
						}
						f.Release()
						return nil
					})
				}()
				if _, err := peer.Write(stream(message(300_000, 3))); err != nil {
					t.Fatal(err)
				}
				got, err := readFrame(peer)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("final reply: %d bytes, %v", len(got), err)
				}
				if _, err := readFrame(peer); !errors.Is(err, io.EOF) {
					t.Errorf("after the final reply: got %v, want EOF", err)
				}
				peer.Close()
				if err := <-served; !errors.Is(err, net.ErrClosed) {
					t.Errorf("Serve: %v", err)
				}
				c.Close()
			})
		}
	}
}

// TestCloseAfterFlushUnserved closes without a Serve.
func TestCloseAfterFlushUnserved(t *testing.T) {
	for _, road := range roads {
		t.Run(road.name, func(t *testing.T) {
			peer, ours := road.pair(t)
			c := NewConn(ours, Options{})
			f := frameOf(message(10<<20, 1))
			if err := c.Send(f, nil, 0); err != nil {
				t.Fatal(err)
			}
			f.Release()
			c.CloseAfterFlush()
			c.CloseAfterFlush()
			if got, err := readFrame(peer); err != nil || !bytes.Equal(got, message(10<<20, 1)) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			if _, err := readFrame(peer); !errors.Is(err, io.EOF) {
				t.Errorf("got %v, want EOF", err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCloseAfterFlushTimeout does not wait for ever for a peer that does not
// read.
func TestCloseAfterFlushTimeout(t *testing.T) {
	for _, road := range roads {
		t.Run(road.name, func(t *testing.T) {
			_, ours := road.pair(t)
			c := NewConn(ours, Options{WriteTimeout: 20 * time.Millisecond, QueueLimit: 1 << 30})
			f := frameOf(message(16<<20-100, 1)) // more than the sockets hold
			if err := c.Send(f, nil, 0); err != nil {
				t.Fatal(err)
			}
			f.Release()
			c.CloseAfterFlush()
			err := c.Serve(context.Background(), nil)
			if !errors.Is(err, ErrWriteTimeout) && !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v", err)
			}
			c.Close()
		})
	}
}

// TestCloseAfterFlushBound holds that a peer that takes a little now and then
// cannot stretch the end beyond WriteTimeout, while without an end it may.
func TestCloseAfterFlushBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, ours := net.Pipe()
		c := NewConn(ours, Options{WriteTimeout: time.Second, QueueLimit: 1 << 30})
		f := frameOf(message(1<<20, 1))
		if err := c.Send(f, nil, 0); err != nil {
			t.Fatal(err)
		}
		f.Release()
		reads := func(n int) (err error) {
			for range n {
				time.Sleep(900 * time.Millisecond) //nolint:forbidigo // synctest: no real time passes
				if _, err = peer.Read(make([]byte, 1000)); err != nil {
					return err
				}
			}
			return nil
		}
		if err := reads(5); err != nil {
			t.Errorf("a slow peer is closed: %v", err)
		}
		c.CloseAfterFlush()
		start := time.Now()
		if err := reads(5); err == nil {
			t.Errorf("%v after CloseAfterFlush the peer still reads", time.Since(start))
		}
		c.Close()
	})
}
