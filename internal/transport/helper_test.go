package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"

	"smbproxy/crypto"
	"smbproxy/internal/smb2"
)

// TestMain runs everything poisoned; what measures allocations turns it off.
func TestMain(m *testing.M) {
	SetPoison(true)
	os.Exit(m.Run())
}

// pooled turns poison off for one test.
func pooled(t testing.TB) {
	SetPoison(false)
	t.Cleanup(func() { SetPoison(true) })
}

// message is one SMB2 message of n >= 64 bytes with an id and a body that
// depends on it.
func message(n int, id uint64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*3+i>>8) + byte(id)
	}
	clear(b[:smb2.HeaderSize])
	copy(b, smb2.ProtocolSMB2)
	binary.LittleEndian.PutUint16(b[4:], smb2.HeaderSize)
	smb2.SetRawMessageID(b, id)
	return b
}

// messageID is the id given to message.
func messageID(b []byte) uint64 { return smb2.RawMessageID(b) }

// stream puts prefixes before messages and strings them together.
func stream(messages ...[]byte) []byte {
	var b []byte
	for _, m := range messages {
		b = binary.BigEndian.AppendUint32(b, uint32(len(m)))
		b = append(b, m...)
	}
	return b
}

// sealedFrame is msg in a TRANSFORM_HEADER without prefix.
func sealedFrame(msg []byte, s *crypto.Sealer, sessionID uint64) []byte {
	f := NewFrame(len(msg))
	defer f.Release()
	f.SetBytes(append(f.Bytes(), msg...))
	return bytes.Clone(f.wire(s, sessionID)[prefixSize:])
}

// frameOf is an owned frame with a copy of msg.
func frameOf(msg []byte) *Frame {
	f := NewFrame(len(msg))
	f.SetBytes(append(f.Bytes(), msg...))
	return f
}

// newSealer is a Sealer with a fixed key.
func newSealer(t testing.TB, c crypto.Cipher) *crypto.Sealer {
	t.Helper()
	s, err := crypto.NewSealer(c, bytes.Repeat([]byte{7}, c.KeySize()))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tcpPair is a connected pair of sockets.
func tcpPair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.2.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	a, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b = <-accepted
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// plainPair is tcpPair hidden from newRoad, so that both roads are tested.
func plainPair(t testing.TB) (a, b net.Conn) {
	a, b = tcpPair(t)
	return a, struct{ *net.TCPConn }{b.(*net.TCPConn)}
}

// roads are the ways to reach a peer.
var roads = []struct {
	name string
	pair func(t testing.TB) (peer, ours net.Conn)
}{
	{"raw", tcpPair},
	{"plain", plainPair},
	{"pipe", func(testing.TB) (net.Conn, net.Conn) { return net.Pipe() }},
}

// readFrame reads one frame in the plainest way.
func readFrame(r io.Reader) ([]byte, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(prefix[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

// script is a road that delivers what it is told, and records what is written.
type script struct {
	rd      *reader
	chunks  [][]byte // one per read
	writes  [][]byte
	accept  func(n int) int // how much of a write is taken; nil: all
	waiting func()          // called when there is nothing to read any more
	busy    bool            // the next chunk is always there already
}

// read implements road.
func (s *script) read() (int, error) {
	for len(s.chunks) > 0 && len(s.chunks[0]) == 0 {
		s.chunks = s.chunks[1:]
	}
	if !s.busy || len(s.chunks) == 0 {
		s.rd.idle() // as after EAGAIN
	}
	if len(s.chunks) == 0 {
		if s.waiting != nil {
			s.waiting()
		}
		return 0, io.EOF
	}
	n := copy(s.rd.space(), s.chunks[0])
	if n == 0 {
		return 0, errors.New("script: no space to read to")
	}
	s.chunks[0] = s.chunks[0][n:]
	return n, nil
}

// write implements road.
func (s *script) write(a, b []byte) (int, error) {
	n := len(a) + len(b)
	if s.accept != nil {
		n = s.accept(n)
	}
	s.writes = append(s.writes, append(bytes.Clone(a), b...)[:n])
	return n, nil
}

// writeWait implements road.
func (s *script) writeWait(b []byte) (int, error) { return s.write(nil, b) }

// scripted is a Conn over a script.
func scripted(t testing.TB, opt Options, chunks ...[]byte) (*Conn, *script) {
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	c := NewConn(a, opt)
	s := &script{rd: &c.rd, chunks: chunks}
	c.road = s
	return c, s
}

// collect serves until the end and returns copies of all frames.
func collect(c *Conn) (got [][]byte, err error) {
	err = c.Serve(context.Background(), func(f *Frame) error {
		got = append(got, bytes.Clone(f.Bytes()))
		return nil
	})
	return got, err
}

// equalFrames compares.
func equalFrames(t testing.TB, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d frames, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("frame %d differs: got %d bytes, want %d", i, len(got[i]), len(want[i]))
		}
	}
}
