package statedb

import (
	"context"
	"sync"
	"time"

	"smbproxy/statedb/core"
	"smbproxy/statedb/store"
)

// batch is what one command wants on disk, and what waits for it.
type batch struct {
	ops   []store.Op
	after []func(error)
}

// put and forget add a record's change.
func (b *batch) put(r core.Record) { b.ops = append(b.ops, recordOp(r)) }
func (b *batch) forget(id core.OpenID) {
	b.ops = append(b.ops, store.Op{Key: recordKey(id), Delete: true})
}
func (b *batch) then(f func(error)) { b.after = append(b.after, f) }

// writer brings records to disk: everything that waits goes into one transaction with one
// sync. What fails stays, and is tried again with the next write or after a second.
//
// mu guards batches, closed. kick has capacity 1.
type writer struct {
	o       *Owner
	kick    chan struct{}
	mu      sync.Mutex
	batches []*batch
	closed  bool

	// only the writing goroutine
	order []string            // keys of dirty, oldest change first
	dirty map[string]store.Op // changes that are not on disk yet
}

// retryAfter is the pause before changes that failed are tried again.
const retryAfter = time.Second

func (w *writer) init(o *Owner) {
	w.o, w.kick, w.dirty = o, make(chan struct{}, 1), map[string]store.Op{}
}

// add hands a batch to the writer, in the order of the commands. It answers false when
// nothing is written any more.
func (w *writer) add(b *batch) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.batches = append(w.batches, b)
	select {
	case w.kick <- struct{}{}:
	default:
	}
	return true
}

// finish tells everybody who waits.
func (b *batch) finish(err error) {
	for _, f := range b.after {
		f(err)
	}
}

// run writes until ctx ends, then once more.
func (w *writer) run(ctx context.Context) {
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		select {
		case <-w.kick:
		case <-retry.C:
		case <-ctx.Done():
			w.flush(context.WithoutCancel(ctx))
			w.mu.Lock()
			w.closed = true
			left := w.batches
			w.batches = nil
			w.mu.Unlock()
			for _, b := range left {
				b.finish(store.ErrClosed)
			}
			return
		}
		w.flush(ctx)
		if len(w.dirty) > 0 {
			retry.Reset(retryAfter)
		}
	}
}

// flush writes what there is.
func (w *writer) flush(ctx context.Context) {
	w.mu.Lock()
	list := w.batches
	w.batches = nil
	w.mu.Unlock()
	for _, b := range list {
		for _, op := range b.ops {
			w.note(op)
		}
	}
	err := w.write(ctx)
	for _, b := range list {
		b.finish(err)
	}
}

// note makes op the last word on its key.
func (w *writer) note(op store.Op) {
	if _, ok := w.dirty[op.Key]; !ok {
		w.order = append(w.order, op.Key)
	}
	w.dirty[op.Key] = op
}

// maxOps is how much goes into one transaction; badger refuses large ones.
const maxOps = 500

// write tries everything that is dirty, in one transaction as a rule.
func (w *writer) write(ctx context.Context) error {
	if len(w.order) == 0 {
		return nil
	}
	if w.o.cfg.Store == nil {
		w.order, w.dirty = nil, map[string]store.Op{}
		return store.ErrClosed
	}
	for len(w.order) > 0 {
		keys := w.order[:min(len(w.order), maxOps)]
		ops := make([]store.Op, 0, len(keys))
		for _, k := range keys {
			ops = append(ops, w.dirty[k])
		}
		if _, _, err := w.o.cfg.Store.Txn(ctx, nil, ops); err != nil {
			w.o.cfg.Log.Error("state database: records are not on disk, trying again", "records", len(w.order), "error", err)
			return err
		}
		for _, k := range keys {
			delete(w.dirty, k)
		}
		w.order = w.order[len(keys):]
	}
	w.order = nil
	return nil
}
