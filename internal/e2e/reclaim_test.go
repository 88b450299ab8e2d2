package e2e

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// reclaimRuns is how often smbproxy is killed; make reclaim says 100.
var (
	reclaimRuns = flag.Int("reclaim.runs", 2, "how often TestReclaim kills smbproxy")
	reclaimSeed = flag.Uint64("reclaim.seed", 0, "of TestReclaim; 0: by the clock")
)

// The shape of what writers do.
const (
	reclaimWriters = 4
	reclaimBlock   = 4096
	lockAt         = uint64(1) << 40 // beyond all data
)

// writer is a client with one persistent handle. Its file has nothing but what it writes.
type writer struct {
	t     *testing.T
	addr  string
	user  lab.User
	n     int
	share smb2.ShareAccess

	tree  *rawsmb.Tree
	id    smb2.FileID
	acked int // blocks whose WRITE was answered
}

func (w *writer) name() string { return fmt.Sprintf("writer%d", w.n) }

// guid is one of the writer's; kind parts ClientGuid, CreateGuid and lease key.
func (w *writer) guid(kind byte) (g [16]byte) { g[0], g[1] = kind, byte(w.n+1); return g }

// connect logs on as the client that it always is.
func (w *writer) connect() {
	w.t.Helper()
	c, err := rawsmb.Dial(w.t.Context(), w.addr, rawsmb.Options{ClientGUID: smb2.GUID(w.guid('C'))})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	s, err := c.Login(w.t.Context(), w.user.Name, w.user.Password)
	if err != nil {
		w.t.Fatal(err)
	}
	s.Sign = true
	if w.tree, err = s.TreeConnect("share"); err != nil {
		w.t.Fatal(err)
	}
	if w.tree.Resp.Capabilities&smb2.ShareCapContinuousAvailability == 0 {
		w.t.Fatal("the share is not continuously available")
	}
}

// open sends the CREATE with a durable context and a lease RWH, and returns the lease of the answer.
func (w *writer) open(context smb2.CreateContext) (smb2.CreateResponse, smb2.RequestLease) {
	w.t.Helper()
	lease := smb2.RequestLease{
		LeaseKey: smb2.LeaseKey(w.guid('L')), LeaseState: smb2.LeaseReadCaching | smb2.LeaseWriteCaching | smb2.LeaseHandleCaching, V2: true,
	}
	m, err := w.tree.Do(smb2.CommandCreate, &smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: smb2.FileReadData | smb2.FileWriteData | smb2.FileReadAttributes,
		ShareAccess: w.share, CreateDisposition: smb2.FileOpenIf, Name: w.name(), RequestedOplockLevel: smb2.OplockLevelLease,
		CreateContexts: []smb2.CreateContext{{Name: []byte(smb2.CreateRequestLease), Data: lease.Append(nil)}, context},
	})
	var r smb2.CreateResponse
	if err == nil {
		err = r.Decode(m.Bytes)
	}
	if err != nil {
		w.t.Fatalf("%s: %v", w.name(), err)
	}
	var got smb2.RequestLease
	for _, c := range r.CreateContexts {
		if string(c.Name) == smb2.CreateRequestLease {
			if err := got.Decode(c.Data); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	return r, got
}

// begin makes the persistent handle and locks a range.
func (w *writer) begin() {
	w.t.Helper()
	w.connect()
	q := smb2.DurableHandleRequestV2{Flags: smb2.DurableFlagPersistent, Timeout: 60000, CreateGUID: smb2.GUID(w.guid('O'))}
	r, lease := w.open(smb2.CreateContext{Name: []byte(smb2.CreateDurableHandleRequestV2), Data: q.Append(nil)})
	var a smb2.DurableHandleResponseV2
	for _, c := range r.CreateContexts {
		if string(c.Name) == smb2.CreateDurableHandleRequestV2 {
			if err := a.Decode(c.Data); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	if a.Flags&smb2.DurableFlagPersistent == 0 || lease.LeaseState != smb2.LeaseReadCaching|smb2.LeaseWriteCaching|smb2.LeaseHandleCaching {
		w.t.Fatalf("%s: durable answer %+v, lease %v", w.name(), a, lease.LeaseState)
	}
	w.id = r.FileID
	w.lock(smb2.LockFlagExclusiveLock | smb2.LockFlagFailImmediately)
}

// lock locks or unlocks the range.
func (w *writer) lock(flags uint32) {
	w.t.Helper()
	_, err := w.tree.Do(smb2.CommandLock, &smb2.LockRequest{FileID: w.id, Locks: []smb2.LockElement{{Offset: lockAt, Length: 16, Flags: flags}}})
	if err != nil {
		w.t.Fatalf("%s: lock: %v", w.name(), err)
	}
}

// block is what stands at a place of the file.
func (w *writer) block(n int) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("%02d %012d\n", w.n, n)), reclaimBlock/16)
}

// write writes blocks until the connection is lost; each that is answered is counted.
func (w *writer) write(total *atomic.Int64, enough func(int64)) {
	for {
		_, err := w.tree.Do(smb2.CommandWrite, &smb2.WriteRequest{FileID: w.id, Offset: uint64(w.acked * reclaimBlock), Data: w.block(w.acked)})
		if err != nil {
			var st ntstatus.Status
			if errors.As(err, &st) && st.IsError() {
				w.t.Errorf("%s: block %d: %v", w.name(), w.acked, err)
			}
			return
		}
		w.acked++
		enough(total.Add(1))
	}
}

// reclaim comes back for the handle after the restart.
func (w *writer) reclaim() smb2.RequestLease {
	w.t.Helper()
	w.connect()
	q := smb2.DurableHandleReconnectV2{FileID: w.id, CreateGUID: smb2.GUID(w.guid('O')), Flags: smb2.DurableFlagPersistent}
	r, lease := w.open(smb2.CreateContext{Name: []byte(smb2.CreateDurableHandleReconnectV2), Data: q.Append(nil)})
	if r.FileID.Persistent != w.id.Persistent {
		w.t.Errorf("%s: FileId %v, before %v", w.name(), r.FileID, w.id)
	}
	w.id = r.FileID
	return lease
}

// verify reads all that was acknowledged.
func (w *writer) verify() {
	w.t.Helper()
	for n := range w.acked {
		m, err := w.tree.Do(smb2.CommandRead, &smb2.ReadRequest{FileID: w.id, Offset: uint64(n * reclaimBlock), Length: reclaimBlock})
		var r smb2.ReadResponse
		if err == nil {
			err = r.Decode(m.Bytes)
		}
		if err != nil || !bytes.Equal(r.Data, w.block(n)) {
			w.t.Fatalf("%s: block %d of %d acknowledged ones is lost: %v", w.name(), n, w.acked, err)
		}
	}
}

// acknowledge answers the break of the writer's lease.
func (w *writer) acknowledge() {
	w.t.Helper()
	select {
	case e := <-w.tree.Conn.Events:
		var b smb2.LeaseBreakNotification
		if err := b.Decode(e.Bytes); err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.tree.Do(smb2.CommandOplockBreak, &smb2.LeaseBreakRequest{LeaseKey: b.LeaseKey, LeaseState: b.NewLeaseState}); err != nil {
			w.t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		w.t.Fatalf("%s hears nothing of the break that it missed", w.name())
	}
}

// TestReclaim kills smbproxy (kill -9) while clients write through persistent handles. After its restart other clients
// meet the share modes, leases and locks of those handles; their clients get them back with all that they hold, and
// every acknowledged byte is there.
func TestReclaim(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{
		Shares: []lab.Share{{Name: "share", Lines: []string{"other writers = no", "continuous availability = yes"}}},
	})
	seed := *reclaimSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for run := range *reclaimRuns {
		t.Run(fmt.Sprint(run), func(t *testing.T) { reclaimOnce(t, c, 1+random.Int64N(150)) })
		if t.Failed() {
			return
		}
	}
}

// reclaimOnce is one run: smbproxy is killed when so many blocks are written.
func reclaimOnce(t *testing.T, c *lab.Cluster, after int64) {
	writers := make([]*writer, reclaimWriters)
	for i := range writers {
		writers[i] = &writer{t: t, addr: c.Proxy.Addr(), user: c.Lab.User("user1"), n: i, share: smb2.FileShareRead | smb2.FileShareWrite}
		if i == 0 {
			writers[i].share = 0
		}
		if err := os.Remove(filepath.Join(c.ShareDir("share"), writers[i].name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		writers[i].begin()
	}
	plain := &writer{t: t, addr: c.Proxy.Addr(), user: c.Lab.User("user1"), n: 90}
	plain.connect()
	if _, err := plain.tree.Create(smb2.CreateRequest{Name: "plain"}); err != nil {
		t.Fatal(err)
	}
	var total atomic.Int64
	var once sync.Once
	kill := make(chan struct{})
	enough := func(n int64) {
		if n >= after {
			once.Do(func() { close(kill) })
		}
	}
	var work sync.WaitGroup
	for _, w := range writers {
		work.Go(func() { w.write(&total, enough) })
	}
	<-kill
	if err := c.Proxy.Kill(); err != nil {
		t.Fatal(err)
	}
	work.Wait()
	if err := c.Proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	afterRestart(t, c, writers)
}

// afterRestart has an intruder meet what the writers hold, and the writers come back.
func afterRestart(t *testing.T, c *lab.Cluster, writers []*writer) {
	intruder := &writer{t: t, addr: c.Proxy.Addr(), user: c.Lab.User("user1"), n: 91}
	intruder.connect()
	if _, err := intruder.tree.Create(smb2.CreateRequest{Name: writers[0].name()}); !errors.Is(err, ntstatus.FileNotAvailable) {
		t.Errorf("a file that nobody shares, before its client is back: %v", err)
	}
	waits, err := intruder.tree.Start(smb2.CommandCreate, &smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: smb2.FileReadData | smb2.FileWriteData, Name: writers[1].name(),
		ShareAccess: smb2.FileShareRead | smb2.FileShareWrite, CreateDisposition: smb2.FileOpen,
	})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := waits.Wait(t.Context()); err != nil || m.Header.Status != ntstatus.Pending {
		t.Fatalf("a file under a lease RWH, before its client is back: %v %v", m.Header.Status, err)
	}
	if _, err := intruder.tree.Create(smb2.CreateRequest{Name: "plain", ShareAccess: smb2.FileShareDelete}); err != nil {
		t.Errorf("a file that was open without a persistent handle: %v", err)
	}
	for i, w := range writers {
		lease := w.reclaim()
		if want := smb2.LeaseReadCaching | smb2.LeaseWriteCaching | smb2.LeaseHandleCaching; i != 1 && lease.LeaseState != want {
			t.Errorf("%s: lease %v, want %v", w.name(), lease.LeaseState, want)
		}
	}
	writers[1].acknowledge()
	m, err := waits.Final(t.Context())
	var r smb2.CreateResponse
	if err == nil && m.Header.Status != ntstatus.Success {
		err = m.Header.Status
	}
	if err == nil {
		err = r.Decode(m.Bytes)
	}
	if err != nil {
		t.Fatalf("open behind a lease: %v", err)
	}
	if _, err := intruder.tree.Do(smb2.CommandWrite, &smb2.WriteRequest{FileID: r.FileID, Offset: lockAt, Data: []byte("x")}); !errors.Is(err, ntstatus.FileLockConflict) {
		t.Errorf("WRITE over a lock of before the restart: %v", err)
	}
	for _, w := range writers {
		w.verify()
		w.lock(smb2.LockFlagUnlock)
		if err := w.tree.CloseFile(w.id); err != nil {
			t.Errorf("%s: close: %v", w.name(), err)
		}
		data, err := os.ReadFile(filepath.Join(c.ShareDir("share"), w.name()))
		if err != nil || len(data) < w.acked*reclaimBlock {
			t.Errorf("%s: %d bytes on disk, %d were acknowledged: %v", w.name(), len(data), w.acked*reclaimBlock, err)
		}
		w.tree.Conn.Close()
	}
	if err := intruder.tree.CloseFile(r.FileID); err != nil {
		t.Error(err)
	}
	intruder.tree.Conn.Close()
}
