package backend

import "time"

// LaneStatus is one lane as "smbproxy backends" shows it.
type LaneStatus struct {
	Lane      int
	Class     string // "names", "data" or "pipes"
	Connected bool
	Clients   int    // that are on it
	Users     int    // that these are
	Lost      uint64 // connections lost so far, idle ones included

	// Of the connection, zero without one.
	Slow     bool          // its oldest request waits longer than SlowAfter
	Stuck    bool          // its smbd answers nothing at all for so long
	HeadWait time.Duration // how long that is
	Sessions int
	Trees    int
	Opens    int64
	InFlight int // requests sent and not answered, pending ones included
	Waiting  int // requests that wait for credits
	Credits  int // granted and free
	Replies  uint64
	Signing  string
	Cipher   string // "none" unless everything is sealed
}

// Status is the backend as seen from here.
type Status struct {
	Name    string
	Address string
	State   State
	Since   time.Time // that it has that state
	Reason  error     // of StateSuspect, StateDown and StateFenced
	Down    error     // why Connect is refused at once, nil if it is not
	Clients int       // that have Trees
	Lost    int       // sessions that are to be fenced
	Lanes   []LaneStatus
}

// Status takes a picture for the admin.
func (p *Pool) Status() Status {
	st := Status{Name: p.cfg.Name, Address: p.cfg.Address}
	p.mu.Lock()
	st.Down, st.Clients, st.Lost = p.down.err, len(p.clients), len(p.lost)
	st.State, st.Since = p.vital.shown, p.vital.since
	if st.State == StateSuspect || st.State == StateDown || st.State == StateFenced {
		st.Reason = p.vital.reason
	}
	conns := make([]*connection, len(p.lanes))
	for i, ln := range p.lanes {
		conns[i] = ln.conn
		st.Lanes = append(st.Lanes, LaneStatus{
			Lane: ln.id, Class: classNames[ln.class], Connected: ln.conn != nil, Clients: ln.clients, Users: len(ln.users), Lost: ln.lost,
		})
	}
	p.mu.Unlock()
	for i, cn := range conns {
		if cn != nil {
			cn.status(&st.Lanes[i])
		}
	}
	return st
}

// status fills in what the connection knows.
func (cn *connection) status(st *LaneStatus) {
	st.Opens, st.Replies = cn.opens.Load(), cn.calls.Load()
	st.Signing, st.Cipher = cn.neg.signing.String(), "none"
	cn.mu.Lock()
	defer cn.mu.Unlock()
	st.Slow, st.Stuck = cn.slow.Load(), cn.stuckBy.Load() != nil
	if c := cn.ready.head; c != nil {
		st.HeadWait = time.Duration(cn.pool.now() - c.since)
	}
	st.Sessions = len(cn.users)
	for _, s := range cn.users {
		st.Trees += len(s.trees)
		if s.encrypt {
			st.Cipher = cn.neg.cipher.String()
		}
	}
	st.InFlight, st.Waiting, st.Credits = len(cn.inflight), cn.waiting.n, cn.credits
}
