package session

import (
	"context"
	"sync/atomic"
)

// readGate bounds the payload that a connection has in our memory: READ replies that it has been asked for and not yet
// sent, for which the client pays with a few bytes, and WRITEs that the backend has not answered yet, for which a
// window of credits would let it leave half a GiB here while a backend hangs.
type readGate struct {
	owed    atomic.Int64
	limit   int64
	waiting atomic.Bool
	wake    chan struct{} // capacity 1; filled by release, emptied by the reader, never closed
}

// init sets the limit in bytes.
func (g *readGate) init(limit int) {
	g.limit = int64(limit)
	g.wake = make(chan struct{}, 1)
}

// over tells whether nothing more should be read.
func (g *readGate) over() bool { return g.owed.Load() > g.limit }

// add counts n bytes, which release takes back when their request has ended.
func (g *readGate) add(n int64) { g.owed.Add(n) }

// release takes n bytes back.
func (g *readGate) release(n int64) {
	if g.owed.Add(-n) <= g.limit && g.waiting.Load() {
		select {
		case g.wake <- struct{}{}:
		default:
		}
	}
}

// wait returns when the gate is open again or ctx ends.
func (g *readGate) wait(ctx context.Context) {
	g.waiting.Store(true)
	defer g.waiting.Store(false)
	for g.over() {
		select {
		case <-g.wake:
		case <-ctx.Done():
			return
		}
	}
}
