package session

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bounds of what is logged of refusals: so many lines at once of one client, then one in so long; and
// of so many clients at a time, the others together.
const (
	refusalBurst   = 10
	refusalEvery   = 10 * time.Second
	refusalClients = 4096
)

// refusals keeps clients that are refused again and again, a guesser of passwords above all, from filling
// the log. Metrics count every one all the same. The zero value is ready.
type refusals struct {
	mu sync.Mutex // guards by and what it holds
	by map[netip.Addr]*refusal
}

// refusal is one client's, or one network's of 64 bits: IPv6 hosts have as many addresses as they like.
type refusal struct {
	limit    *rate.Limiter
	unlogged int // since the last line
}

// log says whether a refusal of addr is worth a line, and how many before it were not.
func (l *refusals) log(now time.Time, addr netip.Addr) (line bool, unlogged int) {
	if addr = addr.Unmap(); addr.Is6() {
		if p, err := addr.WithZone("").Prefix(64); err == nil {
			addr = p.Addr()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.by[addr]
	if r == nil && len(l.by) >= refusalClients {
		l.forgetLocked(now)
		if len(l.by) >= refusalClients {
			addr = netip.Addr{}
			r = l.by[addr]
		}
	}
	if r == nil {
		if l.by == nil {
			l.by = map[netip.Addr]*refusal{}
		}
		r = &refusal{limit: rate.NewLimiter(rate.Every(refusalEvery), refusalBurst)}
		l.by[addr] = r
	}
	if !r.limit.AllowN(now, 1) {
		r.unlogged++
		return false, 0
	}
	unlogged, r.unlogged = r.unlogged, 0
	return true, unlogged
}

// forgetLocked forgets the clients that have been quiet for as long as their burst takes to grow again.
func (l *refusals) forgetLocked(now time.Time) {
	for addr, r := range l.by {
		if r.limit.TokensAt(now) >= refusalBurst {
			delete(l.by, addr)
		}
	}
}
