package session

import "sync"

// window is Connection.CommandSequenceWindow ([MS-SMB2] 3.3.1.1, 3.3.1.2): the message ids that the
// client may use, each once. It reaches from the lowest id not yet used over at most max ids; a skipped id
// keeps it from moving on, and then no credits are granted once it is full.
type window struct {
	mu      sync.Mutex // guards all below
	low     uint64     // the lowest id that may still come
	span    uint32     // ids from low on that were granted; used ones are marked in used
	free    uint32     // of those, the ones not used
	max     uint32
	used    []uint64 // bit id & mask
	mask    uint64
	highest uint64 // one more than the highest id seen, for diagnosis
}

// init makes the window of a new connection, which has id 0 only ([MS-SMB2] 3.3.5.1).
func (w *window) init(limit int) {
	size := uint64(64)
	for size < uint64(limit) {
		size *= 2
	}
	w.max, w.span, w.free = uint32(limit), 1, 1
	w.used, w.mask = make([]uint64, size/64), size-1
}

// consume takes charge ids from id on (0 counts as 1). False: one of them is not the client's to use, and
// the connection must end ([MS-SMB2] 3.3.5.2.3).
func (w *window) consume(id uint64, charge uint16) bool {
	n := uint64(max(charge, 1))
	w.mu.Lock()
	defer w.mu.Unlock()
	if id < w.low || id-w.low+n > uint64(w.span) || id+n < id || n > uint64(w.free) {
		return false
	}
	for i := id; i < id+n; i++ {
		if w.used[(i&w.mask)/64]&(1<<(i%64)) != 0 {
			return false
		}
	}
	for i := id; i < id+n; i++ {
		w.used[(i&w.mask)/64] |= 1 << (i % 64)
	}
	w.free -= uint32(n)
	w.highest = max(w.highest, id+n)
	for w.span > 0 {
		word, bit := &w.used[(w.low&w.mask)/64], uint64(1)<<(w.low%64)
		if *word&bit == 0 {
			break
		}
		*word &^= bit
		w.low++
		w.span--
	}
	return true
}

// grant widens the window for a reply to a request that asked for requested credits and paid charge, and
// returns the credits for its header ([MS-SMB2] 3.3.1.2). extra says whether more than what was paid may be granted.
// A client is never left without any credit while the window has room.
//
// Samba: 4.17 grants charge-1 beyond what was requested too.
func (w *window) grant(requested, charge uint16, extra bool) uint16 {
	w.mu.Lock()
	defer w.mu.Unlock()
	want := uint32(0)
	switch {
	case requested > 0:
		want = uint32(max(charge, 1))
		if extra {
			want += uint32(requested) - 1
		}
	case w.free == 0:
		want = 1
	}
	want = min(want, w.max-w.span, maxCredits)
	w.span += want
	w.free += want
	return uint16(want)
}

// credits tells how many credits the client holds.
func (w *window) credits() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int(w.free)
}
