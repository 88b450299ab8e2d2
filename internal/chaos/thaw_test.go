package chaos

import (
	"context"
	"encoding/binary"
	"os"
	"testing"
	"time"

	"smbproxy/internal/lab"
	"smbproxy/internal/smb2"
)

// thawed freezes the victim under a truncation, lets another backend take over, writes behind that
// end of file, thaws the victim, and returns what the file has then.
func thawed(t *testing.T, fence lab.Fence) string {
	t.Helper()
	fault, _ := named(Faults(), "freeze", func(f Fault) string { return f.Name })
	fault.Fence = fence
	p := Plan{Seed: 1, Scale: Short}
	e, victim := newEnv(t, p, fault), p.victim()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := e.connect(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Conn.Close()
	r, err := open(c, "f", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.C.Backends[victim].Freeze(); err != nil {
		t.Fatal(err)
	}
	// It lies in the frozen smbd's socket, and is made again elsewhere. A truncation, because smbd
	// does that at once; writes it hands to threads, which end with the connection now and then.
	if _, err := c.Do(smb2.CommandSetInfo, &smb2.SetInfoRequest{InfoType: smb2.InfoFile, FileInfoClass: smb2.FileEndOfFileInformation, FileID: r.FileID,
		Buffer: binary.LittleEndian.AppendUint64(nil, 1)}); err != nil {
		t.Fatal(err)
	}
	if err := write(c, r.FileID, 0, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got := e.C.Fenced(); len(got) != 1 || got[0] != lab.BackendName(victim) {
		t.Errorf("fenced: %v, want the victim once", got)
	}
	if err := e.C.Backends[victim].Thaw(); err != nil {
		t.Fatal(err)
	}
	// What smbd had to do it does at once; that nothing happens has no end to wait for.
	var got []byte
	_ = lab.WaitFor(2*time.Second, func() error {
		if got, err = os.ReadFile(e.path("f")); err == nil && string(got) != "new" {
			return nil
		}
		return context.DeadlineExceeded
	})
	return string(got)
}

// TestThaw: what a frozen backend does after others took over changes nothing, because it was
// fenced; with a fence that only says so, it does.
func TestThaw(t *testing.T) {
	t.Run("fenced", func(t *testing.T) {
		if got := thawed(t, lab.FenceStorage); got != "new" {
			t.Errorf("the file has %q, want what was written last", got)
		}
	})
	t.Run("a fence that lies", func(t *testing.T) {
		if got := thawed(t, lab.FenceLie); got != "n" {
			t.Errorf("the file has %q: without a fence the frozen backend's truncation should have come through, else this test proves nothing", got)
		}
	})
}
