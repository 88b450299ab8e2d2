package statedb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/statedb/core"
	"smbproxy/statedb/store"
)

// sink notes what it is asked for and, if told to, acknowledges at once.
type sink struct {
	mu          sync.Mutex
	list        []string
	breakOplock func(core.BreakOplock)
	breakLease  func(core.BreakLease)
}

func (s *sink) note(f string, a ...any) {
	s.mu.Lock()
	s.list = append(s.list, fmt.Sprintf(f, a...))
	s.mu.Unlock()
}

func (s *sink) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := strings.Join(s.list, "; ")
	s.list = nil
	return x
}

func (s *sink) BreakOplock(e core.BreakOplock) {
	s.note("break open to %d", e.To)
	if s.breakOplock != nil {
		s.breakOplock(e)
	}
}

func (s *sink) BreakLease(e core.BreakLease) {
	s.note("break lease %d to %d", e.Current, e.New)
	if s.breakLease != nil {
		s.breakLease(e)
	}
}

func (s *sink) Closed(e core.Closed) { s.note("closed by %d", e.Reason) }

// start makes an owner and runs it until the test ends.
func start(t testing.TB, cfg Config) (o *Owner, stop func()) {
	t.Helper()
	if cfg.Sink == nil {
		cfg.Sink = &sink{}
	}
	cfg.Node = 7
	o, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return o, stop
}

func openCommand(o *Owner, session uint64, file uint64) *core.Open {
	return &core.Open{
		Req: o.NewRequestID(), ID: o.NewOpenID(), Session: core.SessionID(session), Client: core.GUID{byte(session)}, User: "u",
		File: core.FileKey{Volume: 1, ID: file}, Name: core.Name{Volume: 1, Path: fmt.Sprintf("dir\\file%d", file)},
		Access: smb2.FileReadData | smb2.FileWriteData, Share: 7,
	}
}

func persistentCommand(o *Owner, file uint64) *core.Open {
	c := openCommand(o, 1, file)
	c.Durable = &core.DurableRequest{V2: true, Persistent: true, Create: core.GUID{9}, Timeout: time.Minute}
	return c
}

func TestBreakAndWait(t *testing.T) {
	s := &sink{}
	o, _ := start(t, Config{Sink: s})
	// The client acknowledges from within the notification: Do may be called there.
	s.breakOplock = func(e core.BreakOplock) {
		o.Do(context.Background(), &core.AckOplock{Open: e.Open, Level: smb2.OplockLevelII}, func(core.Result) {})
	}
	c := openCommand(o, 1, 1)
	c.Oplock = smb2.OplockLevelBatch
	if r := o.Do(t.Context(), c, nil); r.Status != 0 || r.Oplock != smb2.OplockLevelBatch {
		t.Fatalf("first open: %+v", r)
	}
	c = openCommand(o, 2, 1)
	c.Oplock = smb2.OplockLevelBatch
	if r := o.Do(t.Context(), c, nil); r.Status != 0 || r.Oplock != smb2.OplockLevelII {
		t.Fatalf("second open: %+v", r)
	}
	if got := s.take(); got != "break open to 1" {
		t.Fatal(got)
	}
	if r := o.Do(t.Context(), c, nil); r.Status != 0 || r.Open != c.ID {
		t.Fatalf("the same open again: %+v", r)
	}
}

func TestBreakTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		o, stop := start(t, Config{Sink: s})
		defer stop()
		c := openCommand(o, 1, 1)
		c.Oplock = smb2.OplockLevelBatch
		o.Do(t.Context(), c, nil)
		begin := time.Now()
		if r := o.Do(t.Context(), openCommand(o, 2, 1), nil); r.Status != 0 {
			t.Fatalf("second open: %+v", r)
		}
		if took := time.Since(begin); took != 35*time.Second {
			t.Errorf("granted after %v, want 35s", took)
		}
		// A context that ends cancels the request.
		c = openCommand(o, 3, 2)
		c.Oplock = smb2.OplockLevelBatch
		o.Do(t.Context(), c, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if r := o.Do(ctx, openCommand(o, 4, 2), nil); r.Status != ntstatus.Cancelled {
			t.Errorf("cancelled open: %+v", r)
		}
	})
}

func TestRestart(t *testing.T) {
	b, err := store.OpenBadger(store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	o, stop := start(t, Config{Store: b})
	c := persistentCommand(o, 1)
	c.Name.Path = "dir\\f\xff" // not UTF-8: WTF-8 or worse must survive
	c.Share = smb2.FileShareRead
	c.Oplock = smb2.OplockLevelLease
	c.Lease = &core.LeaseRequest{Key: core.GUID{5}, State: 7, Version: 2, Epoch: 3, HasParent: true, Parent: core.GUID{6}}
	c.App = &core.AppInstance{ID: core.GUID{8}, HasVersion: true, High: 1, Low: 2}
	r := o.Do(t.Context(), c, nil)
	if r.Status != 0 || !r.Persist || r.Lease.State != 7 {
		t.Fatalf("persistent open: %+v", r)
	}
	lock := []smb2.LockElement{{Offset: 10, Length: 5, Flags: core.LockExclusive | core.LockFailImmediately}}
	if r := o.Do(t.Context(), &core.Lock{Req: o.NewRequestID(), Open: c.ID, Locks: lock, SequenceIndex: 1, SequenceNumber: 4}, nil); r.Status != 0 {
		t.Fatalf("lock: %+v", r)
	}
	plain := openCommand(o, 1, 2)
	o.Do(t.Context(), plain, nil)
	stop()

	s := &sink{}
	o, _ = start(t, Config{Store: b, Sink: s})
	if n := o.NewOpenID(); n <= plain.ID {
		t.Errorf("id %#x after restart, %#x before", n, plain.ID)
	}
	if st := o.Stats(); st.Opens != 1 || st.Disconnected != 1 || st.Leases != 1 {
		t.Fatalf("after restart: %+v", st)
	}
	w := openCommand(o, 2, 1)
	w.Name = c.Name
	if r := o.Do(t.Context(), w, nil); r.Status != ntstatus.FileNotAvailable {
		t.Fatalf("conflicting open: %+v", r)
	}
	re := &core.Reconnect{Open: c.ID, Session: 3, Client: c.Client, User: "u", V2: true, Persist: true, Create: core.GUID{9}, Lease: &c.Lease.Key, Name: c.Name}
	r = o.Do(t.Context(), re, nil)
	if r.Status != 0 || !r.Persist || r.Lease.State != 7 || r.Lease.Epoch != 4 || r.Lease.Parent != c.Lease.Parent || r.TimeoutMS != 60000 {
		t.Fatalf("reconnect: %+v", r)
	}
	w = openCommand(o, 2, 1)
	w.Name, w.Access = c.Name, smb2.FileReadAttributes
	r2 := o.Do(t.Context(), w, nil)
	if st := o.CheckIO(w.ID, r2.Hint, 14, 1, false); st != ntstatus.FileLockConflict {
		t.Errorf("read of a locked byte: %v", st)
	}
	// The lock's sequence is still known.
	if r := o.Do(t.Context(), &core.Lock{Req: o.NewRequestID(), Open: c.ID, Locks: lock, SequenceIndex: 1, SequenceNumber: 4}, nil); r.Status != 0 {
		t.Errorf("replayed lock: %+v", r)
	}
	o.Do(t.Context(), &core.Close{Open: c.ID}, nil)
	app := openCommand(o, 4, 3)
	if r := o.Do(t.Context(), app, nil); r.Status != 0 {
		t.Errorf("open: %+v", r)
	}
}

func TestBadRecordRefusesStart(t *testing.T) {
	m := newMemory()
	op := recordOp(core.Record{Open: 1, Timeout: time.Second})
	m.items[op.Key] = []byte(strings.Replace(string(op.Value), `"v":1`, `"v":2`, 1))
	m.items[recordPrefix+"0000000000000002"] = []byte("{")
	_, err := New(t.Context(), Config{Node: 1, Store: m, Sink: &sink{}})
	if err == nil || !strings.Contains(err.Error(), "version 2") || !strings.Contains(err.Error(), "0002") {
		t.Fatalf("got %v, want both faults", err)
	}
}

func TestStoreFails(t *testing.T) {
	for want, fault := range map[ntstatus.Status]error{ntstatus.DiskFull: store.ErrFull, ntstatus.InsuffServerResources: store.ErrFailed} {
		t.Run(fault.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				var log strings.Builder
				o, stop := start(t, Config{Store: m, Log: slog.New(slog.NewTextHandler(&log, nil))})
				defer stop()
				before := persistentCommand(o, 1)
				if r := o.Do(t.Context(), before, nil); r.Status != 0 {
					t.Fatalf("%+v", r)
				}
				m.fail(fault)
				// New persistent handles are refused, and leave nothing behind.
				c := persistentCommand(o, 2)
				c.Share = 0
				if r := o.Do(t.Context(), c, nil); r.Status != want {
					t.Fatalf("persistent open: %v, want %v", r.Status, want)
				}
				if r := o.Do(t.Context(), openCommand(o, 2, 2), nil); r.Status != 0 {
					t.Fatalf("plain open: %+v", r)
				}
				// What is open goes on; its changes are written when that is possible again.
				lock := &core.Lock{Req: o.NewRequestID(), Open: before.ID, Locks: []smb2.LockElement{{Length: 1, Flags: core.LockExclusive}}}
				if r := o.Do(t.Context(), lock, nil); r.Status != 0 {
					t.Fatalf("lock: %+v", r)
				}
				m.fail(nil)
				time.Sleep(2 * retryAfter) //nolint:forbidigo // synctest's clock
				found := false
				if err := Records(t.Context(), m, func(r core.Record) { found = r.Open == before.ID && len(r.Locks) == 1 }); err != nil {
					t.Fatal(err)
				}
				if !found || m.records() != 1 {
					t.Errorf("records after the disk came back: %d, with the lock: %v", m.records(), found)
				}
				stop()
				if !strings.Contains(log.String(), "persistent handle refused") {
					t.Errorf("log: %s", log.String())
				}
			})
		})
	}
}

// TestOneSync: a persistent create is one transaction, many at once are fewer.
func TestOneSync(t *testing.T) {
	m := newMemory()
	o, _ := start(t, Config{Store: m})
	n := m.txns
	if r := o.Do(t.Context(), persistentCommand(o, 1), nil); r.Status != 0 {
		t.Fatal(r.Status)
	}
	if m.txns != n+1 {
		t.Errorf("%d transactions for a persistent create, want 1", m.txns-n)
	}
	if r := o.Do(t.Context(), openCommand(o, 1, 2), nil); r.Status != 0 || m.txns != n+1 {
		t.Errorf("a plain open: %v, %d transactions", r.Status, m.txns-n-1)
	}
}

func TestNoStore(t *testing.T) {
	o, _ := start(t, Config{})
	if r := o.Do(t.Context(), persistentCommand(o, 1), nil); r.Status != ntstatus.InsuffServerResources {
		t.Errorf("persistent open without a store: %v", r.Status)
	}
	if _, err := New(t.Context(), Config{Node: 4096}); err == nil {
		t.Error("node 4096 was accepted")
	}
}

func TestStoppedWriter(t *testing.T) {
	m := newMemory()
	o, stop := start(t, Config{Store: m})
	stop()
	if r := o.Do(t.Context(), persistentCommand(o, 1), nil); r.Status != ntstatus.InsuffServerResources {
		t.Errorf("persistent open after the end: %v", r.Status)
	}
}

func TestClockGoesBack(t *testing.T) {
	m := newMemory()
	m.items[idKey] = []byte{0, 0xF, 0, 0, 0, 0, 0, 0}
	o, _ := start(t, Config{Store: m})
	if id := o.NewOpenID(); uint64(id)&(1<<idBits-1) <= 0xF<<48 || uint64(id)>>idBits != 7 {
		t.Errorf("id %#x", id)
	}
	m.items[idKey] = nil
	if _, err := New(t.Context(), Config{Node: 1, Store: m}); err == nil {
		t.Error("a broken count was accepted")
	}
}

func TestFences(t *testing.T) {
	b, err := store.OpenBadger(store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	a, c := Fence{"ost1", "alice", 0x10}, Fence{"ost2", "bob", 0x11}
	if err := errors.Join(AddFences(t.Context(), b, a, c), RemoveFences(t.Context(), b, a)); err != nil {
		t.Fatal(err)
	}
	list, err := Fences(t.Context(), b)
	if err != nil || len(list) != 1 || list[0] != c {
		t.Errorf("got %v %v", list, err)
	}
	if AddFences(t.Context(), b, Fence{"a/b", "", 1}) == nil {
		t.Error("a slash was accepted")
	}
}
