package backend

import (
	"fmt"
	"slices"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

func TestFairQueueTakesTurns(t *testing.T) {
	var q fairQueue
	a, b := &clientQueue{affinity: 1}, &clientQueue{affinity: 2}
	var want []*Call
	add := func(cl *clientQueue, urgent bool) *Call {
		c := &Call{client: cl, urgent: urgent}
		q.push(c)
		return c
	}
	a1, a2, a3 := add(a, false), add(a, false), add(a, false)
	b1, b2 := add(b, false), add(b, false)
	u := add(b, true)
	a4 := add(a, false)
	q.remove(a2)
	want = []*Call{u, a1, b1, a3, b2, a4}
	var got []*Call
	for c := q.peek(); c != nil; c = q.peek() {
		q.take(c)
		got = append(got, c)
	}
	if !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	if q.n != 0 || a.inRing || b.inRing {
		t.Errorf("%d left, ring %v %v", q.n, a.inRing, b.inRing)
	}
	// A client that emptied by removal and comes back has its turn.
	c := add(a, false)
	q.remove(c)
	d := add(a, false)
	if q.peek() != d {
		t.Error("a client that came back is forgotten")
	}
}

// A CLOSE goes before other clients' requests that wait, and never before its own
// client's: smbd would close what these still need.
func TestCloseKeepsItsPlace(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.Credits = minCredits
	p := startPool(t, cfg)
	tree := mustConnect(t, p, "user1", "share", 1)
	for round := range 5 {
		id, st := create(t, tree, fmt.Sprint("file", round), smb2.FileWriteData, smb2.FileOverwriteIf)
		must(t, "create", st)
		var writes []*op
		for i := range 3 * minCredits {
			writes = append(writes, submit(tree, smb2.CommandWrite, &smb2.WriteRequest{FileID: id.Wire(), Offset: uint64(i), Data: []byte{'x'}}))
		}
		last := submit(tree, smb2.CommandClose, &smb2.CloseRequest{FileID: id.Wire()})
		for i, o := range writes {
			if got := o.result(t); got.err != nil || got.status != ntstatus.Success {
				t.Fatalf("round %d, write %d: %+v", round, i, got)
			}
		}
		if got := last.result(t); got.err != nil || got.status != ntstatus.Success {
			t.Errorf("round %d, close: %+v", round, got)
		}
	}
}
