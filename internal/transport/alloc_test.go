package transport

import (
	"context"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"

	"smbproxy/crypto"
)

// TestAllocations holds that receiving a frame and sending it on allocates
// nothing once warm: small and large, plain, sealed and signed.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector sync.Pool drops at random")
	}
	pooled(t)
	sign, err := crypto.NewSigner(crypto.SigningAESGMAC, make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		size int
		seal *crypto.Sealer
	}{
		{"100 bytes", 100, nil},
		{"100 bytes sealed", 100, newSealer(t, crypto.CipherAES128GCM)},
		{"64 KiB", 64<<10 + 80, nil},
		{"1 MiB", 1<<20 + 80, nil},
		{"1 MiB sealed with GCM", 1<<20 + 80, newSealer(t, crypto.CipherAES128GCM)},
		{"1 MiB sealed with CCM", 1<<20 + 80, newSealer(t, crypto.CipherAES128CCM)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			peer, ours := tcpPair(t)
			c := NewConn(ours, Options{Opener: func(uint64) *crypto.Sealer { return tt.seal }})
			var served sync.WaitGroup
			served.Go(func() {
				_ = c.Serve(context.Background(), func(f *Frame) error {
					SignMessage(f.Bytes(), sign)
					return c.Send(f, tt.seal, 1)
				})
			})
			msg := message(tt.size, 1)
			if tt.seal != nil {
				msg = sealedFrame(msg, tt.seal, 1)
			}
			request := stream(msg)
			reply := make([]byte, len(request))
			turn := func() {
				if _, err := peer.Write(request); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(peer, reply); err != nil {
					t.Fatal(err)
				}
			}
			for range 10 {
				turn()
			}
			// AllocsPerRun divides and rounds down: what a garbage collection
			// costs that empties the pools in between does not count.
			if n := testing.AllocsPerRun(100, turn); n != 0 {
				t.Errorf("%v allocations per frame, want 0", n)
			}
			c.Close()
			served.Wait()
		})
	}
}

// TestIdleMemory holds what an idle connection costs us: no buffer, and with
// its goroutine's stack far less than the 40 KiB that a client may cost in all.
func TestIdleMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs memory of its own")
	}
	pooled(t)
	const connections, limit = 200, 12 << 10
	var before, after runtime.MemStats
	var conns []*Conn
	var peers []net.Conn
	var served sync.WaitGroup
	runtime.GC()
	runtime.GC() // what other tests left in the pools
	runtime.ReadMemStats(&before)
	for range connections {
		peer, ours := tcpPair(t)
		c := NewConn(ours, Options{})
		conns, peers = append(conns, c), append(peers, peer)
		served.Go(func() {
			_ = c.Serve(context.Background(), func(f *Frame) error { return c.Send(f, nil, 0) })
		})
	}
	for i, p := range peers { // each has been busy once, with a large frame
		if _, err := p.Write(stream(message(200_000, uint64(i)))); err != nil {
			t.Fatal(err)
		}
		if _, err := readFrame(p); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	got := int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse)
	t.Logf("%d bytes per connection, our own end and the peer's", got/connections)
	if got > connections*limit {
		t.Errorf("%d bytes per idle connection, want at most %d", got/connections, limit)
	}
	for _, c := range conns {
		c.Close()
	}
	served.Wait()
}
