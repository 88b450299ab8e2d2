package statedb

import (
	"context"
	"sync"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/statedb/core"
	"smbproxy/statedb/store"
)

// TestWaitedPersistent: a persistent open that waited for a break is answered when its
// record is on disk, and refused when it cannot be.
func TestWaitedPersistent(t *testing.T) {
	m, s := newMemory(), &sink{}
	o, _ := start(t, Config{Store: m, Sink: s})
	s.breakOplock = func(e core.BreakOplock) {
		o.Do(context.Background(), &core.AckOplock{Open: e.Open, Level: smb2.OplockLevelNone}, func(core.Result) {})
	}
	first := openCommand(o, 2, 1)
	first.Oplock = smb2.OplockLevelBatch
	o.Do(t.Context(), first, nil)
	m.fail(store.ErrFull)
	if r := o.Do(t.Context(), persistentCommand(o, 1), nil); r.Status != ntstatus.DiskFull {
		t.Fatalf("got %v, want DiskFull", r.Status)
	}
	m.fail(nil)
	if r := o.Do(t.Context(), persistentCommand(o, 1), nil); r.Status != 0 || !r.Persist || m.records() != 1 {
		t.Errorf("got %+v, %d records", r, m.records())
	}
}

// TestManyOneSync: what waits while the disk is busy goes there together.
func TestManyOneSync(t *testing.T) {
	m := newMemory()
	o, _ := start(t, Config{Store: m})
	before := m.txns
	var wg sync.WaitGroup
	m.mu.Lock() // the disk is busy
	for i := range 50 {
		wg.Add(1)
		r := o.Do(t.Context(), persistentCommand(o, uint64(i+1)), func(r core.Result) {
			if r.Status != 0 || !r.Persist {
				t.Errorf("%+v", r)
			}
			wg.Done()
		})
		if r.Status != ntstatus.Pending {
			t.Fatalf("answered before its record was on disk: %+v", r)
		}
	}
	m.mu.Unlock()
	wg.Wait()
	if n := m.txns - before; n > 2 {
		t.Errorf("%d transactions for 50 records, want 2", n)
	}
	if m.records() != 50 {
		t.Errorf("%d records", m.records())
	}
}
