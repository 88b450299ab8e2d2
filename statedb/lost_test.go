package statedb

import (
	"testing"
	"time"

	"smbproxy/internal/smb2"
	"smbproxy/statedb/core"
)

// TestLostClient: 10,000 opens of a lost client, each with a lock, are released in under a second.
func TestLostClient(t *testing.T) {
	o, _ := start(t, Config{})
	const n = 10000
	ids := make([]core.OpenID, n)
	for i := range ids {
		c := openCommand(o, 1, uint64(i+1))
		if r := o.Do(t.Context(), c, nil); r.Status != 0 {
			t.Fatal(r.Status)
		}
		ids[i] = c.ID
		l := &core.Lock{Req: o.NewRequestID(), Open: c.ID, Locks: []smb2.LockElement{{Length: 1, Flags: smb2.LockFlagExclusiveLock}}}
		if r := o.Do(t.Context(), l, nil); r.Status != 0 {
			t.Fatal(r.Status)
		}
	}
	begun := time.Now()
	for _, id := range ids {
		if r := o.Do(t.Context(), &core.Disconnect{Open: id}, nil); r.Status != 0 || r.Durable {
			t.Fatalf("%+v", r)
		}
	}
	d := time.Since(begun)
	if s := o.Stats(); s != (core.Stats{}) {
		t.Errorf("left: %+v", s)
	}
	if d > time.Second {
		t.Errorf("released after %v", d)
	}
	t.Logf("released after %v", d)
}
