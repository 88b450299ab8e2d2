package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"smbproxy/internal/ntstatus"
)

// connectLimit bounds a Connect: a client that connects to a share is answered
// within it whatever the backend does.
const connectLimit = 10 * time.Second

// errClosed is what a pool says whose Run has ended.
var errClosed = fmt.Errorf("backend pool is closed: %w", ntstatus.UnexpectedNetworkError)

// Pool is all connections to one backend. NewPool makes it, Run keeps it; it is
// safe for concurrent use.
type Pool struct {
	cfg     Config
	log     *slog.Logger
	keys    keySource
	start   time.Time // what now counts from
	errGone error

	children sync.WaitGroup // readers and setups

	mu      sync.Mutex // guards what follows
	closed  bool
	lanes   []*lane
	clients map[clientKey]*assignment
	down    outage
}

// lane is a slot for a connection. Pipes have lanes of their own: what a client
// can leave hanging there (pipe.go) costs nobody his files.
type lane struct {
	id      int
	pipes   bool
	conn    *connection // nil: not connected
	dialing *dial       // nil: nobody does
	clients int
	lost    uint64 // connections lost so far
}

// clientKey is a client with its files, or with its pipes.
type clientKey struct {
	affinity uint64
	pipes    bool
}

// assignment says which lane a client is on while it has Trees.
type assignment struct {
	lane *lane
	refs int
}

// NewPool checks the configuration, the keytab included. No connection is made
// before the first Connect.
func NewPool(cfg Config, log *slog.Logger) (*Pool, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pool{
		cfg: cfg, start: time.Now(), clients: make(map[clientKey]*assignment),
		log:     log.With(slog.String("backend", cfg.Name)),
		keys:    keySource{path: cfg.KeytabFile, spn: cfg.SPN, realm: cfg.Realm},
		errGone: fmt.Errorf("backend %q: session or share is gone: %w", cfg.Name, ntstatus.UnexpectedNetworkError),
	}
	if _, _, err := p.keys.get(); err != nil {
		return nil, fmt.Errorf("backend %q: %w", cfg.Name, err)
	}
	for i := range cfg.Lanes {
		p.lanes = append(p.lanes, &lane{id: i})
	}
	return p, nil
}

// Name is the backend's name.
func (p *Pool) Name() string { return p.cfg.Name }

// now is monotonic time since the pool was made, in nanoseconds.
func (p *Pool) now() int64 { return int64(time.Since(p.start)) }

// Run watches lanes, sessions and deadlines until ctx ends; then it ends all
// connections and returns when nothing of the pool runs any more.
func (p *Pool) Run(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	swept := p.now()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			continue
		}
		now := p.now()
		sweep := now-swept >= int64(sweepEvery)
		if sweep {
			swept = now
		}
		for _, cn := range p.connections() {
			cn.tick(now)
			if sweep {
				cn.sweep(now)
			}
		}
	}
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	for _, cn := range p.connections() {
		cn.kill(errClosed)
	}
	p.children.Wait()
	return nil
}

// connections are the ones that are up.
func (p *Pool) connections() []*connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	var up []*connection
	for _, ln := range p.lanes {
		if ln.conn != nil {
			up = append(up, ln.conn)
		}
	}
	return up
}

// spawn runs fn on a goroutine that Run waits for; not once Run has ended.
func (p *Pool) spawn(fn func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.children.Go(fn)
	return true
}

// Connect gives a client (affinity) a way to the share as the user: minted
// ticket, session and tree connect, each made only if there is none to share. It
// blocks, for 10 seconds at most; a backend known to be unreachable is refused at
// once. The error wraps the backend's status, or UnexpectedNetworkError.
func (p *Pool) Connect(ctx context.Context, user, share string, affinity uint64) (*Tree, error) {
	u, err := p.cfg.resolve(user)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, connectLimit, p.unanswered())
	defer cancel()
	key := clientKey{affinity, strings.EqualFold(share, ipc)}
	ln := p.attach(key)
	t, stale, err := p.connect(ctx, ln, u.Name, share, key)
	if stale && ctx.Err() == nil {
		t, _, err = p.connect(ctx, ln, u.Name, share, key)
	}
	if err != nil {
		p.detach(key)
		return nil, err
	}
	return t, nil
}

// unanswered is the error of a Connect that took too long.
func (p *Pool) unanswered() error {
	return fmt.Errorf("backend %q does not answer: %w: %w", p.cfg.Name, ntstatus.UnexpectedNetworkError, context.DeadlineExceeded)
}

// connect is one try of Connect on a lane; stale tells that the connection it was
// tried on is lost, and another one may do.
func (p *Pool) connect(ctx context.Context, ln *lane, user, share string, key clientKey) (t *Tree, stale bool, err error) {
	cn, err := p.connection(ctx, ln)
	if err != nil {
		return nil, false, err
	}
	tc, err := cn.tree(ctx, user, share)
	if err != nil {
		return nil, errors.Is(err, ntstatus.UnexpectedNetworkError), err
	}
	return &Tree{pool: p, tc: tc, key: key, client: cn.client(key.affinity)}, false, nil
}

// attach finds the client's lane: the one it is on already, else the one with the
// fewest clients among those that do not wait, and a new one if all do.
func (p *Pool) attach(key clientKey) *lane {
	slow := p.slowLanes()
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.clients[key]
	if a == nil {
		a = &assignment{lane: p.pickLocked(slow, key.pipes)}
		a.lane.clients++
		p.clients[key] = a
	}
	a.refs++
	return a.lane
}

// pickLocked chooses a lane for a new client. The first one for pipes is made when
// it is needed.
func (p *Pool) pickLocked(slow map[*connection]bool, pipes bool) *lane {
	var best, any *lane
	for _, ln := range p.lanes {
		if ln.pipes != pipes {
			continue
		}
		if any == nil || ln.clients < any.clients {
			any = ln
		}
		if !slow[ln.conn] && (best == nil || ln.clients < best.clients) {
			best = ln
		}
	}
	if best != nil {
		return best
	}
	if any != nil && len(p.lanes) >= p.cfg.MaxLanes {
		return any
	}
	ln := &lane{id: len(p.lanes), pipes: pipes}
	p.lanes = append(p.lanes, ln)
	return ln
}

// slowLanes are the connections whose oldest request waits too long.
func (p *Pool) slowLanes() map[*connection]bool {
	var slow map[*connection]bool
	for _, cn := range p.connections() {
		if cn.isSlow() {
			if slow == nil {
				slow = make(map[*connection]bool)
			}
			slow[cn] = true
		}
	}
	return slow
}

// detach ends what attach began.
func (p *Pool) detach(key clientKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.clients[key]
	if a.refs--; a.refs == 0 {
		a.lane.clients--
		delete(p.clients, key)
	}
}

// mint makes a ticket with the newest key.
func (p *Pool) mint(user string) (*ticket, error) {
	key, warn, err := p.keys.get()
	if warn != nil {
		p.log.Error("keytab is bad, the last good key serves on", slog.Any("error", warn))
	}
	if err != nil {
		return nil, fmt.Errorf("backend %q: %w: %w", p.cfg.Name, ntstatus.InternalError, err)
	}
	t, err := mint(key, p.cfg.SPN, p.cfg.Realm, user, time.Now(), p.cfg.TicketLife)
	if err != nil {
		return nil, fmt.Errorf("backend %q: %w: %w", p.cfg.Name, ntstatus.InternalError, err)
	}
	return t, nil
}

// refused explains a SESSION_SETUP that failed. A key that smbd does not have
// and a user that it does not know look the same from here.
func (p *Pool) refused(user string, t *ticket, st ntstatus.Status) error {
	err := fmt.Errorf("backend %q refuses user %q: %w (is key version %d of %s@%s in %s the one in its own keytab, its clock right, the user in its passwd?)",
		p.cfg.Name, user, st, t.kvno, p.cfg.SPN, p.cfg.Realm, p.cfg.KeytabFile)
	p.log.Error("backend refuses a minted ticket", slog.String("user", user), slog.Any("status", st),
		slog.String("keytab", p.cfg.KeytabFile), slog.Int("kvno", t.kvno))
	return err
}
