package statedb

import (
	"slices"

	"smbproxy/statedb/core"
)

// Lister is what an admin sees of the state, in no order. A long list is not of one moment: what begins
// or ends while it is made may be missing.
type Lister interface {
	Opens() []core.OpenInfo
	Locks() []core.LockInfo // those that wait included
	Leases() []core.LeaseInfo
	Watches() []core.WatchInfo
	Stats() core.Stats
}

// listChunk is how much of a list is made while the shard stands still: it is for an admin, who has
// time, not for those who wait for their opens.
const listChunk = 1000

// chunked makes a list of what ids names, each described by info, under the mutex for a while at a time.
func chunked[ID, T any](o *Owner, ids func() []ID, info func(ID) []T) (list []T) {
	o.mu.Lock()
	all := ids()
	o.mu.Unlock()
	list = make([]T, 0, len(all))
	for chunk := range slices.Chunk(all, listChunk) {
		o.mu.Lock()
		for _, id := range chunk {
			list = append(list, info(id)...)
		}
		o.mu.Unlock()
	}
	return list
}

// one is for chunked what describes one thing or, if it has gone, none.
func one[ID, T any](info func(ID) (T, bool)) func(ID) []T {
	var buf [1]T
	return func(id ID) []T {
		i, ok := info(id)
		if !ok {
			return nil
		}
		buf[0] = i
		return buf[:]
	}
}

// Opens implements Lister.
func (o *Owner) Opens() []core.OpenInfo { return chunked(o, o.state.OpenIDs, one(o.state.OpenInfo)) }

// Locks implements Lister.
func (o *Owner) Locks() []core.LockInfo { return chunked(o, o.state.LockedFiles, o.state.LockInfos) }

// Leases implements Lister.
func (o *Owner) Leases() []core.LeaseInfo {
	return chunked(o, o.state.LeaseIDs, one(o.state.LeaseInfo))
}

// Watches implements Lister.
func (o *Owner) Watches() []core.WatchInfo {
	return chunked(o, o.state.Watchers, one(o.state.WatchInfo))
}

// Stats counts what there is.
func (o *Owner) Stats() core.Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state.Stats()
}
