package hostile

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// dial connects a socket from an address of 127.11.0.0/16 that the test closes.
func dial(t testing.TB, from, to string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	nc, err := d.DialContext(t.Context(), "tcp", to)
	must(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	return nc
}

// closed fails the test unless the server ends the connection without a word.
func closed(t testing.TB, nc net.Conn) {
	t.Helper()
	must(t, nc.SetReadDeadline(time.Now().Add(patience)))
	n, err := nc.Read(make([]byte, 1))
	var timeout net.Error
	if n != 0 || errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("read %d bytes, %v; want the connection closed", n, err)
	}
}

// TestSilent: who does not authenticate in time is closed, whatever he says meanwhile, and the time runs from
// the beginning of the connection. Who has authenticated may be silent for as long as he likes.
func TestSilent(t *testing.T) {
	const limit = 400 * time.Millisecond
	s := newStack(t, func(cfg *session.Config) { cfg.AuthenticationTimeout = limit })
	w := loggedOn(t, s)
	cases := map[string]func(t *testing.T, nc net.Conn, tick <-chan time.Time){
		"says nothing": func(*testing.T, net.Conn, <-chan time.Time) {},
		"dribbles": func(t *testing.T, nc net.Conn, tick <-chan time.Time) { // a byte every now and then
			frame := rawsmb.Frame(negotiateMessage())
			for len(frame) > 1 {
				<-tick
				if _, err := nc.Write(frame[:1]); err != nil {
					return
				}
				frame = frame[1:]
			}
		},
		"keepalives": func(t *testing.T, nc net.Conn, tick <-chan time.Time) { // NetBIOS ones, RFC 1002 4.3.6
			for range 1000 {
				<-tick
				if _, err := nc.Write([]byte{0x85, 0, 0, 0}); err != nil {
					return
				}
			}
		},
		"negotiates": func(t *testing.T, nc net.Conn, _ <-chan time.Time) {
			c := rawsmb.NewConn(nc, rawsmb.Options{})
			must(t, c.Negotiate())
			<-c.Done()
		},
		"half authenticates": func(t *testing.T, nc net.Conn, _ <-chan time.Time) {
			c := rawsmb.NewConn(nc, rawsmb.Options{})
			must(t, c.Negotiate())
			wait(t, halfSession(t, c), ntstatus.MoreProcessingRequired)
			<-c.Done()
		},
		"echoes": func(t *testing.T, nc net.Conn, tick <-chan time.Time) {
			c := rawsmb.NewConn(nc, rawsmb.Options{})
			must(t, c.Negotiate())
			for range 1000 {
				<-tick
				id := c.Take(1)
				c.Expect(id)
				h := smb2.Header{Command: smb2.CommandEcho, MessageID: id, CreditCharge: 1, Credits: 10}
				if c.WriteFrame((&smb2.EchoRequest{}).Append(h.Append(nil))) != nil {
					break
				}
			}
			<-c.Done()
		},
	}
	t.Run("each", func(t *testing.T) {
		for name, run := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				tick := time.NewTicker(10 * time.Millisecond)
				defer tick.Stop()
				start := time.Now()
				nc := dial(t, "127.11.0.3", s.addr)
				run(t, nc, tick.C)
				closed(t, nc)
				if took := time.Since(start); took < limit {
					t.Errorf("closed after %v, want %v", took, limit)
				}
			})
		}
	})
	s.quiet(t, 1, 1)
	w.undisturbed(t)
}

// loggedOn is a witness on a server that gives little time to log on: a busy machine may need several attempts.
func loggedOn(t *testing.T, s *stack) *witness {
	t.Helper()
	for range 20 {
		conn, err := rawsmb.Dial(t.Context(), s.addr, rawsmb.Options{})
		must(t, err)
		t.Cleanup(conn.Close)
		if sess, err := conn.Login(t.Context(), "user2", "secret2"); err == nil {
			c := &client{t: t, Session: sess}
			c.tree = c.connect("share")
			return newWitness(c)
		}
	}
	t.Fatal("cannot log on")
	return nil
}

// negotiateMessage is a NEGOTIATE of 2.1.
func negotiateMessage() []byte {
	h := smb2.Header{Command: smb2.CommandNegotiate, Credits: 1}
	m := smb2.NegotiateRequest{SecurityMode: smb2.NegotiateSigningEnabled, ClientGUID: smb2.GUID{1}, Dialects: []smb2.Dialect{smb2.Dialect210}}
	return m.Append(h.Append(nil))
}

// halfSession sends the first leg of NTLM.
func halfSession(t testing.TB, c *rawsmb.Conn) *rawsmb.Pending {
	t.Helper()
	h := smb2.Header{Command: smb2.CommandSessionSetup, MessageID: c.Take(1), CreditCharge: 1, Credits: 1}
	p := c.Expect(h.MessageID)
	must(t, c.WriteFrame((&smb2.SessionSetupRequest{SecurityMode: 1, SecurityBuffer: ntlmNegotiate}).Append(h.Append(nil))))
	return p
}

// ntlmNegotiate is NTLM's NEGOTIATE_MESSAGE ([MS-NLMP] 2.2.1.1), raw, as a client of that mechanism alone sends it.
var ntlmNegotiate = append([]byte("NTLMSSP\x00\x01\x00\x00\x00\x97\x82\x08\xe2"), make([]byte, 24)...)

// TestConnectionsOfOneAddress: above the limit a connection is closed at once; other addresses are served,
// and so is this one when one of its connections has gone.
func TestConnectionsOfOneAddress(t *testing.T) {
	s := newStack(t, func(cfg *session.Config) { cfg.MaxConnectionsPerAddress = 5 })
	var conns []net.Conn
	for range 5 {
		conns = append(conns, dial(t, "127.11.0.7", s.addr))
	}
	s.quiet(t, 5, 0)
	for range 20 {
		closed(t, dial(t, "127.11.0.7", s.addr))
	}
	other := rawsmb.NewConn(dial(t, "127.11.0.8", s.addr), rawsmb.Options{})
	must(t, other.Negotiate())
	must(t, conns[0].Close())
	s.quiet(t, 5, 0)
	again := rawsmb.NewConn(dial(t, "127.11.0.7", s.addr), rawsmb.Options{})
	must(t, again.Negotiate())
	other.Close()
	again.Close()
}

// TestLengths: what the stream's prefix may say ([MS-SMB2] 2.1). A length that is never to come ends the
// connection when it is read, not when the memory is there.
func TestLengths(t *testing.T) {
	const most = 8<<20 + 16*4096 // of an authenticated client: the largest payload and what may be around it
	cases := []struct {
		name     string
		prefix   []byte
		stranger bool
		open     bool // it waits for the rest
	}{
		{"stranger, FFFFFF", []byte{0, 0xFF, 0xFF, 0xFF}, true, false},
		{"stranger, 128 KiB", []byte{0, 2, 0, 0}, true, true},
		{"stranger, a header's length more and one", []byte{0, 2, 0, 53}, true, false},
		{"stranger, zero", []byte{0, 0, 0, 0}, true, false},
		{"stranger, HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), true, false},
		{"stranger, TLS", []byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc}, true, false},
		{"stranger, RFC 1002 session request", []byte{0x81, 0, 0, 68}, true, false},
		{"stranger, keepalive with a length", []byte{0x85, 0, 0, 1}, true, false},
		{"FFFFFF", []byte{0, 0xFF, 0xFF, 0xFF}, false, false},
		{"the most", []byte{0, most >> 16, most >> 8 & 0xFF, most & 0xFF}, false, true},
		{"more", []byte{0, (most + 53) >> 16, (most + 53) >> 8 & 0xFF, (most + 53) & 0xFF}, false, false},
		{"zero", []byte{0, 0, 0, 0}, false, false},
		{"type 1", []byte{1, 0, 0, 68}, false, false},
	}
	s := newStack(t, nil)
	w := newWitness(s.client(t, "user2", rawsmb.Options{}))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var conn *rawsmb.Conn
			if c.stranger {
				conn = s.negotiated(t)
			} else {
				conn = s.client(t, "user1", rawsmb.Options{}).Conn
			}
			_, err := conn.NetConn().Write(c.prefix)
			must(t, err)
			if c.open {
				// The rest of a message that is too large for what it says: it is read to the end and judged.
				n := int(c.prefix[1])<<16 | int(c.prefix[2])<<8 | int(c.prefix[3])
				_, err := conn.NetConn().Write(make([]byte, n))
				must(t, err)
			}
			gone(t, conn)
			w.undisturbed(t)
		})
	}
}

// TestPartialFrames: frames that never end hold no more than a read buffer each, before and after
// authentication, and nobody else waits for them.
func TestPartialFrames(t *testing.T) {
	const clients = 40
	s := newStack(t, nil)
	w := newWitness(s.client(t, "user2", rawsmb.Options{}))
	for _, authenticated := range []bool{false, true} {
		t.Run(fmt.Sprintf("authenticated %v", authenticated), func(t *testing.T) {
			var conns []*rawsmb.Conn
			for range clients {
				if authenticated {
					conns = append(conns, s.client(t, "user1", rawsmb.Options{}).Conn)
				} else {
					conns = append(conns, s.negotiated(t))
				}
			}
			before := heap()
			for _, c := range conns {
				prefix := []byte{0, 1, 0xF0, 0, 0xFE, 'S', 'M', 'B', 64, 0} // 124 KiB
				if authenticated {
					prefix[1] = 0x80 // 8 MiB
				}
				_, err := c.NetConn().Write(prefix)
				must(t, err)
			}
			w.undisturbed(t)
			if grown := (heap() - before) / clients; grown > 100<<10 {
				t.Errorf("a partial frame costs %d bytes, want at most 100 KiB", grown)
			}
			for _, c := range conns {
				c.Close()
			}
			s.quiet(t, 1, 1)
			if left := heap() - before; left > 1<<20 {
				t.Errorf("%d bytes remain", left)
			}
		})
	}
}

// TestDribbledFrames: a frame may come byte by byte.
func TestDribbledFrames(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		c := s.client(t, "user1", rawsmb.Options{})
		must(t, c.Conn.NetConn().(*net.TCPConn).SetNoDelay(true))
		msg := c.echoMessage()
		p := c.Conn.Expect(smb2.RawMessageID(msg))
		for _, b := range rawsmb.Frame(msg) {
			_, err := c.Conn.NetConn().Write([]byte{b})
			must(t, err)
		}
		wait(t, p, ntstatus.Success)
	})
}

// TestNeverReads: a client that asks and never reads its replies costs a bounded queue; others go on; it is
// dropped when it takes nothing for WriteTimeout, also where it is a stranger.
func TestNeverReads(t *testing.T) {
	s := newStack(t, func(cfg *session.Config) {
		cfg.SendLimit = 4 << 20
		cfg.MaxReadOutstanding = 4 << 20
		cfg.WriteTimeout = time.Second
	})
	w := newWitness(s.client(t, "user2", rawsmb.Options{}))
	c := s.client(t, "user1", rawsmb.Options{})
	id := c.create("large", 0)
	for range 10 { // credits
		c.echo()
	}
	before := heap()
	stream, err := c.Stream(1)
	must(t, err)
	_ = stream // it is what stops the reader
	nc := c.Conn.NetConn()
	must(t, nc.SetWriteDeadline(time.Now().Add(patience)))
	sent := 0
	for range 400 { // 25 MiB, where the sockets hold a few
		h := c.header(smb2.CommandRead)
		msg := c.message(h, &smb2.ReadRequest{FileID: id, Length: 65536})
		if _, err := nc.Write(rawsmb.Frame(msg)); err != nil {
			break
		}
		sent++
		if sent%100 == 0 {
			w.undisturbed(t)
		}
	}
	if grown := heap() - before; grown > 20<<20 {
		t.Errorf("%d bytes more in use after %d READs, want 20 MiB at most", grown, sent)
	}
	s.quiet(t, 1, 1)
	w.undisturbed(t)
	must(t, c.Conn.NetConn().Close())
	if left := heap() - before; left > 2<<20 {
		t.Errorf("%d bytes remain", left)
	}
}
