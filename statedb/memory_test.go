package statedb

import (
	"context"
	"strings"
	"sync"

	"smbproxy/statedb/store"
)

// memory is a store that can be made to fail.
type memory struct {
	store.Store
	mu    sync.Mutex
	items map[string][]byte
	err   error
	txns  int
}

func newMemory() *memory { return &memory{items: map[string][]byte{}} }

func (m *memory) fail(err error) {
	m.mu.Lock()
	m.err = err
	m.mu.Unlock()
}

func (m *memory) Get(_ context.Context, key string) (store.Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.items[key]
	if !ok {
		return store.Item{}, store.ErrNotFound
	}
	return store.Item{Key: key, Value: v}, nil
}

func (m *memory) Range(_ context.Context, prefix string, fn func(store.Item) error) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, v := range m.items {
		if strings.HasPrefix(k, prefix) {
			if err := fn(store.Item{Key: k, Value: v}); err != nil {
				return 0, err
			}
		}
	}
	return 0, nil
}

func (m *memory) Txn(_ context.Context, _ []store.Compare, ops []store.Op) (uint64, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return 0, false, m.err
	}
	m.txns++
	for _, op := range ops {
		if op.Delete {
			delete(m.items, op.Key)
		} else {
			m.items[op.Key] = op.Value
		}
	}
	return 0, true, nil
}

func (m *memory) records() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for k := range m.items {
		if strings.HasPrefix(k, recordPrefix) {
			n++
		}
	}
	return n
}
