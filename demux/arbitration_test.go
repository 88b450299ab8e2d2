package demux

import (
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// openAs opens the file f as a test says; nil: as usual.
func (c *client) openAs(edit func(*smb2.CreateRequest)) (smb2.CreateResponse, ntstatus.Status) {
	c.t.Helper()
	return createReply(c.t, c.wait(c.startOpen(edit)))
}

// startOpen sends a CREATE.
func (c *client) startOpen(edit func(*smb2.CreateRequest)) *rawsmb.Pending {
	c.t.Helper()
	m := &smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: smb2.FileReadData | smb2.FileWriteData,
		ShareAccess: shareAll, CreateDisposition: smb2.FileOpenIf, Name: "f",
	}
	if edit != nil {
		edit(m)
	}
	return c.start(smb2.CommandCreate, m)
}

// createReply decodes the reply of a CREATE.
func createReply(t testing.TB, m rawsmb.Message) (r smb2.CreateResponse, st ntstatus.Status) {
	t.Helper()
	if m.Header.Status == ntstatus.Success {
		if err := r.Decode(m.Bytes); err != nil {
			t.Fatal(err)
		}
	}
	return r, m.Header.Status
}

// event waits for a notification.
func (c *client) event() rawsmb.Message {
	c.t.Helper()
	select {
	case m := <-c.Conn.Events:
		return m
	case <-time.After(20 * time.Second):
		c.t.Fatal("no notification")
		panic("unreachable")
	}
}

// TestShareModes has two clients, on as many lanes as there are, at one file: nothing but the state in front
// stands between them, since the backend sees full sharing.
func TestShareModes(t *testing.T) {
	r := newRig(t, rigOptions{lanes: 3})
	a := r.connect(t, "user1", "share")
	m, st := a.openAs(func(q *smb2.CreateRequest) { q.ShareAccess = smb2.FileShareRead })
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	for range 6 {
		b := r.connect(t, "user1", "share")
		if _, st := b.openAs(nil); st != ntstatus.SharingViolation {
			t.Errorf("open for writing beside a reader's share mode: %v", st)
		}
		if _, st := b.openAs(func(q *smb2.CreateRequest) { q.DesiredAccess = smb2.MaximumAllowed }); st != ntstatus.SharingViolation {
			t.Errorf("MAXIMUM_ALLOWED: %v", st)
		}
		if _, st := b.openAs(func(q *smb2.CreateRequest) { q.CreateDisposition = smb2.FileOverwriteIf }); st != ntstatus.SharingViolation {
			t.Errorf("overwrite: %v", st)
		}
		if m, st := b.openAs(func(q *smb2.CreateRequest) { q.DesiredAccess = smb2.FileReadAttributes }); st != ntstatus.Success {
			t.Errorf("open for attributes: %v", st)
		} else {
			b.close(m.FileID)
		}
	}
	a.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: m.FileID, Data: []byte("kept")}, nil)
	if got := string(a.read(m.FileID, 10)); got != "kept" {
		t.Errorf("refused overwrites left %q", got)
	}
	a.close(m.FileID)
	b := r.connect(t, "user1", "share")
	m, st = b.openAs(func(q *smb2.CreateRequest) {
		q.CreateDisposition, q.DesiredAccess = smb2.FileOverwriteIf, smb2.FileReadData
	})
	if st != ntstatus.Success || m.CreateAction != smb2.FileOverwritten || m.EndofFile != 0 {
		t.Fatalf("overwrite by a reader: %v, action %v, %d bytes", st, m.CreateAction, m.EndofFile)
	}
	if st, _ := b.call(smb2.CommandWrite, &smb2.WriteRequest{FileID: m.FileID, Data: []byte("x")}); st != ntstatus.AccessDenied {
		t.Errorf("WRITE by the handle of a reader: %v", st)
	}
}

// TestOplockBreak lets a second client's open wait for the first one's batch oplock.
func TestOplockBreak(t *testing.T) {
	r := newRig(t, rigOptions{lanes: 2})
	a, b := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
	m, st := a.openAs(func(q *smb2.CreateRequest) { q.RequestedOplockLevel = smb2.OplockLevelBatch })
	if st != ntstatus.Success || m.OplockLevel != smb2.OplockLevelBatch {
		t.Fatalf("first open: %v, oplock %v", st, m.OplockLevel)
	}
	for range 2 { // the second time nobody caches writes
		p := b.startOpen(func(q *smb2.CreateRequest) { q.RequestedOplockLevel = smb2.OplockLevelII })
		reply := b.wait(p)
		if reply.Header.Status == ntstatus.Pending {
			var n smb2.OplockBreakNotification
			ev := a.event()
			if err := n.Decode(ev.Bytes); err != nil || n.FileID != m.FileID || n.OplockLevel != smb2.OplockLevelII ||
				ev.Header.Flags&smb2.FlagSigned != 0 || ev.Header.SessionID != 0 || ev.Header.TreeID != 0 {
				t.Fatalf("break %+v in %+v, %v", n, ev.Header, err)
			}
			var ack smb2.OplockBreakResponse
			a.must(smb2.CommandOplockBreak, &smb2.OplockBreakRequest{FileID: m.FileID, OplockLevel: smb2.OplockLevelII}, &ack)
			if ack.OplockLevel != smb2.OplockLevelII || ack.FileID != m.FileID {
				t.Errorf("acknowledged: %+v", ack)
			}
			reply = b.wait(p)
		}
		if mb, st := createReply(t, reply); st != ntstatus.Success || mb.OplockLevel != smb2.OplockLevelII {
			t.Fatalf("second open: %v, oplock %v", st, mb.OplockLevel)
		}
	}
	if st, _ := a.call(smb2.CommandOplockBreak, &smb2.OplockBreakRequest{FileID: m.FileID}); st != ntstatus.InvalidOplockProtocol {
		t.Errorf("acknowledgement of no break: %v", st)
	}
	a.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: m.FileID, Data: []byte("x")}, nil)
	var n smb2.OplockBreakNotification
	if err := n.Decode(b.event().Bytes); err != nil || n.OplockLevel != smb2.OplockLevelNone {
		t.Errorf("WRITE breaks the other's level II to %v, %v", n.OplockLevel, err)
	}
}

// TestOpenThatWaitsIsCancelled cancels an open that waits for a break, and sees that nothing is left of it.
func TestOpenThatWaitsIsCancelled(t *testing.T) {
	r := newRig(t, rigOptions{})
	a, b := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
	m, _ := a.openAs(func(q *smb2.CreateRequest) { q.RequestedOplockLevel = smb2.OplockLevelExclusive })
	p := b.startOpen(nil)
	interim := b.wait(p)
	if interim.Header.Status != ntstatus.Pending {
		t.Fatal(interim.Header.Status)
	}
	b.cancel(p, interim.Header.AsyncID)
	if st := b.wait(p).Header.Status; st != ntstatus.Cancelled {
		t.Errorf("cancelled: %v", st)
	}
	a.must(smb2.CommandOplockBreak, &smb2.OplockBreakRequest{FileID: m.FileID}, nil)
	a.close(m.FileID)
	if _, st := b.openAs(func(q *smb2.CreateRequest) { q.ShareAccess = 0 }); st != ntstatus.Success {
		t.Errorf("exclusive open afterwards: %v", st)
	}
}

// TestMandatoryLocks has a lock stand against the other client's READ and WRITE, and not once it is gone.
func TestMandatoryLocks(t *testing.T) {
	r := newRig(t, rigOptions{lanes: 2})
	a, b := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
	idA := a.file("f", []byte("0123456789"))
	m, _ := b.openAs(nil)
	lock := func(flags uint32) *smb2.LockRequest {
		return &smb2.LockRequest{FileID: idA, Locks: []smb2.LockElement{{Offset: 4, Length: 2, Flags: flags}}}
	}
	try := func(offset uint64, n int) [2]ntstatus.Status {
		rd, _ := b.call(smb2.CommandRead, &smb2.ReadRequest{FileID: m.FileID, Offset: offset, Length: uint32(n)})
		wr, _ := b.call(smb2.CommandWrite, &smb2.WriteRequest{FileID: m.FileID, Offset: offset, Data: make([]byte, n)})
		return [2]ntstatus.Status{rd, wr}
	}
	const ok, conflict = ntstatus.Success, ntstatus.FileLockConflict
	a.must(smb2.CommandLock, lock(smb2.LockFlagSharedLock|smb2.LockFlagFailImmediately), nil)
	if got := try(0, 5); got != [2]ntstatus.Status{ok, conflict} {
		t.Errorf("into a shared lock: %v", got)
	}
	a.must(smb2.CommandLock, lock(smb2.LockFlagUnlock), nil)
	a.must(smb2.CommandLock, lock(smb2.LockFlagExclusiveLock|smb2.LockFlagFailImmediately), nil)
	if got := try(5, 3); got != [2]ntstatus.Status{conflict, conflict} {
		t.Errorf("into an exclusive lock: %v", got)
	}
	if got := try(6, 3); got != [2]ntstatus.Status{ok, ok} {
		t.Errorf("beside the lock: %v", got)
	}
	a.close(idA)
	if got := try(4, 2); got != [2]ntstatus.Status{ok, ok} {
		t.Errorf("after the locker's CLOSE: %v", got)
	}
}

// TestDeleteOnClose deletes a file with its last handle, and not before; meanwhile it opens for nobody.
func TestDeleteOnClose(t *testing.T) {
	r := newRig(t, rigOptions{lanes: 2})
	a, b := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
	other := b.file("f", []byte("x"))
	m, st := a.create("f", allAccess, smb2.FileOpen, smb2.FileDeleteOnClose)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	if st := a.close(m.FileID); st != ntstatus.Success {
		t.Fatal(st)
	}
	if _, st := a.openAs(nil); st != ntstatus.DeletePending {
		t.Errorf("open of what is to be deleted: %v", st)
	}
	if got := string(b.read(other, 1)); got != "x" {
		t.Errorf("the other handle reads %q", got)
	}
	b.close(other)
	if _, st := a.create("f", allAccess, smb2.FileOpen, 0); st != ntstatus.ObjectNameNotFound {
		t.Errorf("open after the last CLOSE: %v", st)
	}
}
