package demux

import (
	"context"
	"fmt"

	"smbproxy/demux/backend"
)

// dataTree is what a tree has one attachment for at a backend of data.
type dataTree struct {
	pool        *backend.Pool
	user, share string
}

// attachData is the attachment to a backend of data as a user, with a reference for the caller. Blocks.
func (t *tree) attachData(ctx context.Context, pool *backend.Pool, user, share string) (*attachment, error) {
	key := dataTree{pool, user, share}
	t.mu.Lock()
	if a := t.data[key]; a != nil && a.Alive() {
		a.refs.Add(1)
		t.mu.Unlock()
		return a, nil
	}
	t.mu.Unlock()
	bt, err := pool.ConnectData(ctx, user, share, affinity(t.session.session))
	if err != nil {
		return nil, fmt.Errorf("share %q for data: %w", t.share.Name, err)
	}
	a := newAttachment(pool, bt, 2)
	t.mu.Lock()
	t.session.mu.RLock() // as in keep
	closed := t.closed
	t.session.mu.RUnlock()
	old := t.data[key]
	switch {
	case closed: // whoever still flushes has it alone
		t.mu.Unlock()
		return newAttachment(pool, bt, 1), nil
	case old != nil && old.Alive():
		old.refs.Add(1)
		t.mu.Unlock()
		a.Release()
		return old, nil
	}
	if t.data == nil {
		t.data = map[dataTree]*attachment{}
	}
	t.data[key] = a
	t.mu.Unlock()
	if old != nil {
		old.drop()
	}
	return a, nil
}
