package kerberos

import (
	"sync"
	"time"
)

// maxReplays bounds one generation of the cache: 32 bytes an entry. Only authenticators that are
// good in every other way are entered, so it takes that many logons in ten minutes to fill it.
const maxReplays = 1 << 20

// replays remembers authenticators for as long as their time stamp would let them pass,
// RFC 4120 3.2.3. Two generations, each of one window: what is asked about is at most
// one window old. mu guards all.
type replays struct {
	window time.Duration // twice the clock skew: time stamps from the past and the future

	mu    sync.Mutex
	since time.Time // when young was begun
	young map[[32]byte]struct{}
	old   map[[32]byte]struct{}
}

// fresh enters an authenticator and says whether it is new. A full cache lets nothing pass:
// it could not tell.
func (r *replays) fresh(id [32]byte, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := now.Sub(r.since); r.young == nil || age >= r.window || age < 0 {
		if r.old = r.young; age >= 2*r.window {
			r.old = nil
		}
		r.young, r.since = make(map[[32]byte]struct{}), now
	}
	if _, ok := r.old[id]; ok {
		return false
	}
	if _, ok := r.young[id]; ok || len(r.young) >= maxReplays {
		return false
	}
	r.young[id] = struct{}{}
	return true
}
