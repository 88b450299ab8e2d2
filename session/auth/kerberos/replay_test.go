package kerberos

import (
	"encoding/binary"
	"testing"
	"time"
)

// TestReplayCache forgets, and stays within its bounds.
func TestReplayCache(t *testing.T) {
	r := &replays{window: 10 * time.Minute}
	id := func(n int) (b [32]byte) { binary.LittleEndian.PutUint64(b[:], uint64(n)); return b }
	now := clock
	for n := range 1000 {
		now = now.Add(time.Second)
		if !r.fresh(id(n), now) {
			t.Fatalf("entry %d is not fresh", n)
		}
		if old := n - 599; old >= 0 && r.fresh(id(old), now) {
			t.Fatalf("entry %d is forgotten after less than the window", old)
		}
	}
	if n := len(r.young) + len(r.old); n > 1200 {
		t.Errorf("%d entries, want at most two windows", n)
	}
	now = now.Add(time.Hour)
	if !r.fresh(id(999), now) || len(r.old) != 0 {
		t.Errorf("after an hour: %d old entries", len(r.old))
	}
}
