package transport

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"smbproxy/crypto"
)

// relay forwards every frame of each of two connections to the other, as the
// proxy does with what it need not look into.
func relay(ctx context.Context, client, backend *Conn) (wait func()) {
	done := make(chan struct{}, 2)
	forward := func(from, to *Conn) {
		_ = from.Serve(ctx, func(f *Frame) error { return to.Send(f, nil, 0) })
		done <- struct{}{}
	}
	go forward(client, backend)
	go forward(backend, client)
	return func() { <-done; <-done }
}

// BenchmarkRelay sends requests through a relay to an echoing backend: 68 bytes
// there and back (an ECHO), and 1 MiB one way (a READ). The baseline beside it
// is io.Copy in both directions.
func BenchmarkRelay(b *testing.B) {
	pooled(b)
	sizes := []struct {
		name           string
		request, reply int
		depth          int
	}{
		{"echo", 68, 68, 1},
		{"echo-depth16", 68, 68, 16},
		{"read64k", 113, 64<<10 + 80, 1},
		{"read1m", 113, 1<<20 + 80, 1},
		{"write1m", 1<<20 + 112, 80, 1},
		{"read1m-depth4", 113, 1<<20 + 80, 4},
	}
	for _, s := range sizes {
		for _, kind := range []string{"conn", "io.Copy"} {
			b.Run(fmt.Sprintf("%s/%s", s.name, kind), func(b *testing.B) {
				client, clientSide := tcpPair(b)
				backend, backendSide := tcpPair(b)
				ctx, cancel := context.WithCancel(context.Background())
				wait := func() {}
				if kind == "conn" {
					wait = relay(ctx, NewConn(clientSide, Options{}), NewConn(backendSide, Options{}))
				} else {
					go io.Copy(clientSide, backendSide)
					go io.Copy(backendSide, clientSide)
				}
				go answer(backend, 4+s.request, stream(message(s.reply, 1)))
				b.SetBytes(int64(max(s.request, s.reply)))
				b.ReportAllocs()
				ask(b, client, stream(message(s.request, 1)), 4+s.reply, s.depth)
				cancel()
				wait()
			})
		}
	}
}

// answer reads requests of n bytes and sends reply for each.
func answer(c net.Conn, n int, reply []byte) {
	buf := make([]byte, n)
	for {
		if _, err := io.ReadFull(c, buf); err != nil {
			return
		}
		if _, err := c.Write(reply); err != nil {
			return
		}
	}
}

// ask keeps depth requests under way for as long as the benchmark runs.
func ask(b *testing.B, c net.Conn, request []byte, n, depth int) {
	buf := make([]byte, n)
	for range depth - 1 {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for range b.N {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
}

// BenchmarkSealedRelay is BenchmarkRelay's read1m with the client sealed.
func BenchmarkSealedRelay(b *testing.B) {
	pooled(b)
	for _, c := range []crypto.Cipher{crypto.CipherAES128GCM, crypto.CipherAES128CCM} {
		b.Run(c.String(), func(b *testing.B) {
			client, clientSide := tcpPair(b)
			backend, backendSide := tcpPair(b)
			seal := newSealer(b, c)
			up := NewConn(clientSide, Options{Opener: func(uint64) *crypto.Sealer { return seal }})
			down := NewConn(backendSide, Options{})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{}, 2)
			go func() {
				_ = up.Serve(ctx, func(f *Frame) error { return down.Send(f, nil, 0) })
				done <- struct{}{}
			}()
			go func() {
				_ = down.Serve(ctx, func(f *Frame) error { return up.Send(f, seal, 1) })
				done <- struct{}{}
			}()
			go answer(backend, 4+113, stream(message(1<<20+80, 1)))
			b.SetBytes(1 << 20)
			b.ReportAllocs()
			ask(b, client, stream(sealedFrame(message(113, 1), seal, 1)), 4+52+1<<20+80, 1)
			cancel()
			<-done
			<-done
		})
	}
}
