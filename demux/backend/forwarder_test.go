package backend

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
)

// forwarder stands between a pool and smbd and may change the frames that smbd
// sends.
type forwarder struct {
	ln     net.Listener
	target string
	wg     sync.WaitGroup

	mu    sync.Mutex
	tweak func(frame []byte) []byte // of smbd's frames, without length; nil: as they are
	conns []net.Conn
}

// newForwarder listens on a loopback address of its own until the test ends.
func newForwarder(t testing.TB, target string) *forwarder {
	t.Helper()
	ln, err := net.Listen("tcp", "127.5.7.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{ln: ln, target: target}
	f.wg.Go(f.accept)
	t.Cleanup(func() {
		ln.Close()
		f.cut()
		f.wg.Wait()
	})
	return f
}

func (f *forwarder) addr() string { return f.ln.Addr().String() }

// set changes what happens to smbd's frames from now on.
func (f *forwarder) set(tweak func(frame []byte) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tweak = tweak
}

// cut ends every connection.
func (f *forwarder) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.Close()
	}
	f.conns = nil
}

func (f *forwarder) accept() {
	for {
		client, err := f.ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", f.target)
		if err != nil {
			client.Close()
			continue
		}
		f.mu.Lock()
		f.conns = append(f.conns, client, server)
		f.mu.Unlock()
		f.wg.Go(func() { io.Copy(server, client); server.Close() })
		f.wg.Go(func() { f.back(client, server); client.Close() })
	}
}

// back copies smbd's frames one by one.
func (f *forwarder) back(client, server net.Conn) {
	var prefix [4]byte
	for {
		if _, err := io.ReadFull(server, prefix[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(prefix[:]))
		if _, err := io.ReadFull(server, frame); err != nil {
			return
		}
		f.mu.Lock()
		if f.tweak != nil {
			frame = f.tweak(frame)
		}
		f.mu.Unlock()
		if frame == nil {
			continue
		}
		binary.BigEndian.PutUint32(prefix[:], uint32(len(frame)))
		if _, err := client.Write(append(prefix[:], frame...)); err != nil {
			return
		}
	}
}
