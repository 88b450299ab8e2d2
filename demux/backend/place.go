package backend

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
)

// smbd has one main thread per connection: a CREATE that hangs in the file system
// holds up everything on its lane, whosesoever it is, and what lies in smbd's
// socket behind it cannot be taken back. So users do not share lanes as long as
// there are lanes for all of them; a user's own clients do.
//
// A client goes to the first of these where nothing waits for long:
//
//	1. a lane that nobody is on, of those that the pool starts with
//	2. a lane where only clients of its user are, the one with the fewest
//	3. any lane that nobody is on, or one more, up to MaxLanes
//	4. the lane with the fewest clients, whosesoever they are

// class is what a lane is for. Handles of different classes never share a lane.
type class uint8

// The classes of lanes.
const (
	names class = iota // names, and data of files that have no data handles elsewhere
	data               // handles that are read and written only
	pipes              // what a client can leave hanging there (pipe.go) costs nobody his files
)

// classNames are the words of "smbproxy backends".
var classNames = [...]string{"names", "data", "pipes"}

// lane is a slot for a connection. Guarded by Pool.mu.
type lane struct {
	id      int
	class   class
	conn    *connection // nil: not connected
	dialing *dial       // nil: nobody does
	clients int
	users   map[string]int // how many of the clients are whose
	lost    uint64         // connections lost so far
}

// clientKey is a client as one user, with its names, its data, or its pipes.
type clientKey struct {
	affinity uint64
	user     string
	class    class
}

// assignment says which lane a client is on while it has Trees. Guarded by Pool.mu.
type assignment struct {
	key  clientKey
	lane *lane
	refs int
}

// Connect gives a client (affinity) a way to the share as the user: minted
// ticket, session and tree connect, each made only if there is none to share. It
// blocks, for 10 seconds at most; a backend known to be unreachable is refused at
// once. The error wraps the backend's status, or UnexpectedNetworkError.
func (p *Pool) Connect(ctx context.Context, user, share string, affinity uint64) (*Tree, error) {
	if strings.EqualFold(share, ipc) {
		return p.connectClass(ctx, user, share, affinity, pipes)
	}
	return p.connectClass(ctx, user, share, affinity, names)
}

// ConnectData is Connect for handles that are only read and written: they get
// lanes of their own, so that bulk data and names do not wait for one another.
func (p *Pool) ConnectData(ctx context.Context, user, share string, affinity uint64) (*Tree, error) {
	return p.connectClass(ctx, user, share, affinity, data)
}

// attach finds the client's lane: the one it is on already, unless that is to be
// avoided, else the one that place chooses.
func (p *Pool) attach(key clientKey) *assignment {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.clients[key]
	if a == nil || a.lane.conn != nil && a.lane.conn.avoid(key.user) {
		if ln := p.placeLocked(key); a == nil || ln != a.lane {
			a = &assignment{key: key, lane: ln}
			p.clients[key] = a
			ln.clients++
			ln.users[key.user]++
		}
	}
	a.refs++
	return a
}

// detach ends what attach began.
func (p *Pool) detach(a *assignment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.refs--; a.refs > 0 {
		return
	}
	ln := a.lane
	ln.clients--
	if ln.users[a.key.user]--; ln.users[a.key.user] == 0 {
		delete(ln.users, a.key.user)
	}
	if p.clients[a.key] == a {
		delete(p.clients, a.key)
	}
	if len(p.clients) == 0 && p.vital.admin == StateDraining {
		p.stir()
	}
}

// placeLocked chooses a lane for a client that has none.
func (p *Pool) placeLocked(key clientKey) *lane {
	var empty, own, mine, shared, any *lane // mine and any: however badly they do
	count := 0
	for _, ln := range p.lanes {
		if ln.class != key.class && (!ln.unused() || ln.id < p.cfg.Lanes) {
			continue
		}
		only := ln.clients > 0 && (ln.users[key.user] == ln.clients || key.class == pipes)
		if ln.class == key.class {
			any = fewest(any, ln)
		}
		if only {
			count++
			mine = fewest(mine, ln)
		}
		switch {
		case ln.conn != nil && ln.conn.busy():
		case ln.clients == 0:
			empty = cmp.Or(empty, ln)
		case only:
			own = fewest(own, ln)
		default:
			shared = fewest(shared, ln)
		}
	}
	switch {
	case empty != nil && empty.id < p.cfg.Lanes:
		return empty
	case own != nil:
		return own
	case count >= p.cfg.maxOwn(): // one user's trouble must not take everybody's lanes
		return mine
	case empty != nil:
		empty.class = key.class
		return empty
	case len(p.lanes) < p.cfg.MaxLanes || any == nil:
		ln := &lane{id: len(p.lanes), class: key.class, users: make(map[string]int)}
		p.lanes = append(p.lanes, ln)
		return ln
	}
	return cmp.Or(shared, any)
}

// unused tells that a lane can become one of any class.
func (ln *lane) unused() bool { return ln.clients == 0 && ln.conn == nil && ln.dialing == nil }

// fewest is the lane with the fewest clients of two, the first of which may be nil.
func fewest(a, b *lane) *lane {
	if a == nil || b.clients < a.clients {
		return b
	}
	return a
}

// maxOwn is how many lanes of a class one user may have to himself.
func (c *Config) maxOwn() int { return max(2, c.Lanes, c.MaxLanes/4) }

// crowded tells whether a connection has more opens than that part of MaxOpens.
func (cn *connection) crowded(part float64) bool {
	return float64(cn.opens.Load()) > part*float64(cn.pool.maxOpens.Load())
}

// learnMaxOpens notes that smbd has refused another open on a lane: it can have
// fewer than its configuration says where its host allows a process fewer file
// descriptors.
func (p *Pool) learnMaxOpens(opens int64) {
	if was := p.maxOpens.Load(); opens >= minOpens && opens < was && p.maxOpens.CompareAndSwap(was, opens) {
		p.log.Warn("smbd allows fewer open files than it should: its limit of file descriptors (LimitNOFILE) is too low",
			slog.Int64("open_files", opens), slog.Int64("configured", int64(p.cfg.MaxOpens)))
	}
}

// minOpens is less than any smbd that serves many clients allows: what one refuses
// below that has another reason.
const minOpens = 500

// Parts of MaxOpens: above the first a lane gets no new clients, above the second
// its clients go elsewhere with new opens, since CREATE would soon fail there.
const (
	crowdedShare = 2. / 3
	fullShare    = 14. / 15
)

// busy tells whether a lane is no place for another client.
func (cn *connection) busy() bool {
	return cn.slow.Load() || cn.stuckBy.Load() != nil || cn.crowded(crowdedShare)
}

// avoid tells whether new opens of the user had better go elsewhere: another
// user's request holds up the lane, or it is full.
func (cn *connection) avoid(user string) bool {
	if cn.crowded(fullShare) {
		return true
	}
	by := cn.stuckBy.Load()
	return by != nil && by.user != user
}

// Avoid tells whether new opens had better go to another lane, which Connect then
// finds: somebody else's request holds this one up, or it has as many opens as
// its smbd can. What is open here stays where it is.
func (t *Tree) Avoid() bool { return t.tc.session.conn.avoid(t.tc.session.user) }

// Stuck tells whether the lane's main thread does not get on, whosesoever request
// it is that it hangs in.
func (t *Tree) Stuck() bool { return t.tc.session.conn.stuckBy.Load() != nil }
