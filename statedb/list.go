package statedb

import "smbproxy/statedb/core"

// Lister is what an admin sees of the state, as of one moment each.
type Lister interface {
	Opens() []core.OpenInfo
	Locks() []core.LockInfo
	Leases() []core.LeaseInfo
	Watches() []core.WatchInfo
	Stats() core.Stats
}

// Opens returns every open, in no order. The shard stands still meanwhile: it is for an
// admin, not for the way of a request.
func (o *Owner) Opens() (list []core.OpenInfo) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state.Opens(func(i core.OpenInfo) { list = append(list, i) })
	return list
}

// Locks returns every byte-range lock, those that wait included.
func (o *Owner) Locks() (list []core.LockInfo) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state.Locks(func(i core.LockInfo) { list = append(list, i) })
	return list
}

// Leases returns every lease, in no order.
func (o *Owner) Leases() (list []core.LeaseInfo) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state.Leases(func(i core.LeaseInfo) { list = append(list, i) })
	return list
}

// Watches returns every registration for change notification, in no order.
func (o *Owner) Watches() (list []core.WatchInfo) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state.Watches(func(i core.WatchInfo) { list = append(list, i) })
	return list
}

// Stats counts what there is.
func (o *Owner) Stats() core.Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state.Stats()
}
