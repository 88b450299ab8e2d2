package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"
)

// TestSendConcurrent sends from several goroutines frames of all sizes, owned
// ones and relayed ones, to a peer that reads in small pieces: each arrives
// whole, and those of one sender in their order.
func TestSendConcurrent(t *testing.T) {
	const senders, each = 4, 60
	for _, road := range roads {
		t.Run(road.name, func(t *testing.T) {
			peer, ours := road.pair(t)
			c := NewConn(ours, Options{QueueLimit: 1 << 30})
			var wg sync.WaitGroup
			for s := range senders {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(1, uint64(s)))
					for i := range each {
						n := 64 + rng.IntN(1<<(6+rng.IntN(13)))
						f := frameOf(message(n, uint64(s)<<32|uint64(i)))
						if err := c.Send(f, nil, 0); err != nil {
							t.Error(err)
						}
						f.Release()
					}
				})
			}
			next := make([]uint64, senders)
			slow := &pieces{r: peer, n: 30_011}
			for range senders * each {
				got, err := readFrame(slow)
				if err != nil {
					t.Fatal(err)
				}
				id := messageID(got)
				if want := next[id>>32]; id&0xFFFFFFFF != want {
					t.Fatalf("sender %d: got frame %d, want %d", id>>32, id&0xFFFFFFFF, want)
				}
				next[id>>32]++
				if !bytes.Equal(got, message(len(got), id)) {
					t.Fatalf("frame %x is damaged", id)
				}
			}
			wg.Wait()
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if n := c.Queued(); n != 0 {
				t.Errorf("%d bytes queued at the end", n)
			}
		})
	}
}

// pieces reads at most n bytes at a time.
type pieces struct {
	r io.Reader
	n int
}

// Read implements io.Reader.
func (p *pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }

// TestRelayToSlowPeer relays large frames to a peer that reads nothing until all
// are queued, so that the read buffers themselves wait in the queue.
func TestRelayToSlowPeer(t *testing.T) {
	for _, road := range roads[:2] {
		t.Run(road.name, func(t *testing.T) {
			peer, ours := road.pair(t)
			to := NewConn(ours, Options{QueueLimit: 1 << 30})
			var want [][]byte
			for i := range 40 {
				want = append(want, message(64+i*i*700, uint64(i)))
			}
			from, _ := scripted(t, Options{}, stream(want[:20]...), stream(want[20:]...))
			_ = from.Serve(context.Background(), func(f *Frame) error { return to.Send(f, nil, 0) })
			if to.Queued() == 0 {
				t.Fatal("nothing is queued: the test tests nothing")
			}
			for i := range want {
				got, err := readFrame(peer)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want[i]) {
					t.Fatalf("frame %d is damaged", i)
				}
			}
			if err := to.WaitDrained(t.Context()); err != nil {
				t.Error(err)
			}
			to.Close()
		})
	}
}

// TestQueueLimit closes the connection of a peer that reads nothing.
func TestQueueLimit(t *testing.T) {
	for _, road := range roads {
		t.Run(road.name, func(t *testing.T) {
			_, ours := road.pair(t)
			c := NewConn(ours, Options{QueueLimit: 3 << 20})
			served := make(chan error)
			go func() { served <- c.Serve(context.Background(), nil) }()
			var err error
			for i := 0; err == nil; i++ {
				if i > 1000 {
					t.Fatal("a gigabyte is queued")
				}
				f := frameOf(message(1<<20, 1))
				err = c.Send(f, nil, 0)
				f.Release()
			}
			if !errors.Is(err, ErrQueueFull) {
				t.Errorf("Send: got %v, want %v", err, ErrQueueFull)
			}
			if err := <-served; !errors.Is(err, ErrQueueFull) {
				t.Errorf("Serve: got %v, want %v", err, ErrQueueFull)
			}
			if err := c.WaitDrained(context.Background()); !errors.Is(err, ErrQueueFull) {
				t.Errorf("WaitDrained: got %v, want %v", err, ErrQueueFull)
			}
			if n := c.Queued(); n != 0 {
				t.Errorf("%d bytes are still queued", n)
			}
			c.Close()
		})
	}
}

// TestWriteTimeout closes the connection of a peer that has stopped reading, and
// only then: progress renews the time.
func TestWriteTimeout(t *testing.T) {
	for _, road := range roads {
		t.Run(road.name, func(t *testing.T) {
			_, ours := road.pair(t)
			c := NewConn(ours, Options{WriteTimeout: 20 * time.Millisecond, QueueLimit: 1 << 30})
			var err error
			for err == nil { // more than once if a late window update was progress
				f := frameOf(message(1<<20, 1))
				if err = c.Send(f, nil, 0); err == nil {
					err = c.WaitDrained(context.Background())
				}
				f.Release()
			}
			if !errors.Is(err, ErrWriteTimeout) {
				t.Errorf("got %v, want %v", err, ErrWriteTimeout)
			}
			c.Close()
		})
	}
}

// TestWaitDrained ends when the peer has read, and with its context.
func TestWaitDrained(t *testing.T) {
	for _, road := range roads {
		t.Run(road.name, func(t *testing.T) {
			peer, ours := road.pair(t)
			c := NewConn(ours, Options{QueueLimit: 1 << 20})
			if err := c.WaitDrained(t.Context()); err != nil {
				t.Errorf("nothing queued: %v", err)
			}
			f := frameOf(message(8<<20, 1))
			if err := c.Send(f, nil, 0); err != nil {
				t.Fatal(err)
			}
			f.Release()
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := c.WaitDrained(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("canceled: got %v", err)
			}
			go io.Copy(io.Discard, peer)
			if err := c.WaitDrained(t.Context()); err != nil {
				t.Errorf("drained: %v", err)
			}
			c.Close()
		})
	}
}

// TestHoldBack relays a batch: small frames leave in one write when the batch is
// done, in order with large ones, to each of the connections they went to.
func TestHoldBack(t *testing.T) {
	messages := [][]byte{message(100, 0), message(101, 1), message(102, 2), message(103, 3), message(104, 4)}
	from, _ := scripted(t, Options{}, stream(messages...), stream(messages[0]))
	even, evenScript := scripted(t, Options{})
	odd, oddScript := scripted(t, Options{})
	_ = from.Serve(context.Background(), func(f *Frame) error {
		if messageID(f.Bytes())%2 == 1 {
			return odd.Send(f, nil, 0)
		}
		return even.Send(f, nil, 0)
	})
	compare := func(what string, got [][]byte, want ...[]byte) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%s: got %d writes, want %d", what, len(got), len(want))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Errorf("%s: write %d: got %x, want %x", what, i, got[i], want[i])
			}
		}
	}
	compare("even", evenScript.writes, stream(messages[0], messages[2], messages[4]), stream(messages[0]))
	compare("odd", oddScript.writes, stream(messages[1], messages[3]))

	// Replies to oneself, made in the callback, wait for the batch as well; a
	// large frame takes along what waits.
	large := message(holdMax+1, 7)
	self, selfScript := scripted(t, Options{}, stream(messages...))
	_ = self.Serve(context.Background(), func(f *Frame) error {
		reply := frameOf(messages[0])
		if messageID(f.Bytes()) == 2 {
			reply.Release()
			reply = frameOf(large)
		}
		defer reply.Release()
		return self.Send(reply, nil, 0)
	})
	compare("self", selfScript.writes, stream(messages[0], messages[0], large), stream(messages[0], messages[0]))
}

// TestHeldIsFlushedOnError holds that the replies before a fault get out.
func TestHeldIsFlushedOnError(t *testing.T) {
	c, s := scripted(t, Options{}, append(stream(message(64, 1), message(64, 2)), 0x81, 0, 0, 0))
	err := c.Serve(context.Background(), func(f *Frame) error { return c.Send(f, nil, 0) })
	if !errors.Is(err, ErrProtocol) {
		t.Errorf("got %v", err)
	}
	if got := bytes.Join(s.writes, nil); !bytes.Equal(got, stream(message(64, 1), message(64, 2))) {
		t.Errorf("got %x", got)
	}
}

// TestHoldBackEnds holds that after a batch that failed half-way nothing is held
// back for ever.
func TestHoldBackEnds(t *testing.T) {
	c, s := scripted(t, Options{}, stream(message(64, 1), message(64, 2)))
	_ = c.Serve(context.Background(), func(*Frame) error { return io.ErrNoProgress })
	f := frameOf(message(70, 3))
	if err := c.Send(f, nil, 0); err != nil {
		t.Fatal(err)
	}
	f.Release()
	if got := bytes.Join(s.writes, nil); !bytes.Equal(got, stream(message(70, 3))) {
		t.Errorf("got %x", got)
	}
}

// TestDeadlineTakenBack holds that the writer's deadline does not outlive it: a
// nonblocking write long after a full queue must not fail.
func TestDeadlineTakenBack(t *testing.T) {
	for _, road := range roads {
		t.Run(road.name, func(t *testing.T) {
			const timeout = 100 * time.Millisecond
			peer, ours := road.pair(t)
			go io.Copy(io.Discard, peer)
			c := NewConn(ours, Options{WriteTimeout: timeout, QueueLimit: 1 << 30})
			f := frameOf(message(16<<20-100, 1))
			if err := c.Send(f, nil, 0); err != nil {
				t.Fatal(err)
			}
			f.Release()
			c.tx.writer.Wait()
			if err := c.SetReadDeadline(time.Now().Add(2 * timeout)); err != nil {
				t.Fatal(err)
			}
			_ = c.Serve(context.Background(), nil) // lets the time pass
			f = frameOf(message(100, 1))
			if err := c.Send(f, nil, 0); err != nil {
				t.Error(err)
			}
			f.Release()
			c.Close()
		})
	}
}

// TestPartialWrites lets the socket take any number of bytes of what is held and
// sent: nothing gets lost or out of order.
func TestPartialWrites(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	var messages [][]byte
	for i := range 200 {
		messages = append(messages, message(64+rng.IntN(1<<(4+rng.IntN(14))), uint64(i)))
	}
	for round := range 20 {
		from, _ := scripted(t, Options{}, stream(messages...))
		to, s := scripted(t, Options{QueueLimit: 1 << 30})
		var mu sync.Mutex
		s.accept = func(n int) int {
			mu.Lock()
			defer mu.Unlock()
			if rng.IntN(3) == 0 {
				return n
			}
			return rng.IntN(n + 1)
		}
		_ = from.Serve(context.Background(), func(f *Frame) error { return to.Send(f, nil, 0) })
		to.tx.writer.Wait()
		if got := bytes.Join(s.writes, nil); !bytes.Equal(got, stream(messages...)) {
			t.Fatalf("round %d: got %d bytes, other than the %d sent", round, len(got), len(stream(messages...)))
		}
	}
}

// TestSendRefuses are frames that no prefix can describe, and dead connections.
func TestSendRefuses(t *testing.T) {
	c, _ := scripted(t, Options{})
	empty := NewFrame(10)
	if err := c.Send(empty, nil, 0); !errors.Is(err, ErrFrameTooLarge) {
		t.Errorf("empty: %v", err)
	}
	huge := NewFrame(maxStream + 1)
	huge.SetBytes(huge.Bytes()[:maxStream+1])
	if err := c.Send(huge, nil, 0); !errors.Is(err, ErrFrameTooLarge) {
		t.Errorf("huge: %v", err)
	}

	peer, ours := tcpPair(t)
	dead := NewConn(ours, Options{})
	peer.Close()
	var err error
	for range 1000 {
		f := frameOf(message(70, 1))
		if err = dead.Send(f, nil, 0); err != nil {
			break
		}
		f.Release()
	}
	if err == nil {
		t.Error("a thousand sends to a closed peer succeed")
	}
	dead.Close()
	if err := dead.Send(frameOf(message(70, 1)), nil, 0); err == nil {
		t.Error("a send after Close succeeds")
	}
}

// TestReadDeadline ends a silent peer's connection.
func TestReadDeadline(t *testing.T) {
	for _, road := range roads {
		_, ours := road.pair(t)
		c := NewConn(ours, Options{})
		if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if err := c.Serve(context.Background(), nil); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: got %v", road.name, err)
		}
		c.Close()
	}
}

// TestPrefix is the stream protocol's, [MS-SMB2] 2.1.
func TestPrefix(t *testing.T) {
	f := frameOf(message(0x10203, 1))
	defer f.Release()
	b := f.wire(nil, 0)
	if got := binary.BigEndian.Uint32(b); got != 0x010203 {
		t.Errorf("got %08x, want 00010203", got)
	}
}
