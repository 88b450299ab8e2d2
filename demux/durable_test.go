package demux

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// durableClient is a client that keeps its ClientGuid when it comes back.
func (r *rig) durableClient(t testing.TB, user string, guid byte) *client {
	t.Helper()
	c := r.login(t, user, rawsmb.Options{ClientGUID: smb2.GUID{guid}})
	if st := c.treeConnect("share"); st != ntstatus.Success {
		t.Fatal(st)
	}
	return c
}

// lost cuts the client's connection and waits until its session is gone.
func (r *rig) lost(t testing.TB, c *client) {
	t.Helper()
	c.Conn.Close()
	eventually(t, "lost session", func() error {
		if r.demux.clientSession(c.Session.ID) != nil {
			return errors.New("there")
		}
		return nil
	})
}

// durableV2 asks for a durable handle under a lease RWH.
func durableV2(guid, key byte) func(*smb2.CreateRequest) {
	return func(q *smb2.CreateRequest) {
		q.RequestedOplockLevel = smb2.OplockLevelLease
		lease := smb2.RequestLease{LeaseKey: smb2.LeaseKey{key}, LeaseState: smb2.LeaseReadCaching | smb2.LeaseWriteCaching | smb2.LeaseHandleCaching, V2: true}
		durable := smb2.DurableHandleRequestV2{CreateGUID: smb2.GUID{guid}, Timeout: 60000}
		q.CreateContexts = []smb2.CreateContext{
			{Name: []byte(smb2.CreateRequestLease), Data: lease.Append(nil)},
			{Name: []byte(smb2.CreateDurableHandleRequestV2), Data: durable.Append(nil)},
		}
	}
}

// comeBack asks for the open again.
func comeBack(id smb2.FileID, guid, key byte) func(*smb2.CreateRequest) {
	return func(q *smb2.CreateRequest) {
		q.RequestedOplockLevel = smb2.OplockLevelLease
		lease := smb2.RequestLease{LeaseKey: smb2.LeaseKey{key}, V2: true}
		again := smb2.DurableHandleReconnectV2{FileID: id, CreateGUID: smb2.GUID{guid}}
		q.CreateContexts = []smb2.CreateContext{
			{Name: []byte(smb2.CreateRequestLease), Data: lease.Append(nil)},
			{Name: []byte(smb2.CreateDurableHandleReconnectV2), Data: again.Append(nil)},
		}
	}
}

func hasContext(m *smb2.CreateResponse, name string) bool {
	for _, c := range m.CreateContexts {
		if string(c.Name) == name {
			return true
		}
	}
	return false
}

// TestDurableReconnect: an open with its lease and locks outlives its connection, for its user and client only.
func TestDurableReconnect(t *testing.T) {
	r := newRig(t, rigOptions{lanes: 2})
	a := r.durableClient(t, "user1", 1)
	m, st := a.openAs(durableV2(7, 9))
	if st != ntstatus.Success || !hasContext(&m, smb2.CreateDurableHandleRequestV2) {
		t.Fatalf("%v, contexts %v", st, m.CreateContexts)
	}
	a.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: m.FileID, Data: []byte("kept")}, nil)
	r.lost(t, a)

	b := r.durableClient(t, "user2", 1)
	if _, st := b.openAs(comeBack(m.FileID, 7, 9)); st != ntstatus.AccessDenied {
		t.Errorf("another user: %v", st)
	}
	b = r.durableClient(t, "user1", 2)
	if _, st := b.openAs(comeBack(m.FileID, 7, 9)); st != ntstatus.ObjectNameNotFound {
		t.Errorf("another client's lease: %v", st)
	}
	if st := b.close(m.FileID); st != ntstatus.FileClosed {
		t.Errorf("closing a detached open by its id: %v", st)
	}
	a = r.durableClient(t, "user1", 1)
	if _, st := a.openAs(comeBack(m.FileID, 8, 9)); st != ntstatus.ObjectNameNotFound {
		t.Errorf("wrong CreateGuid: %v", st)
	}
	back, st := a.openAs(comeBack(m.FileID, 7, 9))
	if st != ntstatus.Success || back.OplockLevel != smb2.OplockLevelLease || back.EndofFile != 4 || back.CreateAction != smb2.FileOpened {
		t.Fatalf("%v %+v", st, back)
	}
	if got := a.read(back.FileID, 10); string(got) != "kept" {
		t.Errorf("read %q", got)
	}
	if _, st := a.openAs(comeBack(m.FileID, 7, 9)); st != ntstatus.ObjectNameNotFound {
		t.Errorf("twice: %v", st)
	}
	if st := a.close(back.FileID); st != ntstatus.Success {
		t.Error(st)
	}
	r.noOpens(t)
}

// noOpens waits until neither the state nor demux knows an open.
func (r *rig) noOpens(t testing.TB) {
	t.Helper()
	eventually(t, "no opens", func() error {
		if n := r.state.Stats().Opens; n != 0 || len(r.demux.detached.list()) != 0 || len(r.demux.Opens()) != 0 {
			return fmt.Errorf("%d opens, %d detached, %d in sessions", n, len(r.demux.detached.list()), len(r.demux.Opens()))
		}
		return nil
	})
}

// TestDurableEnds: TREE_DISCONNECT ends a durable open, LOGOFF does not; a conflict does while it is detached; its
// handle at the backend goes with it.
func TestDurableEnds(t *testing.T) {
	r := newRig(t, rigOptions{})
	open := func(guid byte) (*client, smb2.FileID) {
		c := r.durableClient(t, "user1", 1)
		m, st := c.openAs(durableV2(guid, guid))
		if st != ntstatus.Success {
			t.Fatal(st)
		}
		return c, m.FileID
	}
	a, id := open(1)
	a.must(smb2.CommandTreeDisconnect, &smb2.TreeDisconnectRequest{}, nil)
	r.noOpens(t)
	b := r.durableClient(t, "user1", 1)
	if _, st := b.openAs(comeBack(id, 1, 1)); st != ntstatus.ObjectNameNotFound {
		t.Errorf("after TREE_DISCONNECT: %v", st)
	}
	a, id = open(2)
	if err := a.Logoff(); err != nil {
		t.Fatal(err)
	}
	m, st := b.openAs(comeBack(id, 2, 2))
	if st != ntstatus.Success {
		t.Fatalf("after LOGOFF: %v", st)
	}
	if st := b.close(m.FileID); st != ntstatus.Success {
		t.Fatal(st)
	}
	a, id = open(3)
	r.lost(t, a)
	other := r.durableClient(t, "user1", 2)
	m, st = other.openAs(func(q *smb2.CreateRequest) { q.ShareAccess = 0 })
	if st != ntstatus.Success {
		t.Fatalf("what is in the way of another is not kept: %v", st)
	}
	if _, st := b.openAs(comeBack(id, 3, 3)); st != ntstatus.ObjectNameNotFound {
		t.Errorf("after a conflict: %v", st)
	}
	if st := other.close(m.FileID); st != ntstatus.Success {
		t.Fatal(st)
	}
	r.noOpens(t)
}

// TestDurableLostLane: the handle at the backend may go while the client is away.
func TestDurableLostLane(t *testing.T) {
	r := newRig(t, rigOptions{})
	a := r.durableClient(t, "user1", 1)
	m, st := a.openAs(durableV2(7, 9))
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	a.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: m.FileID, Data: []byte("kept")}, nil)
	r.lost(t, a)
	if err := r.smbd[0].Kill(); err != nil {
		t.Fatal(err)
	}
	if err := r.smbd[0].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "reconnect", func() error {
		a = r.login(t, "user1", rawsmb.Options{ClientGUID: smb2.GUID{1}})
		if st := a.treeConnect("share"); st != ntstatus.Success {
			return st
		}
		back, st := a.openAs(comeBack(m.FileID, 7, 9))
		if st != ntstatus.Success {
			return st
		}
		if got := a.read(back.FileID, 10); string(got) != "kept" {
			t.Errorf("read %q", got)
		}
		return nil
	})
}

// TestResilient: a resilient open outlives its connection without caching anything.
func TestResilient(t *testing.T) {
	r := newRig(t, rigOptions{})
	a := r.durableClient(t, "user1", 1)
	m, st := a.openAs(func(q *smb2.CreateRequest) { q.ShareAccess = smb2.FileShareRead })
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	if st, _ := a.ioctl(m.FileID, smb2.FsctlLmrRequestResiliency, []byte{1}); st != ntstatus.InvalidParameter {
		t.Errorf("short request: %v", st)
	}
	in := smb2.NetworkResiliencyRequest{Timeout: 30000}
	if st, _ := a.ioctl(m.FileID, smb2.FsctlLmrRequestResiliency, in.Append(nil)); st != ntstatus.Success {
		t.Fatal(st)
	}
	r.lost(t, a)
	b := r.durableClient(t, "user1", 2)
	if _, st := b.openAs(nil); st != ntstatus.FileNotAvailable {
		t.Errorf("its share mode holds: %v", st)
	}
	again := smb2.DurableHandleReconnect{FileID: m.FileID}
	back, st := b.openAs(func(q *smb2.CreateRequest) {
		q.CreateContexts = []smb2.CreateContext{{Name: []byte(smb2.CreateDurableHandleReconnect), Data: again.Append(nil)}}
	})
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	if st := b.close(back.FileID); st != ntstatus.Success {
		t.Error(st)
	}
	r.noOpens(t)
}

// smbdOpens counts what the backend's processes have open below a name.
func (r *rig) smbdOpens(t testing.TB, name string) (n int) {
	t.Helper()
	for _, pid := range r.smbd[0].Pids() {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range links {
			if to, err := os.Readlink(l); err == nil && strings.HasPrefix(filepath.Base(to), name) {
				n++
			}
		}
	}
	return n
}

// TestLostClient: what a lost client had open is gone with its connection, in the state at once, and then at the
// backend.
func TestLostClient(t *testing.T) {
	r := newRig(t, rigOptions{})
	a := r.connect(t, "user1", "share")
	const n = 1000
	pending := make([]*rawsmb.Pending, n)
	for i := range pending {
		pending[i] = a.startOpen(func(q *smb2.CreateRequest) { q.Name = fmt.Sprint("lost", i) })
		if i%10 == 9 {
			for _, p := range pending[i-9 : i+1] {
				if _, st := createReply(t, a.wait(p)); st != ntstatus.Success {
					t.Fatal(st)
				}
			}
		}
	}
	if got := r.smbdOpens(t, "lost"); got != n {
		t.Fatalf("%d handles at the backend before, want %d", got, n)
	}
	b := r.connect(t, "user1", "share")
	begun := time.Now()
	r.lost(t, a)
	t.Logf("%d opens of a lost client are released after %v", n, time.Since(begun))
	if s := r.state.Stats(); s.Opens != 0 {
		t.Errorf("%d opens when the session is gone", s.Opens)
	}
	eventually(t, "handles at the backend", func() error {
		if left := r.smbdOpens(t, "lost"); left != 0 {
			return fmt.Errorf("%d", left)
		}
		return nil
	})
	if _, st := b.openAs(func(q *smb2.CreateRequest) { q.Name, q.ShareAccess = "lost1", 0 }); st != ntstatus.Success {
		t.Error(st)
	}
}

// TestReconnectWaits: a client that comes back gets its open when what it sent before has been done.
func TestReconnectWaits(t *testing.T) {
	r := newRig(t, rigOptions{})
	a := r.durableClient(t, "user1", 1)
	m, st := a.openAs(durableV2(7, 9))
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	old := r.demux.clientSession(a.Session.ID).find(m.FileID)
	old.sequence.mu.Lock()
	token, _ := old.sequence.state.Begin(0, true, false) // a WRITE that its backend takes its time with
	old.sequence.mu.Unlock()
	r.lost(t, a)
	a = r.durableClient(t, "user1", 1)
	p := a.startOpen(comeBack(m.FileID, 7, 9))
	eventually(t, "the reconnect to wait", func() error {
		old.sequence.mu.Lock()
		defer old.sequence.mu.Unlock()
		if old.sequence.quiet == nil {
			return errors.New("nobody waits")
		}
		return nil
	})
	(&op{counted: old, token: token}).requestEnded()
	if _, st := createReply(t, a.wait(p)); st != ntstatus.Success {
		t.Error(st)
	}
}
