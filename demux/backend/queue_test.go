package backend

import (
	"slices"
	"testing"
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
