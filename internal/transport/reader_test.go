package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"smbproxy/crypto"
	"smbproxy/internal/smb2"
)

// TestFragmentation cuts a stream of plain and sealed frames at every byte, in
// two and in single bytes.
func TestFragmentation(t *testing.T) {
	seal := newSealer(t, crypto.CipherAES128GCM)
	opt := Options{Opener: func(uint64) *crypto.Sealer { return seal }}
	want := [][]byte{message(64, 1), message(100, 2), message(64, 3), message(200, 4), message(65, 5)}
	wire := stream(want[0], sealedFrame(want[1], seal, 9), want[2])
	wire = append(wire, 0x85, 0, 0, 0) // a keepalive
	wire = append(wire, stream(want[3], sealedFrame(want[4], seal, 9))...)

	for cut := range len(wire) + 1 {
		// Opening is in place, in the read buffer: wire itself stays as it is.
		c, _ := scripted(t, opt, wire[:cut], wire[cut:])
		got, err := collect(c)
		if !errors.Is(err, io.EOF) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		equalFrames(t, got, want)
	}
	var single [][]byte
	for i := range wire {
		single = append(single, wire[i:i+1])
	}
	c, _ := scripted(t, opt, single...)
	got, err := collect(c)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	equalFrames(t, got, want)
}

// TestFrameSizes reads frames around the size of every buffer, in chunks that
// end anywhere, each between two small ones.
func TestFrameSizes(t *testing.T) {
	pooled(t) // poisoning megabytes takes its time
	sizes := []int{readSize - HeadRoom - TailRoom - 1, readSize - HeadRoom - TailRoom, readSize - HeadRoom - TailRoom + 1,
		readSize, 3*readSize + 5, 1 << 20, 1<<20 + 112, 8<<20 + 80, maxStream}
	for _, size := range bufferSizes[:7] {
		for d := -HeadRoom - TailRoom - 2; d < 3; d += 3 {
			sizes = append(sizes, size+d)
		}
	}
	for _, size := range sizes {
		want := [][]byte{message(64, 1), message(size, 2), message(70, 3)}
		for _, chunk := range []int{1448, 65536, 1 << 30} {
			wire := stream(want...)
			var chunks [][]byte
			for len(wire) > 0 {
				n := min(chunk, len(wire))
				chunks, wire = append(chunks, wire[:n]), wire[n:]
			}
			c, _ := scripted(t, Options{}, chunks...)
			got, err := collect(c)
			if !errors.Is(err, io.EOF) {
				t.Fatalf("frame of %d in chunks of %d: %v", size, chunk, err)
			}
			equalFrames(t, got, want)
		}
	}
}

// TestMemoryByArrival holds that a length alone claims no memory.
func TestMemoryByArrival(t *testing.T) {
	wire := stream(message(8<<20, 1))
	for _, n := range []int{4, 100, 30_000, readSize, 200_000} {
		c, _ := scripted(t, Options{}, wire[:n])
		s := c.road.(*script)
		s.waiting = func() {
			if c.rd.buf == nil {
				t.Fatalf("after %d bytes: no buffer", n)
			}
			if have := len(c.rd.buf.data); have > max(readSize, 2*growth*n) {
				t.Errorf("after %d bytes of an 8 MiB frame: a buffer of %d", n, have)
			}
		}
		if _, err := collect(c); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: got %v, want unexpected EOF", n, err)
		}
	}
}

// TestIdleHoldsNoBuffer looks at the moment of waiting.
func TestIdleHoldsNoBuffer(t *testing.T) {
	c, s := scripted(t, Options{}, stream(message(100, 1), message(90000, 2)))
	waited := false
	s.waiting = func() {
		waited = true
		if c.rd.buf != nil {
			t.Errorf("an idle connection holds a buffer of %d bytes", len(c.rd.buf.data))
		}
	}
	if _, err := collect(c); !errors.Is(err, io.EOF) || !waited {
		t.Fatalf("got %v, waited %v", err, waited)
	}
}

// TestRefused are streams that end the connection, and why.
func TestRefused(t *testing.T) {
	seal := newSealer(t, crypto.CipherAES128GCM)
	opener := func(id uint64) *crypto.Sealer {
		if id != 9 {
			return nil
		}
		return seal
	}
	good := message(100, 1)
	change := func(b []byte, at int, v ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], v)
		return b
	}
	sealed := sealedFrame(good, seal, 9)
	compressed := append([]byte(smb2.ProtocolCompression), make([]byte, 60)...)
	tests := []struct {
		name string
		wire []byte
		opt  Options
		want error
		n    int // frames delivered before
	}{
		{"session request", append(stream(good), 0x81, 0, 0, 68), Options{}, ErrProtocol, 1},
		{"keepalive with contents", []byte{0x85, 0, 0, 1, 0}, Options{}, ErrProtocol, 0},
		{"zero length", append(stream(good), 0, 0, 0, 0), Options{}, ErrProtocol, 1},
		{"garbage", []byte("GET / HTTP/1.1\r\n\r\n"), Options{}, ErrProtocol, 0},
		{"garbage in a frame", stream([]byte("hello")), Options{}, ErrProtocol, 0},
		{"frame of three bytes", stream([]byte{0xFE, 'S', 'M'}), Options{}, ErrProtocol, 0},
		{"too large", stream(good, message(201, 2)), Options{MaxFrame: 200}, ErrFrameTooLarge, 1},
		{"too large by its prefix", []byte{0, 1, 0, 0}, Options{MaxFrame: 200}, ErrFrameTooLarge, 0},
		{"too large inside", stream(sealedFrame(message(201, 2), seal, 9)), Options{MaxFrame: 200, Opener: opener}, ErrFrameTooLarge, 0},
		{"end within the prefix", append(stream(good), 0, 0), Options{}, io.ErrUnexpectedEOF, 1},
		{"end within the frame", stream(good)[:80], Options{}, io.ErrUnexpectedEOF, 0},
		{"sealed without keys", stream(sealed), Options{}, ErrNoKey, 0},
		{"sealed for nobody", stream(sealedFrame(good, seal, 8)), Options{Opener: opener}, ErrNoKey, 0},
		{"sealed, changed", stream(good, change(sealed, 80, 1)), Options{Opener: opener}, crypto.ErrOpen, 1},
		{"sealed, session id changed", stream(change(sealed, 44, 8)), Options{Opener: func(uint64) *crypto.Sealer { return seal }}, crypto.ErrOpen, 0},
		{"sealed, flags 0", stream(change(sealed, 42, 0)), Options{Opener: opener}, ErrProtocol, 0},
		{"sealed, length too large", stream(change(sealed, 36, 101)), Options{Opener: opener}, ErrProtocol, 0},
		{"sealed, length too small", stream(change(sealed, 36, 99)), Options{Opener: opener}, ErrProtocol, 0},
		{"sealed, cut", stream(sealed[:transformSize+smb2.HeaderSize-1]), Options{Opener: opener}, ErrProtocol, 0},
		{"sealed, less than a header", stream(sealedFrame(good[:63], seal, 9)), Options{Opener: opener}, ErrProtocol, 0},
		{"sealed, header only", stream(sealed[:transformSize]), Options{Opener: opener}, ErrProtocol, 0},
		{"sealed twice", stream(sealedFrame(sealed, seal, 9)), Options{Opener: opener}, ErrProtocol, 0},
		{"SMB1 sealed", stream(sealedFrame(change(good, 0, 0xFF), seal, 9)), Options{Opener: opener}, ErrProtocol, 0},
		{"SMB1 is let through", stream(change(good, 0, 0xFF)), Options{}, io.EOF, 1},
		{"compressed is let through", stream(compressed), Options{}, io.EOF, 1},
		{"keepalive is let through", append([]byte{0x85, 0, 0, 0}, stream(good)...), Options{}, io.EOF, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := scripted(t, tt.opt, tt.wire)
			got, err := collect(c)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if !strings.Contains(err.Error(), "connection with") {
				t.Errorf("%q does not name the connection", err)
			}
			if len(got) != tt.n {
				t.Errorf("got %d frames, want %d", len(got), tt.n)
			}
		})
	}
}

// TestSetMaxFrame raises the limit from within, as authentication does.
func TestSetMaxFrame(t *testing.T) {
	c, _ := scripted(t, Options{MaxFrame: 100}, stream(message(100, 1), message(5000, 2), message(100, 3), message(5001, 4)))
	n := 0
	err := c.Serve(context.Background(), func(f *Frame) error {
		n++
		c.SetMaxFrame(5000)
		return nil
	})
	if n != 3 || !errors.Is(err, ErrFrameTooLarge) {
		t.Errorf("got %d frames and %v, want 3 and %v", n, err, ErrFrameTooLarge)
	}
}

// TestSealedTransport sends and receives sealed frames of all ciphers and of
// sizes in and beyond the read buffer over real roads.
func TestSealedTransport(t *testing.T) {
	for _, road := range roads {
		for _, cipher := range []crypto.Cipher{crypto.CipherAES128CCM, crypto.CipherAES128GCM, crypto.CipherAES256CCM, crypto.CipherAES256GCM} {
			t.Run(road.name+"/"+cipher.String(), func(t *testing.T) {
				seal := newSealer(t, cipher)
				peer, ours := road.pair(t)
				from := NewConn(peer, Options{})
				to := NewConn(ours, Options{Opener: func(id uint64) *crypto.Sealer {
					if id != 77 {
						t.Errorf("asked for the key of session %d, want 77", id)
					}
					return seal
				}})
				want := [][]byte{message(64, 1), message(70001, 2), message(300_000, 3), message(100, 4)}
				for _, m := range want {
					f := frameOf(m)
					if err := from.Send(f, seal, 77); err != nil {
						t.Fatal(err)
					}
					f.Release()
				}
				from.CloseAfterFlush()
				var got [][]byte
				err := to.Serve(context.Background(), func(f *Frame) error {
					if id, ok := f.Sealed(); !ok || id != 77 {
						t.Errorf("sealed: got %d %v, want 77 true", id, ok)
					}
					got = append(got, bytes.Clone(f.Bytes()))
					return nil
				})
				if !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				equalFrames(t, got, want)
			})
		}
	}
}

// TestFINNotLost closes right behind the last frame, many times: the reader
// must see both.
func TestFINNotLost(t *testing.T) {
	for _, road := range roads[:2] {
		t.Run(road.name, func(t *testing.T) {
			for range 200 {
				peer, ours := road.pair(t)
				go func() {
					peer.Write(stream(message(100, 1), message(100, 2)))
					peer.Close()
				}()
				got, err := collect(NewConn(ours, Options{}))
				if len(got) != 2 || !errors.Is(err, io.EOF) {
					t.Fatalf("got %d frames and %v, want 2 and EOF", len(got), err)
				}
				ours.Close()
			}
		})
	}
}

// TestServeEnds holds that Serve returns when its context ends, when the
// connection is closed, and with the callback's error.
func TestServeEnds(t *testing.T) {
	cause := errors.New("cause")
	tests := []struct {
		name string
		end  func(c *Conn, peer net.Conn, cancel context.CancelCauseFunc)
		want error
	}{
		{"context", func(_ *Conn, _ net.Conn, cancel context.CancelCauseFunc) { cancel(cause) }, cause},
		{"Close", func(c *Conn, _ net.Conn, _ context.CancelCauseFunc) { c.Close() }, net.ErrClosed},
		{"CloseAfterFlush, the peer closes", func(c *Conn, peer net.Conn, _ context.CancelCauseFunc) {
			c.CloseAfterFlush()
			peer.Close()
		}, net.ErrClosed},
		{"the peer closes", func(_ *Conn, peer net.Conn, _ context.CancelCauseFunc) { peer.Close() }, io.EOF},
		{"callback", func(_ *Conn, peer net.Conn, _ context.CancelCauseFunc) { peer.Write(stream(message(64, 1))) }, io.ErrNoProgress},
	}
	for _, road := range roads {
		for _, tt := range tests {
			t.Run(road.name+"/"+tt.name, func(t *testing.T) {
				peer, ours := road.pair(t)
				c := NewConn(ours, Options{})
				ctx, cancel := context.WithCancelCause(context.Background())
				defer cancel(nil)
				done := make(chan error)
				go func() {
					done <- c.Serve(ctx, func(*Frame) error { return io.ErrNoProgress })
				}()
				tt.end(c, peer, cancel)
				if err := <-done; !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if err := c.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
	}
}

// TestInterruptStays holds that a read deadline set after the context's end does
// not revive the reader.
func TestInterruptStays(t *testing.T) {
	for _, road := range roads {
		_, ours := road.pair(t)
		c := NewConn(ours, Options{})
		c.interrupt()
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if err := c.Serve(context.Background(), nil); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: got %v", road.name, err)
		}
	}
}

// FuzzReader feeds arbitrary bytes in arbitrary pieces and compares with a
// reader that has the whole stream before it.
func FuzzReader(f *testing.F) {
	seal := newSealer(f, crypto.CipherAES128GCM)
	f.Add(stream(message(64, 1), message(100, 2)), uint16(7), uint16(300))
	f.Add(append([]byte{0x85, 0, 0, 0}, stream(sealedFrame(message(64, 1), seal, 1))...), uint16(1), uint16(64))
	f.Add(stream(message(80000, 1), message(64, 2)), uint16(1448), uint16(0))
	f.Add(stream(message(70, 1))[:50], uint16(50), uint16(0))
	f.Fuzz(func(t *testing.T, wire []byte, piece, maxFrame uint16) {
		var chunks [][]byte
		for rest := wire; len(rest) > 0; {
			n := min(int(piece)+1, len(rest))
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		opt := Options{MaxFrame: uint32(maxFrame), Opener: func(uint64) *crypto.Sealer { return seal }}
		c, _ := scripted(t, opt, chunks...)
		got, err := collect(c)
		want := naive(bytes.Clone(wire), int(c.maxFrame.Load()), seal)
		if err == nil {
			t.Fatal("Serve returned without an error")
		}
		equalFrames(t, got, want)
	})
}

// naive is the frames at the start of wire up to the first fault.
func naive(wire []byte, limit int, seal *crypto.Sealer) (frames [][]byte) {
	for len(wire) >= 4 {
		n := int(binary.BigEndian.Uint32(wire)) & maxStream
		kind := wire[0]
		if kind == packetKeepalive && n == 0 {
			wire = wire[4:]
			continue
		}
		if kind != 0 || n < 4 || len(wire)-4 < n {
			return frames
		}
		msg := wire[4 : 4+n : 4+n]
		wire = wire[4+n:]
		if string(msg[:4]) == smb2.ProtocolTransform {
			if n < 52+64 || binary.LittleEndian.Uint32(msg[36:]) != uint32(n-52) || binary.LittleEndian.Uint16(msg[42:]) != 1 {
				return frames
			}
			tag := [16]byte(msg[4:20])
			plain := append(make([]byte, 0, n), msg[52:]...)
			if seal.Open(&tag, msg[20:], msg[20:52], plain) != nil {
				return frames
			}
			if msg = plain; msg[0] == 0xFF || msg[0] == 0xFD {
				return frames
			}
		}
		if msg[0] < 0xFC || string(msg[1:4]) != "SMB" || len(msg) > limit {
			return frames
		}
		frames = append(frames, msg)
	}
	return frames
}
