package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
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
	shown   atomic.Uint32 // State
	// maxOpens is how many opens a lane can have: Config.MaxOpens, or less.
	maxOpens atomic.Int64

	children sync.WaitGroup // readers, setups, probes, fences
	wake     chan struct{}  // capacity 1: the watcher is to look at once; never closed
	fencing  chan struct{}  // capacity 1: held by whoever runs the fence command
	// life ends when Run does. A field, because readers and probes begin in calls
	// that outlive their caller's context.
	life    context.Context
	endLife context.CancelFunc
	// commanded is the outage (vital.fell) that the fence command has ended; held with fencing.
	commanded int64

	mu      sync.Mutex // guards what follows
	closed  bool
	lanes   []*lane
	clients map[clientKey]*assignment
	down    outage
	vital   vital
	lost    map[OldSession]bool // sessions to be fenced; true: their process has ended its connection
	tidying bool                // tidy is at work
	subs    map[int]func(Event)
	nextSub int
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
		wake: make(chan struct{}, 1), fencing: make(chan struct{}, 1),
		lost: make(map[OldSession]bool), subs: make(map[int]func(Event)),
		log:     log.With(slog.String("backend", cfg.Name)),
		keys:    keySource{path: cfg.KeytabFile, spn: cfg.SPN, realm: cfg.Realm},
		errGone: fmt.Errorf("backend %q: session or share is gone: %w", cfg.Name, ntstatus.UnexpectedNetworkError),
	}
	if _, _, err := p.keys.get(); err != nil {
		return nil, fmt.Errorf("backend %q: %w", cfg.Name, err)
	}
	p.life, p.endLife = context.WithCancel(context.Background())
	p.vital.since = p.start
	p.maxOpens.Store(int64(cfg.MaxOpens))
	for i := range cfg.Lanes {
		p.lanes = append(p.lanes, &lane{id: i, users: make(map[string]int)})
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
		case <-p.wake:
		case <-ctx.Done():
			continue
		}
		p.watch()
		now := p.now()
		if now-swept < int64(sweepEvery) {
			continue
		}
		swept = now
		for _, cn := range p.connections() {
			cn.sweep(now)
		}
	}
	p.endLife()
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

// connectClass is Connect on a lane of the class.
func (p *Pool) connectClass(ctx context.Context, user, share string, affinity uint64, c class) (*Tree, error) {
	u, err := p.cfg.resolve(user)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, connectLimit, p.unanswered())
	defer cancel()
	if p.Duty() == StateDisabled {
		return nil, fmt.Errorf("backend %q: %w", p.cfg.Name, errDisabled)
	}
	a := p.attach(clientKey{affinity, u.Name, c})
	t, stale, err := p.connect(ctx, a, share)
	if stale && ctx.Err() == nil {
		t, _, err = p.connect(ctx, a, share)
	}
	if err != nil {
		p.detach(a)
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
func (p *Pool) connect(ctx context.Context, a *assignment, share string) (t *Tree, stale bool, err error) {
	cn, err := p.connection(ctx, a.lane)
	if err != nil {
		return nil, false, err
	}
	tc, err := cn.tree(ctx, a.key.user, share)
	if err != nil {
		return nil, errors.Is(err, ntstatus.UnexpectedNetworkError), err
	}
	return &Tree{pool: p, tc: tc, at: a, client: cn.client(a.key.affinity)}, false, nil
}

// mint makes a ticket with a key, nil: the newest.
func (p *Pool) mint(user string, with *serviceKey) (*ticket, error) {
	key, warn, err := p.keys.get()
	if warn != nil {
		p.log.Error("keytab is bad, the last good key serves on", slog.Any("error", warn))
	}
	if err != nil {
		return nil, fmt.Errorf("backend %q: %w: %w", p.cfg.Name, ntstatus.InternalError, err)
	}
	if with != nil {
		key = *with
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
