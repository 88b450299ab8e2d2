package statedb

import (
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/statedb/core"
)

// TestInputOutputAllocatesNothing reads and writes a file that the client itself has locked and caches: both must be asked
// about, and neither may cost memory.
func TestInputOutputAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's pools forget")
	}
	o, _ := start(t, Config{})
	c := openCommand(o, 1, 1)
	c.Oplock = smb2.OplockLevelLease
	c.Lease = &core.LeaseRequest{Key: smb2.LeaseKey{1}, State: smb2.LeaseReadCaching | smb2.LeaseWriteCaching | smb2.LeaseHandleCaching, Version: 1}
	r := o.Do(t.Context(), c, nil)
	if r.Status != ntstatus.Success || !r.Hint.ReadCached() {
		t.Fatalf("%v, %v", r.Status, r.Oplock)
	}
	lock := &core.Lock{Req: o.NewRequestID(), Open: c.ID, Locks: []smb2.LockElement{{Offset: 10, Length: 10, Flags: core.LockExclusive | core.LockFailImmediately}}}
	if st := o.Do(t.Context(), lock, nil).Status; st != ntstatus.Success || !r.Hint.Locked() {
		t.Fatal(st)
	}
	n := testing.AllocsPerRun(1000, func() {
		if st := o.CheckIO(c.ID, r.Hint, 0, 4096, true); st != ntstatus.Success {
			t.Fatal(st)
		}
		o.Written(c.ID, r.Hint)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
