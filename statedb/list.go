package statedb

import "smbproxy/statedb/core"

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

// Stats counts what there is.
func (o *Owner) Stats() core.Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state.Stats()
}
