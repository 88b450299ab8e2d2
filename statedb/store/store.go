// Package store keeps what must outlive a process: persistent handles, the node's number,
// backend sessions to be fenced, later the cluster map. Store is the interface; Badger is
// the implementation for one machine, nothing to install. etcd's semantics are the model,
// so that an implementation over etcd needs no other callers: revisions order all changes,
// a transaction compares and then changes all or nothing, a watch resumes from a revision.
package store

import (
	"context"
	"errors"
	"time"
)

// Errors of every Store, to be compared with errors.Is.
var (
	ErrNotFound  = errors.New("store: no such key")
	ErrCompacted = errors.New("store: that revision is no longer kept, read the range again")
	ErrFull      = errors.New("store: the disk is full")
	ErrFailed    = errors.New("store: the disk fails")
	ErrNoLease   = errors.New("store: no such lease, or it has expired")
	ErrClosed    = errors.New("store: closed")
	ErrInUse     = errors.New("store: another process has it open")
)

// Item is a key with its value. Revision is that of its last change; a key that does not
// exist compares as revision 0.
type Item struct {
	Key      string
	Value    []byte
	Revision uint64
	Lease    LeaseID // 0: kept until deleted
}

// LeaseID names a lease.
type LeaseID uint64

// Compare is a condition of a transaction: the key's revision now.
type Compare struct {
	Key      string
	Revision uint64
}

// Op is one change of a transaction.
type Op struct {
	Key    string
	Value  []byte
	Delete bool
	Lease  LeaseID // of a put
}

// Event is one change that a watch sees. A deleted key has no value.
type Event struct {
	Item
	Deleted bool
}

// Source is what records can be read from: a Store, or a Backup.
type Source interface {
	// Range calls fn for every key with the prefix, in order, as of one revision, which it
	// returns. fn's error ends it.
	Range(ctx context.Context, prefix string, fn func(Item) error) (revision uint64, err error)
}

// Store is safe for concurrent use. Every method but Close honours its context.
type Store interface {
	// Get returns one item or ErrNotFound.
	Get(ctx context.Context, key string) (Item, error)
	Source
	// Txn applies all ops if every comparison holds, with one sync to disk. ok is false,
	// and nothing was done, when one does not. An error means that nothing is on disk, or
	// that it is not known: read before doing it again.
	Txn(ctx context.Context, compare []Compare, ops []Op) (revision uint64, ok bool, err error)
	// Watch calls fn for every change of keys with the prefix, from that revision on, in
	// order, until fn or ctx ends it. ErrCompacted when the revision is too old.
	Watch(ctx context.Context, prefix string, from uint64, fn func(Event) error) error
	// Lease grants a lease; keys put under it vanish when it expires.
	Lease(ctx context.Context, ttl time.Duration) (LeaseID, error)
	// KeepAlive starts the lease's time anew; ErrNoLease when it was too late.
	KeepAlive(ctx context.Context, id LeaseID) error
	// Revoke ends a lease at once.
	Revoke(ctx context.Context, id LeaseID) error
	Close() error
}
