package demux

import (
	"context"
	"fmt"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// start sends a request and does not wait for it.
func (c *client) start(cmd smb2.Command, body smb2.Body) *rawsmb.Pending {
	c.t.Helper()
	p, err := c.Start(smb2.Header{Command: cmd, TreeID: c.tree, CreditCharge: 2}, body)
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// wait is the next reply of a request.
func (c *client) wait(p *rawsmb.Pending) rawsmb.Message {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	m, err := p.Wait(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

// cancel sends a CANCEL for a request, by AsyncId if it has one.
func (c *client) cancel(p *rawsmb.Pending, asyncID uint64) {
	c.t.Helper()
	h := smb2.Header{Command: smb2.CommandCancel, MessageID: p.MessageID}
	if asyncID != 0 {
		h.Flags, h.AsyncID = smb2.FlagAsync, asyncID
	}
	if _, err := c.Start(h, &smb2.CancelRequest{}); err != nil {
		c.t.Fatal(err)
	}
}

// TestLockWaits has two clients at one range: the second is told to wait, gets the lock when the first lets go,
// and can give up.
func TestLockWaits(t *testing.T) {
	r := newRig(t, rigOptions{})
	a, b := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
	idA := a.file("f", []byte("x"))
	m, st := b.create("f", allAccess, smb2.FileOpen, 0)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	lock := func(id smb2.FileID, flags uint32) *smb2.LockRequest {
		return &smb2.LockRequest{FileID: id, Locks: []smb2.LockElement{{Length: 1, Flags: flags}}}
	}
	a.must(smb2.CommandLock, lock(idA, smb2.LockFlagExclusiveLock|smb2.LockFlagFailImmediately), nil)
	if st, _ := b.call(smb2.CommandLock, lock(m.FileID, smb2.LockFlagExclusiveLock|smb2.LockFlagFailImmediately)); st != ntstatus.LockNotGranted {
		t.Errorf("lock that may not wait: %v", st)
	}
	for _, async := range []bool{true, false} {
		p := b.start(smb2.CommandLock, lock(m.FileID, smb2.LockFlagExclusiveLock))
		interim := b.wait(p)
		if interim.Header.Status != ntstatus.Pending || interim.Header.AsyncID == 0 {
			t.Fatalf("lock that waits: %v, AsyncId %d", interim.Header.Status, interim.Header.AsyncID)
		}
		id := uint64(0)
		if async {
			id = interim.Header.AsyncID
		}
		b.cancel(p, id)
		if got := b.wait(p).Header; got.Status != ntstatus.Cancelled || got.AsyncID != interim.Header.AsyncID {
			t.Errorf("cancelled lock (by AsyncId: %v): %v, AsyncId %d", async, got.Status, got.AsyncID)
		}
	}
	third := r.connect(t, "user1", "share")
	m3, st := third.create("f", allAccess, smb2.FileOpen, 0)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	p := third.start(smb2.CommandLock, lock(m3.FileID, smb2.LockFlagExclusiveLock))
	if st := third.wait(p).Header.Status; st != ntstatus.Pending {
		t.Fatal(st)
	}
	third.must(smb2.CommandTreeDisconnect, &smb2.TreeDisconnectRequest{}, nil)
	if st := third.wait(p).Header.Status; st != ntstatus.RangeNotLocked {
		t.Errorf("lock that waits while its tree goes: %v", st)
	}
	p = b.start(smb2.CommandLock, lock(m.FileID, smb2.LockFlagExclusiveLock))
	if st := b.wait(p).Header.Status; st != ntstatus.Pending {
		t.Fatal(st)
	}
	a.must(smb2.CommandLock, lock(idA, smb2.LockFlagUnlock), nil)
	if st := b.wait(p).Header.Status; st != ntstatus.Success {
		t.Errorf("lock after the unlock: %v", st)
	}
}

// TestNotify watches a directory: an event, a cancel before and after the interim reply, and the
// directory's close.
func TestNotify(t *testing.T) {
	r := newRig(t, rigOptions{})
	c, w := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
	m, st := c.create("", smb2.FileListDirectory, smb2.FileOpen, smb2.FileDirectoryFile)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	watch := func(id smb2.FileID) *rawsmb.Pending {
		return c.start(smb2.CommandChangeNotify, &smb2.ChangeNotifyRequest{FileID: id, OutputBufferLength: 1024, CompletionFilter: smb2.FileNotifyChangeFileName})
	}
	p := watch(m.FileID)
	if st := c.wait(p).Header.Status; st != ntstatus.Pending {
		t.Fatal(st)
	}
	w.close(w.file("born", nil))
	got := c.wait(p)
	var n smb2.ChangeNotifyResponse
	if err := n.Decode(got.Bytes); got.Header.Status != ntstatus.Success || err != nil || len(n.OutputBuffer) < 12 {
		t.Errorf("event: %v, %v, % x", got.Header.Status, err, n.OutputBuffer)
	}
	p = watch(m.FileID)
	c.cancel(p, 0) // on its heels
	for {
		st := c.wait(p).Header.Status
		if st == ntstatus.Pending {
			continue
		}
		if st != ntstatus.Cancelled {
			t.Errorf("cancelled watch: %v", st)
		}
		break
	}
	p = watch(m.FileID)
	if st := c.wait(p).Header.Status; st != ntstatus.Pending {
		t.Fatal(st)
	}
	if st := c.close(m.FileID); st != ntstatus.Success {
		t.Error(st)
	}
	if st := c.wait(p).Header.Status; st != ntstatus.NotifyCleanup {
		t.Errorf("watch of a closed directory: %v", st)
	}
}

// TestDisconnectClosesAtBackend shows that what a lost client had open is closed behind us: another may open
// it exclusively, and lock it.
func TestDisconnectClosesAtBackend(t *testing.T) {
	r := newRig(t, rigOptions{})
	for name, leave := range map[string]func(*client){
		"connection lost": func(c *client) { c.Conn.Close() },
		"logoff":          func(c *client) { _ = c.Logoff() },
		"tree disconnect": func(c *client) { c.must(smb2.CommandTreeDisconnect, &smb2.TreeDisconnectRequest{}, nil) },
	} {
		a, b := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
		for range 20 {
			a.file("f", nil)
		}
		exclusive := func() ntstatus.Status {
			st, msg := b.call(smb2.CommandCreate, &smb2.CreateRequest{
				ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: allAccess, CreateDisposition: smb2.FileOpen, Name: "f",
			})
			var m smb2.CreateResponse
			if st == ntstatus.Success && m.Decode(msg) == nil {
				b.close(m.FileID)
			}
			return st
		}
		if st := exclusive(); st != ntstatus.SharingViolation {
			t.Errorf("%s: before it, an exclusive open gets %v", name, st)
		}
		leave(a)
		eventually(t, name+" closes the files", func() error {
			if st := exclusive(); st != ntstatus.Success {
				return st
			}
			return nil
		})
		b.Conn.Close()
	}
	eventually(t, "no opens and trees left", func() error {
		clients := 0
		for _, lane := range r.pools["b1"].Status().Lanes {
			clients += lane.Clients
		}
		if n, m := len(r.demux.Opens()), len(r.demux.Trees()); n+m+clients != 0 {
			return fmt.Errorf("%d opens, %d trees, %d clients of the backend", n, m, clients)
		}
		return nil
	})
}
