package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Config of a Badger.
type Config struct {
	Dir     string
	Log     *slog.Logger
	Reserve uint64 // free bytes below which changes are refused, 64 MiB

	// Faulty, if set, is told of each item that cannot be read, and why; it is left out then.
	// Else one such item is an error of whatever meets it, of opening the store above all.
	Faulty func(key string, err error)

	Now  func() time.Time                 // for leases; time.Now
	Free func(dir string) (uint64, error) // free bytes of the file system; statfs
}

// Badger is a Store in one directory of one process. badger's logs are mapped sparse
// files: running out of disk in the middle of one would be a fault no process survives, so
// free space is looked at before every change and some of it is never used.
//
// mu guards the order of changes: revision, events, leases, waiting. It is held over the
// sync to disk, which orders transactions; a Get takes it only while leases exist.
type Badger struct {
	cfg Config
	db  *badger.DB

	mu       sync.Mutex
	revision uint64
	events   []Event // the last ones, in order
	kept     uint64  // revisions up to this one are no longer in events
	changed  chan struct{}
	leases   map[LeaseID]*granted
	leased   atomic.Int32 // len(leases)
	lastID   LeaseID
	closed   bool
}

// granted is one lease in memory. A restart ends all of them: their holders were here.
type granted struct {
	ttl  time.Duration
	ends time.Time
	keys map[string]bool
}

// maxEvents is how many changes a late watcher can catch up with.
const maxEvents = 4096

// Key spaces in badger: the store's own, and the callers'.
const (
	revisionKey = "\x00revision"
	userSpace   = "k"
)

// header stands before every value: revision, lease.
const header = 16

// OpenBadger opens or makes the store in a directory (mode 0700).
func OpenBadger(cfg Config) (*Badger, error) {
	if cfg.Reserve == 0 {
		cfg.Reserve = 64 << 20
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Free == nil {
		cfg.Free = free
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := roomToOpen(cfg); err != nil {
		return nil, err
	}
	opt := badger.DefaultOptions(cfg.Dir).
		WithSyncWrites(true).
		WithMemTableSize(8 << 20).WithNumMemtables(2).
		WithBlockCacheSize(8 << 20).
		WithValueLogFileSize(16 << 20).WithValueThreshold(64 << 10).
		WithNumCompactors(2).WithNumLevelZeroTables(2).WithNumLevelZeroTablesStall(4).
		WithMetricsEnabled(false).WithDetectConflicts(false).
		WithLogger(logger{cfg.Log})
	db, err := badger.Open(opt)
	if err != nil {
		if inUse(cfg.Dir) {
			err = ErrInUse
		}
		return nil, fmt.Errorf("open state database %q: %w", cfg.Dir, err)
	}
	b := &Badger{cfg: cfg, db: db, changed: make(chan struct{}), leases: map[LeaseID]*granted{}}
	err = verify(db)
	if err == nil {
		err = b.load()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read state database %q: %w", cfg.Dir, err), db.Close())
	}
	return b, nil
}

// openRoom is what opening needs at most, in bytes: a log, a table of what the last log held, badger's own files.
const openRoom = 32 << 20

// roomToOpen refuses to open where badger would run out of disk in the middle.
func roomToOpen(cfg Config) error {
	dir := cfg.Dir
	if _, err := os.Stat(dir); err != nil {
		dir = filepath.Dir(dir) // badger makes one level
	}
	left, err := cfg.Free(dir)
	if err != nil {
		return fmt.Errorf("open state database %q: %w", cfg.Dir, fault(err))
	}
	if left < openRoom {
		return fmt.Errorf("open state database %q: %w: %d bytes are free, %d are needed", cfg.Dir, ErrFull, left, openRoom)
	}
	return nil
}

// inUse says whether some process holds badger's lock, which its own error hides.
func inUse(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// load reads the revision and deletes what earlier leases held.
func (b *Badger) load() error {
	var stale []Op
	err := b.db.View(func(tx *badger.Txn) error {
		it, err := tx.Get([]byte(revisionKey))
		if err == nil {
			err = it.Value(func(v []byte) error {
				if len(v) != 8 {
					return b.faulty(revisionKey, fmt.Errorf("revision has %d bytes", len(v)))
				}
				b.revision = binary.BigEndian.Uint64(v)
				return nil
			})
		}
		if err != nil && !errors.Is(err, badger.ErrKeyNotFound) {
			return err
		}
		return b.scan(tx, "", func(i Item) error {
			b.revision = max(b.revision, i.Revision)
			if i.Lease != 0 {
				stale = append(stale, Op{Key: i.Key, Delete: true})
			}
			return nil
		})
	})
	b.kept = b.revision
	if err != nil || len(stale) == 0 {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err = b.commitLocked(stale)
	return err
}

// Close ends the store and every watch. On a disk without room badger is left as it is, as if the process had been
// killed: tidying up, it would write into mapped files that cannot grow, and die of it. All that was committed is there.
func (b *Badger) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	close(b.changed)
	b.mu.Unlock()
	if left, err := b.cfg.Free(b.cfg.Dir); err == nil && left < openRoom {
		return fmt.Errorf("close state database %q: %w: it is left as it is", b.cfg.Dir, ErrFull)
	}
	return b.db.Close()
}

// Get implements Store.
func (b *Badger) Get(ctx context.Context, key string) (i Item, err error) {
	if err := ctx.Err(); err != nil {
		return i, err
	}
	if err := b.expire(); err != nil {
		return i, err
	}
	err = b.db.View(func(tx *badger.Txn) error {
		i, err = get(tx, key)
		return err
	})
	return i, err
}

// Range implements Store.
func (b *Badger) Range(ctx context.Context, prefix string, fn func(Item) error) (uint64, error) {
	if err := b.expire(); err != nil {
		return 0, err
	}
	// The snapshot and its revision are taken together.
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return 0, ErrClosed
	}
	tx, rev := b.db.NewTransaction(false), b.revision
	b.mu.Unlock()
	defer tx.Discard()
	return rev, b.scan(tx, prefix, func(i Item) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return fn(i)
	})
}

// verify reads every table: badger's iterators end in silence at a block that they cannot read, and
// badger itself panics on one that does not decompress (4.9.6), also where it verifies by itself.
func verify(db *badger.DB) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: a table's checksum is wrong: %v", ErrFailed, p)
		}
	}()
	return db.VerifyChecksum()
}

// faulty is an error, unless the store was opened to find just that.
func (b *Badger) faulty(key string, err error) error {
	if b.cfg.Faulty == nil {
		return err
	}
	b.cfg.Faulty(key, err)
	return nil
}

// scan calls fn for every key of the callers with a prefix.
func (b *Badger) scan(tx *badger.Txn, prefix string, fn func(Item) error) error {
	opt := badger.DefaultIteratorOptions
	opt.Prefix = []byte(userSpace + prefix)
	it := tx.NewIterator(opt)
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		i, err := item(it.Item())
		if err != nil {
			if err = b.faulty(string(it.Item().Key()[len(userSpace):]), err); err != nil {
				return err
			}
			continue
		}
		if err := fn(i); err != nil {
			return err
		}
	}
	return nil
}

// get reads one key.
func get(tx *badger.Txn, key string) (Item, error) {
	it, err := tx.Get([]byte(userSpace + key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return Item{}, ErrNotFound
	}
	if err != nil {
		return Item{}, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return item(it)
}

// item decodes a stored pair.
func item(it *badger.Item) (Item, error) {
	v, err := it.ValueCopy(nil)
	if err != nil {
		return Item{}, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	if len(v) < header {
		return Item{}, fmt.Errorf("%w: key %q has %d bytes", ErrFailed, it.Key(), len(v))
	}
	return Item{
		Key:      string(it.Key()[len(userSpace):]),
		Revision: binary.BigEndian.Uint64(v),
		Lease:    LeaseID(binary.BigEndian.Uint64(v[8:])),
		Value:    v[header:],
	}, nil
}

// free returns what an unprivileged process may still write.
func free(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// fault names an error of the disk.
func fault(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", ErrFull, err)
	case errors.Is(err, badger.ErrDBClosed), errors.Is(err, badger.ErrBlockedWrites), errors.Is(err, fs.ErrClosed):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}

// logger gives badger's words to slog; its chatter is at debug.
type logger struct{ log *slog.Logger }

func (l logger) Errorf(f string, a ...any) {
	l.log.Error("state database", "detail", fmt.Sprintf(f, a...))
}
func (l logger) Warningf(f string, a ...any) {
	l.log.Warn("state database", "detail", fmt.Sprintf(f, a...))
}
func (l logger) Infof(f string, a ...any) {
	l.log.Debug("state database", "detail", fmt.Sprintf(f, a...))
}
func (l logger) Debugf(string, ...any) {}
