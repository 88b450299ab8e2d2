package statedb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"smbproxy/statedb/store"
)

// idBits is how much of an OpenID is counted; the node number stands above.
const idBits = 52

// idEpoch is where the count begins: ids are counted from the microseconds since then, so
// that a restart never meets an id of before, as long as fewer than a million opens are
// made in a second. The highest start is stored against clocks that go back.
var idEpoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// idKey holds the count that the last start began with.
const idKey = "node/first_open_id"

// idSkip is added to a stored start when the clock is behind it.
const idSkip = 1 << 36

// firstID decides where this run's ids begin.
func (o *Owner) firstID(ctx context.Context) (uint64, error) {
	id := uint64(max(time.Since(idEpoch).Microseconds(), 1))
	if o.cfg.Store == nil {
		return id, nil
	}
	i, err := o.cfg.Store.Get(ctx, idKey)
	switch {
	case err == nil && len(i.Value) == 8:
		if last := binary.BigEndian.Uint64(i.Value); id <= last {
			id = last + idSkip
		}
	case err == nil:
		return 0, fmt.Errorf("%q has %d bytes", idKey, len(i.Value))
	case !errors.Is(err, store.ErrNotFound):
		return 0, err
	}
	op := store.Op{Key: idKey, Value: binary.BigEndian.AppendUint64(nil, id)}
	if _, _, err := o.cfg.Store.Txn(ctx, nil, []store.Op{op}); err != nil {
		// Starting with a full disk is allowed: only persistent handles suffer.
		o.cfg.Log.Error("state database: cannot be written", "error", err)
	}
	return id, nil
}

// fencePrefix stands before the backend sessions that must be fenced after a restart.
const fencePrefix = "fence/"

// Fence is one session that this node has, or had, at a backend ([DESIGN] 9): after a
// restart it is fenced with PreviousSessionId before anything else changes data there.
type Fence struct {
	Backend   string
	User      string
	SessionID uint64
}

// key is the record's key. Backend and user names have no slash.
func (f Fence) key() string {
	return fencePrefix + f.Backend + "/" + f.User + "/" + strconv.FormatUint(f.SessionID, 16)
}

// AddFences stores sessions before they are first used for a change, with one sync.
func AddFences(ctx context.Context, s store.Store, list ...Fence) error {
	return fenceOps(ctx, s, false, list)
}

// RemoveFences forgets sessions that have been logged off or fenced.
func RemoveFences(ctx context.Context, s store.Store, list ...Fence) error {
	return fenceOps(ctx, s, true, list)
}

// fenceOps stores or deletes.
func fenceOps(ctx context.Context, s store.Store, remove bool, list []Fence) error {
	ops := make([]store.Op, 0, len(list))
	for _, f := range list {
		if strings.Contains(f.Backend, "/") || strings.Contains(f.User, "/") {
			return fmt.Errorf("fence of backend %q, user %q: a name has a slash", f.Backend, f.User)
		}
		ops = append(ops, store.Op{Key: f.key(), Delete: remove})
	}
	if len(ops) == 0 {
		return nil
	}
	_, _, err := s.Txn(ctx, nil, ops)
	return err
}

// Fences lists what is stored.
func Fences(ctx context.Context, s store.Source) (list []Fence, err error) {
	_, err = s.Range(ctx, fencePrefix, func(i store.Item) error {
		f, err := decodeFence(i.Key)
		if err != nil {
			return err
		}
		list = append(list, f)
		return nil
	})
	return list, err
}
