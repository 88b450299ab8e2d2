package session

import (
	"context"
	"errors"
	"net"
	"runtime"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// TestSlowClient: a client that asks for much and reads nothing is read no further when its queue is long, is not
// dropped, and gets all in the end.
func TestSlowClient(t *testing.T) {
	const size, count = 1 << 20, 100
	ts := serve(t, func(cfg *Config) { cfg.SendLimit = 16 << 20 })
	c := ts.dial(t, smb2.Dialect311)
	c.credits = 8192
	c.mustNegotiate()
	c.mustSetup("anna")
	c.tree("share")
	conn := ts.snapshot()[0]
	worst := 0
	for range count {
		h := c.header(smb2.CommandRead)
		h.CreditCharge = 16
		c.mid += 15
		c.write(c.message(h, readRequest(smb2.FileID{Volatile: 1}, size)))
		worst = max(worst, conn.tc.Queued())
	}
	for i := range count {
		f := c.mustRead()
		worst = max(worst, conn.tc.Queued())
		if f.hdrs[0].Status != ntstatus.Success || len(f.msgs[0]) != 80+size {
			t.Fatalf("reply %d: %v, %d bytes", i, f.hdrs[0].Status, len(f.msgs[0]))
		}
	}
	if limit := 16<<20/8 + 2*size; worst > limit {
		t.Errorf("%d bytes were queued, want at most %d", worst, limit)
	}
}

// TestReadGate: READs that are owed stop further reading until some are answered.
func TestReadGate(t *testing.T) {
	held := make(chan *Request, 10)
	ts := serve(t, func(cfg *Config) { cfg.MaxReadOutstanding = 100000 })
	ts.mu.Lock()
	ts.read = func(r *Request) { held <- r }
	ts.mu.Unlock()
	c := ts.dial(t, smb2.Dialect311)
	c.credits = 100
	c.mustNegotiate()
	c.mustSetup("anna")
	c.tree("share")
	for range 4 {
		c.write(c.message(c.header(smb2.CommandRead), readRequest(smb2.FileID{Volatile: 1}, 60000)))
	}
	one, two := <-held, <-held
	gate := &ts.snapshot()[0].readGate
	for end := time.Now().Add(timeout); !gate.waiting.Load(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the reader does not wait although READs of 120000 bytes are owed and 100000 is the limit")
		}
	}
	if len(held) > 0 {
		t.Error("a third READ got through")
	}
	one.Fail(ntstatus.EndOfFile)
	three := <-held
	two.Fail(ntstatus.EndOfFile)
	three.Fail(ntstatus.EndOfFile)
	(<-held).Fail(ntstatus.EndOfFile)
	for range 4 {
		if h := c.mustRead().hdrs[0]; h.Status != ntstatus.EndOfFile {
			t.Fatalf("got %v", h.Status)
		}
	}
}

// TestReadGateAndEnd: a reader that waits in the gate leaves when Serve's context ends, whatever the READs do.
func TestReadGateAndEnd(t *testing.T) {
	held := make(chan *Request, 10)
	ts := serve(t, func(cfg *Config) { cfg.MaxReadOutstanding = 100000 })
	ts.mu.Lock()
	ts.read = func(r *Request) { held <- r }
	ts.mu.Unlock()
	ln, err := net.Listen("tcp", "127.3.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ts.Serve(ctx, ln) }()
	ts.addr = ln.Addr().String()
	c := ts.dial(t, smb2.Dialect311)
	c.credits = 100
	c.mustNegotiate()
	c.mustSetup("anna")
	c.tree("share")
	for range 3 {
		c.write(c.message(c.header(smb2.CommandRead), readRequest(smb2.FileID{Volatile: 1}, 60000)))
	}
	one, two := <-held, <-held
	gate := &ts.snapshot()[0].readGate
	for end := time.Now().Add(timeout); !gate.waiting.Load(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the reader does not wait")
		}
	}
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(timeout):
		t.Error("Serve does not return")
	}
	one.Fail(ntstatus.Cancelled)
	two.Fail(ntstatus.Cancelled)
}

// TestReadGateAndPipes: READs that may wait for ever, those of idle pipes, do not keep the connection from being read.
func TestReadGateAndPipes(t *testing.T) {
	held := make(chan *Request, 10)
	ts := serve(t, func(cfg *Config) { cfg.MaxReadOutstanding = 100000 })
	ts.mu.Lock()
	ts.read = func(r *Request) { r.OnCancel(func() { r.Fail(ntstatus.Cancelled) }); held <- r }
	ts.mu.Unlock()
	c := ts.dial(t, smb2.Dialect311)
	c.credits = 100
	c.mustNegotiate()
	c.mustSetup("anna")
	c.tree("share")
	for range 8 {
		c.write(c.message(c.header(smb2.CommandRead), readRequest(smb2.FileID{Volatile: 1}, 60000)))
	}
	for range 8 {
		select {
		case <-held:
		case <-time.After(timeout):
			t.Fatal("the connection is not read any more")
		}
	}
	if owed := ts.snapshot()[0].readGate.owed.Load(); owed != 0 {
		t.Errorf("%d bytes are owed", owed)
	}
	c.nc.Close()
	ts.upper.await(t, "tree share")
	ts.upper.await(t, "session anna")
	ts.upper.await(t, "connection")
}

// TestWriteGate: WRITEs that the backend has not answered stop further reading too.
func TestWriteGate(t *testing.T) {
	held := make(chan *Request, 10)
	ts := serve(t, func(cfg *Config) { cfg.MaxReadOutstanding = 100000 })
	ts.mu.Lock()
	ts.write = func(r *Request) { r.Retain(); held <- r }
	ts.mu.Unlock()
	c := ts.dial(t, smb2.Dialect311)
	c.credits = 100
	c.mustNegotiate()
	c.mustSetup("anna")
	c.tree("share")
	for range 4 {
		c.write(c.message(c.header(smb2.CommandWrite), &smb2.WriteRequest{FileID: smb2.FileID{Volatile: 1}, Data: make([]byte, 60000)}))
	}
	one, two := <-held, <-held
	gate := &ts.snapshot()[0].readGate
	for end := time.Now().Add(timeout); !gate.waiting.Load(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the reader does not wait although WRITEs of 120000 bytes are under way and 100000 is the limit")
		}
	}
	if len(held) > 0 {
		t.Error("a third WRITE got through")
	}
	one.Fail(ntstatus.DiskFull)
	two.Fail(ntstatus.DiskFull)
	(<-held).Fail(ntstatus.DiskFull)
	(<-held).Fail(ntstatus.DiskFull)
	for range 4 {
		if h := c.mustRead().hdrs[0]; h.Status != ntstatus.DiskFull {
			t.Fatalf("got %v", h.Status)
		}
	}
	if owed := gate.owed.Load(); owed != 0 {
		t.Errorf("%d bytes are owed", owed)
	}
}
