package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Txn implements Store.
func (b *Badger) Txn(ctx context.Context, compare []Compare, ops []Op) (uint64, bool, error) {
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, false, ErrClosed
	}
	if err := b.expireLocked(); err != nil {
		return 0, false, err
	}
	ok, err := b.holds(compare)
	if err != nil || !ok {
		return b.revision, false, err
	}
	for _, op := range ops {
		if op.Lease != 0 && b.leases[op.Lease] == nil {
			return b.revision, false, ErrNoLease
		}
	}
	rev, err := b.commitLocked(ops)
	return rev, err == nil, err
}

// holds looks at the comparisons.
func (b *Badger) holds(compare []Compare) (bool, error) {
	ok := true
	err := b.db.View(func(tx *badger.Txn) error {
		for _, c := range compare {
			i, err := get(tx, c.Key)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			if i.Revision != c.Revision {
				ok = false
			}
		}
		return nil
	})
	return ok, err
}

// commitLocked writes ops under a new revision with one sync, and tells the watchers.
func (b *Badger) commitLocked(ops []Op) (uint64, error) {
	left, err := b.cfg.Free(b.cfg.Dir)
	if err != nil {
		return b.revision, fault(err)
	}
	if left < b.cfg.Reserve {
		return b.revision, fmt.Errorf("%w: %d bytes are free in %q, %d are kept", ErrFull, left, b.cfg.Dir, b.cfg.Reserve)
	}
	rev := b.revision + 1
	events := make([]Event, 0, len(ops))
	err = b.db.Update(func(tx *badger.Txn) error {
		for _, op := range ops {
			e := Event{Item: Item{Key: op.Key, Revision: rev}, Deleted: op.Delete}
			if op.Delete {
				if err := tx.Delete([]byte(userSpace + op.Key)); err != nil {
					return err
				}
			} else {
				v := binary.BigEndian.AppendUint64(make([]byte, 0, header+len(op.Value)), rev)
				v = binary.BigEndian.AppendUint64(v, uint64(op.Lease))
				v = append(v, op.Value...)
				if err := tx.Set([]byte(userSpace+op.Key), v); err != nil {
					return err
				}
				e.Value, e.Lease = v[header:], op.Lease
			}
			events = append(events, e)
		}
		return tx.Set([]byte(revisionKey), binary.BigEndian.AppendUint64(nil, rev))
	})
	if err != nil {
		return b.revision, fault(err)
	}
	b.revision = rev
	b.bindLocked(ops)
	b.events = append(b.events, events...)
	if n := len(b.events) - maxEvents; n > 0 {
		b.kept = b.events[n-1].Revision
		b.events = append([]Event(nil), b.events[n:]...)
	}
	close(b.changed)
	b.changed = make(chan struct{})
	return rev, nil
}

// bindLocked notes which lease a key has now.
func (b *Badger) bindLocked(ops []Op) {
	for _, op := range ops {
		for _, l := range b.leases {
			delete(l.keys, op.Key)
		}
		if l := b.leases[op.Lease]; l != nil && !op.Delete {
			l.keys[op.Key] = true
		}
	}
}

// Watch implements Store.
func (b *Badger) Watch(ctx context.Context, prefix string, from uint64, fn func(Event) error) error {
	for next := from; ; {
		b.mu.Lock()
		if b.closed {
			b.mu.Unlock()
			return ErrClosed
		}
		if next <= b.kept {
			b.mu.Unlock()
			return ErrCompacted
		}
		var list []Event
		for _, e := range b.events {
			if e.Revision >= next && strings.HasPrefix(e.Key, prefix) {
				list = append(list, e)
			}
		}
		changed, timer := b.changed, time.NewTimer(b.untilLocked())
		next = max(next, b.revision+1)
		b.mu.Unlock()
		for _, e := range list {
			if err := fn(e); err != nil {
				timer.Stop()
				return err
			}
		}
		select {
		case <-changed:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
			if err := b.expire(); err != nil {
				return err
			}
		}
	}
}

// Lease implements Store.
func (b *Badger) Lease(ctx context.Context, ttl time.Duration) (LeaseID, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lastID++
	b.leased.Add(1)
	b.leases[b.lastID] = &granted{ttl: ttl, ends: b.cfg.Now().Add(ttl), keys: map[string]bool{}}
	return b.lastID, nil
}

// KeepAlive implements Store.
func (b *Badger) KeepAlive(ctx context.Context, id LeaseID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.expireLocked(); err != nil {
		return err
	}
	l := b.leases[id]
	if l == nil {
		return ErrNoLease
	}
	l.ends = b.cfg.Now().Add(l.ttl)
	return nil
}

// Revoke implements Store.
func (b *Badger) Revoke(ctx context.Context, id LeaseID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.leases[id]
	if l == nil {
		return ErrNoLease
	}
	return b.endLocked(id, l)
}

// expire is expireLocked for readers.
func (b *Badger) expire() error {
	if b.leased.Load() == 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	return b.expireLocked()
}

// untilLocked is the time until the next lease ends; an hour when there is none.
func (b *Badger) untilLocked() time.Duration {
	d := time.Hour
	now := b.cfg.Now()
	for _, l := range b.leases {
		d = min(d, max(0, l.ends.Sub(now)))
	}
	return d
}

// expireLocked ends the leases whose time is over. It is called by whatever could tell
// the difference, so no goroutine is needed.
func (b *Badger) expireLocked() error {
	now := b.cfg.Now()
	for id, l := range b.leases {
		if now.Before(l.ends) {
			continue
		}
		if err := b.endLocked(id, l); err != nil {
			return err
		}
	}
	return nil
}

// endLocked deletes a lease's keys, then the lease.
func (b *Badger) endLocked(id LeaseID, l *granted) error {
	if len(l.keys) > 0 {
		var ops []Op
		for k := range l.keys {
			ops = append(ops, Op{Key: k, Delete: true})
		}
		if _, err := b.commitLocked(ops); err != nil {
			return err
		}
	}
	delete(b.leases, id)
	b.leased.Add(-1)
	return nil
}
