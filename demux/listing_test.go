package demux

import (
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/statedb/core"
)

// lockByte is a LOCK of the first byte.
func lockByte(id smb2.FileID, flags uint32) *smb2.LockRequest {
	return &smb2.LockRequest{FileID: id, Locks: []smb2.LockElement{{Length: 1, Flags: flags}}}
}

// TestCloseOpen closes for an admin what a client has open: whoever waits for it goes on, and the client
// itself learns of it.
func TestCloseOpen(t *testing.T) {
	r := newRig(t, rigOptions{})
	a, b := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
	held, st := a.openAs(nil)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	a.must(smb2.CommandLock, lockByte(held.FileID, core.LockExclusive), nil)
	waits, st := b.openAs(nil)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	p := b.start(smb2.CommandLock, lockByte(waits.FileID, core.LockExclusive))
	if m := b.wait(p); m.Header.Status != ntstatus.Pending {
		t.Fatalf("a lock that must wait: %v", m.Header.Status)
	}

	list := r.demux.Opens()
	if len(list) != 2 || list[0].FileID != held.FileID.Volatile || list[0].User != "user1" || list[0].Share != "share" || list[0].Path != "f" ||
		list[0].Client != a.Conn.NetConn().LocalAddr().String() || list[0].Granted&smb2.FileWriteData == 0 || list[0].ShareAccess != shareAll ||
		list[0].State.Locks != 1 || list[1].State.Locks != 0 {
		t.Errorf("opens: %+v", list)
	}
	if r.demux.CloseOpen(12345) {
		t.Error("an open that does not exist was closed")
	}
	if !r.demux.CloseOpen(held.FileID.Volatile) {
		t.Fatal("not closed")
	}
	if m := b.wait(p); m.Header.Status != ntstatus.Success {
		t.Errorf("the lock that waited: %v", m.Header.Status)
	}
	if st, _ := a.call(smb2.CommandRead, &smb2.ReadRequest{FileID: held.FileID, Length: 1}); st != ntstatus.FileClosed {
		t.Errorf("reading from what was closed: %v", st)
	}
	if st := a.close(held.FileID); st != ntstatus.FileClosed {
		t.Errorf("closing it again: %v", st)
	}
	if r.demux.CloseOpen(held.FileID.Volatile) {
		t.Error("closed twice")
	}
}

// TestCloseOpenDeletes: a file that its handle shall delete goes with it, and its name is free again.
func TestCloseOpenDeletes(t *testing.T) {
	r := newRig(t, rigOptions{})
	a := r.connect(t, "user1", "share")
	m, st := a.create("doomed", allAccess, smb2.FileCreate, smb2.FileDeleteOnClose)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	if !r.demux.CloseOpen(m.FileID.Volatile) {
		t.Fatal("not closed")
	}
	// The next open of the name waits for the backend's answer.
	if _, st := a.create("doomed", allAccess, smb2.FileOpen, 0); st != ntstatus.ObjectNameNotFound {
		t.Errorf("opening it: %v", st)
	}
}

// TestCloseSession ends a session for an admin.
func TestCloseSession(t *testing.T) {
	r := newRig(t, rigOptions{})
	a, b := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
	if _, st := a.openAs(func(q *smb2.CreateRequest) { q.ShareAccess = 0 }); st != ntstatus.Success {
		t.Fatal(st)
	}
	list := r.demux.Sessions()
	if len(list) != 2 || list[0].User != "user1" || list[0].Opens != 1 || list[0].ID != a.ID || list[1].Opens != 0 || list[0].Client != a.Conn.NetConn().LocalAddr().String() {
		t.Errorf("sessions: %+v", list)
	}
	if trees := r.demux.Trees(); len(trees) != 2 || trees[0].Client != list[0].Client || trees[0].Opens != 1 || trees[0].Share != "share" {
		t.Errorf("trees: %+v", trees)
	}
	if r.demux.CloseSession(a.ID + 1) {
		t.Error("a session that does not exist was closed")
	}
	if !r.demux.CloseSession(a.ID) {
		t.Fatal("not closed")
	}
	if _, st := b.openAs(nil); st != ntstatus.Success {
		t.Errorf("what it had open is still in the way: %v", st)
	}
	if m, _ := a.Do(smb2.Header{Command: smb2.CommandTreeConnect}, &smb2.TreeConnectRequest{Path: `\\smbproxy\share`}); m.Header.Status != ntstatus.UserSessionDeleted {
		t.Errorf("using it: %v", m.Header.Status)
	}
}

// TestCloseDetached: a durable handle whose client is away is listed, and can be closed; closing a session closes
// those that would outlive it.
func TestCloseDetached(t *testing.T) {
	r := newRig(t, rigOptions{})
	a := r.durableClient(t, "user1", 1)
	m, st := a.openAs(durableV2(7, 9))
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	r.lost(t, a)
	list := r.demux.Opens()
	if len(list) != 1 || list[0].FileID != m.FileID.Volatile || list[0].SessionID != 0 || list[0].User != "user1" || list[0].Share != "share" ||
		list[0].Path != "f" || list[0].State.Durable != "v2" || list[0].Since.IsZero() {
		t.Errorf("opens: %+v", list)
	}
	if !r.demux.CloseOpen(m.FileID.Volatile) {
		t.Fatal("not closed")
	}
	b := r.durableClient(t, "user1", 1)
	if _, st := b.openAs(comeBack(m.FileID, 7, 9)); st != ntstatus.ObjectNameNotFound {
		t.Errorf("coming back for it: %v", st)
	}
	if m, st = b.openAs(durableV2(8, 9)); st != ntstatus.Success {
		t.Fatal(st)
	}
	if !r.demux.CloseSession(b.ID) {
		t.Fatal("session not closed")
	}
	if list, left := r.demux.Opens(), r.demux.detached.list(); len(list)+len(left) != 0 {
		t.Errorf("left: %+v, %d detached", list, len(left))
	}
}
