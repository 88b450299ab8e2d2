package golden

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"smbproxy/internal/pcap"
)

// The addresses of all captures, from the range for documentation (RFC 5737), and the port by which tools know SMB: what
// a lab chose at random would differ at each making. Clients' ports count up from firstPort.
var (
	serverAddress = netip.MustParseAddrPort("192.0.2.1:445")
	clientAddress = netip.MustParseAddr("192.0.2.2")
)

const firstPort = 49152

// Recorder forwards TCP connections to one server and writes down what both sides say, each chunk before the other side
// can have seen it: a reply stands behind its request in the capture.
type Recorder struct {
	ln     net.Listener
	target string
	wg     sync.WaitGroup

	mu    sync.Mutex // guards what is below and the order of the capture
	file  bytes.Buffer
	out   *pcap.Writer
	conns uint16
	errs  []error
}

// NewRecorder listens on a loopback address and forwards to target. The port is SMB's own, since not every client takes
// another; the address is random, so that makers do not meet, and always of the same length, since clients put it into
// messages. End it with Close.
func NewRecorder(target string) (*Recorder, error) {
	var ln net.Listener
	var err error
	for range 20 {
		ln, err = net.Listen("tcp4", fmt.Sprintf("127.13.%d.%d:445", 10+rand.IntN(90), 10+rand.IntN(90)))
		if err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	r := &Recorder{ln: ln, target: target}
	r.out = pcap.NewWriter(&r.file)
	r.wg.Go(r.accept)
	return r, nil
}

// Addr is where clients connect to.
func (r *Recorder) Addr() string { return r.ln.Addr().String() }

// Close waits for all connections, whose clients must have ended, and gives the capture.
func (r *Recorder) Close() ([]byte, error) {
	r.fault(r.ln.Close())
	r.wg.Wait()
	r.fault(r.out.Err())
	return r.file.Bytes(), errors.Join(r.errs...)
}

func (r *Recorder) fault(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.errs = append(r.errs, err)
	}
}

func (r *Recorder) accept() {
	for {
		client, err := r.ln.Accept()
		if err != nil {
			return // closed
		}
		r.wg.Go(func() { r.fault(r.forward(client)) })
	}
}

// forward records one connection until both sides have ended it.
func (r *Recorder) forward(client net.Conn) error {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp4", r.target)
	if err != nil {
		return fmt.Errorf("forward to %s: %w", r.target, err)
	}
	defer func() { _ = server.Close() }()
	r.mu.Lock()
	from := netip.AddrPortFrom(clientAddress, firstPort+r.conns)
	r.conns++
	c, err := r.out.Open(from, serverAddress, time.Now())
	r.mu.Unlock()
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { r.copy(server, client, c, true) })
	r.copy(client, server, c, false)
	wg.Wait()
	c.Close(time.Now())
	return nil
}

// copy forwards one direction to its end, and that end.
func (r *Recorder) copy(dst, src net.Conn, c *pcap.Connection, fromClient bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			r.mu.Lock()
			c.Send(fromClient, buf[:n], time.Now())
			r.mu.Unlock()
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				_ = dst.Close() // reset: the other direction ends too
				return
			}
			_ = dst.(*net.TCPConn).CloseWrite()
			return
		}
	}
}
