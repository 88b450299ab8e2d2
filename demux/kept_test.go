package demux

import (
	"bytes"
	"fmt"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// keptBytes is how much is kept for a backend.
func (r *rig) keptBytes(name string) int64 { return r.demux.kept.sum(r.pools[name]).Load() }

// TestKeptUntilFlushed: what a WRITE carried is kept until a FLUSH that came after it, or the file is gone; what goes
// through to the disk never is.
func TestKeptUntilFlushed(t *testing.T) {
	r := newRig(t, rigOptions{demux: func(c *Config) {
		c.Shares = append(c.Shares, Share{Name: "strict", Backends: []string{"b1"}, BackendShare: "share", StrictAcknowledge: true})
	}})
	want := func(what string, n int64) {
		t.Helper()
		if got := r.keptBytes("b1"); got != n {
			t.Errorf("%s: %d bytes are kept, want %d", what, got, n)
		}
	}
	c := r.connect(t, "user1", "share")
	id := c.file("f", bytes.Repeat([]byte("x"), 1000))
	want("one WRITE", 1000)
	c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Offset: 1000, Data: []byte("more")}, nil)
	want("two", 1004)
	c.must(smb2.CommandFlush, &smb2.FlushRequest{FileID: id}, nil)
	want("FLUSH", 0)
	c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Data: []byte("through"), Flags: smb2.WriteFlagWriteThrough}, nil)
	want("WRITE_THROUGH", 0)
	c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Data: []byte("gone")}, nil)
	want("WRITE", 4)
	c.must(smb2.CommandSetInfo, &smb2.SetInfoRequest{InfoType: smb2.InfoFile, FileInfoClass: smb2.FileDispositionInformation, FileID: id, Buffer: []byte{1}}, nil)
	if st := c.close(id); st != ntstatus.Success {
		t.Fatal(st)
	}
	want("deleted", 0)
	strict := r.connect(t, "user1", "strict")
	strict.file("g", []byte("data"))
	want("strict acknowledge", 0)
}

// TestKeptIsBounded: at the limit we flush by ourselves.
func TestKeptIsBounded(t *testing.T) {
	r := newRig(t, rigOptions{demux: func(c *Config) { c.UnflushedLimit = 100 << 10 }})
	c := r.connect(t, "user1", "share")
	for i := range 8 {
		id := c.file(fmt.Sprintf("f%d", i), make([]byte, 60<<10))
		if st := c.close(id); st != ntstatus.Success { // a file that nobody has open is flushed too
			t.Fatal(st)
		}
		if n := r.keptBytes("b1"); n > 2*100<<10+60<<10 {
			t.Fatalf("%d bytes are kept", n)
		}
	}
	eventually(t, "below the limit", func() error {
		if n := r.keptBytes("b1"); n > 100<<10 {
			return fmt.Errorf("%d bytes are kept", n)
		}
		return nil
	})
}

// TestKeptBeforeTheEnd: what is kept is flushed before we end.
func TestKeptBeforeTheEnd(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.connect(t, "user1", "share")
	open, shut := c.file("open", []byte("data")), c.file("shut", []byte("data"))
	if st := c.close(shut); st != ntstatus.Success {
		t.Fatal(st)
	}
	r.demux.FlushKept(t.Context())
	if n := r.keptBytes("b1"); n != 0 {
		t.Errorf("%d bytes are kept", n)
	}
	if got := c.read(open, 9); string(got) != "data" {
		t.Errorf("read %q", got)
	}
}

// TestKeptMoves: what a lost backend had is another's after the move, and the bytes are there.
func TestKeptMoves(t *testing.T) {
	r := newRig(t, rigOptions{backends: 2, demux: bothShare})
	c := r.connect(t, "user1", "both")
	id := c.file("f", []byte("first"))
	from, to := 0, "b2"
	if r.demux.Opens()[0].Backend == "b2" {
		from, to = 1, "b1"
	}
	if err := r.smbd[from].Kill(); err != nil {
		t.Fatal(err)
	}
	if got := c.read(id, 5); string(got) != "first" {
		t.Errorf("read %q", got)
	}
	if n := r.keptBytes(to); n != 5 {
		t.Errorf("%d bytes are kept for the backend that was moved to, want 5", n)
	}
	c.must(smb2.CommandFlush, &smb2.FlushRequest{FileID: id}, nil)
	if n := r.keptBytes(to); n != 0 {
		t.Errorf("%d bytes are kept after FLUSH", n)
	}
}

// TestKeptGone: bytes that cannot be had any more are told of once by each kind of request that would claim them.
func TestKeptGone(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.connect(t, "user1", "share")
	id := c.file("f", []byte("data"))
	gone := func() {
		o := c.openOf(r, id)
		r.demux.kept.fail(o.key())
	}
	write, flush := &smb2.WriteRequest{FileID: id, Data: []byte("x")}, &smb2.FlushRequest{FileID: id}
	gone()
	if st, _ := c.call(smb2.CommandWrite, write); st != ntstatus.IoDeviceError {
		t.Errorf("WRITE: %v", st)
	}
	c.must(smb2.CommandWrite, write, nil)
	gone()
	if st, _ := c.call(smb2.CommandFlush, flush); st != ntstatus.IoDeviceError {
		t.Errorf("FLUSH: %v", st)
	}
	c.must(smb2.CommandFlush, flush, nil)
	gone()
	if st := c.close(id); st != ntstatus.IoDeviceError {
		t.Errorf("CLOSE: %v", st)
	}
	if n := r.demux.kept.failed.Load(); n != 0 {
		t.Errorf("%d files have failed and nobody was told", n)
	}
}

// openOf is the open behind a client's id.
func (c *client) openOf(r *rig, id smb2.FileID) *open {
	c.t.Helper()
	o := r.demux.clientSession(c.Session.ID).find(id)
	if o == nil {
		c.t.Fatal("no such open")
	}
	return o
}
