package session

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// flood makes a client of the server over loopback that sends one request again and again, with rising message ids and
// a valid signature, without allocating.
type flood struct {
	nc    net.Conn
	c     *client
	frame []byte
	reply []byte
}

// newFlood prepares req; reply is as long as its answer.
func newFlood(c *client, req []byte, reply int) *flood {
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(req)))
	return &flood{nc: c.nc, c: c, frame: append(frame, req...), reply: make([]byte, 4+reply)}
}

// round sends one request and reads the answer.
func (f *flood) round() error {
	msg := f.frame[4:]
	smb2.SetRawMessageID(msg, f.c.mid)
	f.c.mid++
	if f.c.signer != nil {
		transport.SignMessage(msg, f.c.signer)
	}
	if _, err := f.nc.Write(f.frame); err != nil {
		return err
	}
	_, err := io.ReadFull(f.nc, f.reply)
	return err
}

// allocTable answers READ from a frame made once: like the road from a backend.
func (ts *testServer) allocTable(n int) *[commandCount]Command {
	table := ts.table()
	f := transport.NewFrame(smb2.HeaderSize + 16 + n)
	b := f.Bytes()[:smb2.HeaderSize+16+n]
	binary.LittleEndian.PutUint16(b[64:], 17)
	b[66] = 80
	binary.LittleEndian.PutUint32(b[68:], uint32(n))
	f.SetBytes(b)
	table[smb2.CommandRead].Run = func(r *Request) { r.ReplyFrame(ntstatus.Success, f) }
	return table
}

// newFloods starts a quiet server and gives floods of ECHO and READ.
func newFloods(tb testing.TB, n int) (echo, read *flood) {
	ts := &testServer{upper: &testUpper{signal: make(chan string, 1)}, auth: &testAuth{}, logs: &logBuffer{}}
	cfg := Config{Authenticator: ts.auth, Log: newTestLog(ts.logs), MaxDialect: smb2.Dialect311, MinDialect: smb2.Dialect202}
	var err error
	if ts.Server, err = NewServer(cfg, ts.allocTable(n), ts.upper); err != nil {
		tb.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.3.0.2:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = ts.Serve(ctx, ln) // the error is the context's
	}()
	tb.Cleanup(func() { cancel(); <-done })
	ts.addr = ln.Addr().String()

	c := ts.dial(tb, smb2.Dialect311)
	c.mustNegotiate()
	c.mustSetup("anna")
	c.tree("share")
	tb.Cleanup(func() { c.nc.Close() })
	req := echoRequest.Append(hdr(c, smb2.CommandEcho))
	echo = newFlood(c, req, smb2.HeaderSize+4)
	h := c.header(smb2.CommandRead)
	h.CreditCharge = smb2.CreditCharge(n)
	read = newFlood(c, readRequest(smb2.FileID{Volatile: 1}, uint32(n)).Append(h.Append(nil)), smb2.HeaderSize+16+n)
	c.mid -= 2
	return echo, read
}

// TestNoAllocations: once warm, receiving, verifying, dispatching and answering allocate nothing.
func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	echo, read := newFloods(t, 4096)
	for name, f := range map[string]*flood{"ECHO": echo, "READ": read} {
		for range 100 {
			if err := f.round(); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
		for range 100 {
			_ = f.round()
		}
		if n := testing.AllocsPerRun(500, func() { _ = f.round() }); n > 0.05 {
			t.Errorf("%s: %.2f allocations per request, want 0", name, n)
		}
	}
}

// BenchmarkEcho and BenchmarkRead are round trips over loopback, signed with AES-GMAC.
func BenchmarkEcho(b *testing.B) {
	echo, _ := newFloods(b, 64)
	echo.bench(b)
}

// BenchmarkRead64K is a READ of 64 KiB from a frame that is there.
func BenchmarkRead64K(b *testing.B) {
	_, read := newFloods(b, 65536)
	b.SetBytes(65536)
	read.bench(b)
}

// bench runs rounds.
func (f *flood) bench(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := f.round(); err != nil {
			b.Fatal(err)
		}
	}
}
