package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/transport"
)

// Backoff between attempts of Connect to reach a backend to which connections
// cannot be made. In between every Connect fails at once.
const (
	backoffMin = 100 * time.Millisecond
	backoffMax = 2 * time.Second
)

// probeLimit is how long a Connect waits for a backend that was down when it came.
const probeLimit = 250 * time.Millisecond

// queueLimit is what may lie before a socket at most; requests stop going there
// at maxQueuedBytes, but one call after the other may still pass that check.
const queueLimit = 256 << 20

// patience is how long a socket may take nothing: for ever.
const patience = 365 * 24 * time.Hour

// dial is one attempt to connect a lane, shared by all who wait for it.
type dial struct {
	lane  *lane
	began int64         // by Pool.now
	done  chan struct{} // closed when conn or err is set
	conn  *connection
	err   error
}

// outage is the state of the backend as dialing sees it, until watch has made up
// its mind.
//
//	     dial fails            backoff over, a Connect comes
//	up ─────────────> down ───────────────────────────────> probing
//	 ▲                  ▲ dial fails                           │
//	 └──────────────────┴──────────────────────────────────────┘ dial succeeds: up
type outage struct {
	err     error // why it is down; nil: up
	backoff time.Duration
	retryAt int64 // not before, by Pool.now
	probe   *dial // the Connect that tries again, nil: none does
}

// connection returns the lane's connection, dialed if need be.
func (p *Pool) connection(ctx context.Context, ln *lane) (*connection, error) {
	for {
		p.mu.Lock()
		if ln.conn != nil && !ln.conn.dead.Load() {
			defer p.mu.Unlock()
			return ln.conn, nil
		}
		d, down := ln.dialing, p.down.err
		switch {
		case d != nil:
		case p.closed:
			defer p.mu.Unlock()
			return nil, errClosed
		case down != nil && p.down.probe != nil:
			d = p.down.probe
		case down != nil && p.now() < p.down.retryAt:
			defer p.mu.Unlock()
			return nil, down
		default:
			d = &dial{lane: ln, began: p.now(), done: make(chan struct{})}
			ln.dialing = d
			if down != nil {
				p.down.probe = d
			}
			p.children.Go(func() { p.dial(d) })
		}
		p.mu.Unlock()
		if err := p.awaitDial(ctx, d, down); err != nil {
			return nil, err
		}
		if d.lane == ln || d.err != nil {
			return d.conn, d.err
		}
	}
}

// awaitDial waits for a dial. Where the backend is known to be away nobody waits
// for longer than probeLimit.
func (p *Pool) awaitDial(ctx context.Context, d *dial, down error) error {
	if down != nil {
		left := probeLimit - time.Duration(p.now()-d.began)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, max(0, left), down)
		defer cancel()
	}
	return await(ctx, d.done)
}

// dial runs one attempt and notes how it went.
func (p *Pool) dial(d *dial) {
	ln := d.lane
	ctx, cancel := context.WithTimeoutCause(context.Background(), p.cfg.DialTimeout, p.unanswered())
	defer cancel()
	cn, err := p.open(ctx, ln.id)
	p.mu.Lock()
	was := p.down
	closed := p.closed
	ln.dialing = nil
	switch {
	case err != nil:
		d.err = fmt.Errorf("backend %q at %s cannot be reached: %w: %w", p.cfg.Name, p.cfg.Address, ntstatus.UnexpectedNetworkError, err)
		backoff := min(max(backoffMin, 2*was.backoff), backoffMax)
		if errors.Is(err, syscall.ECONNREFUSED) { // it costs nothing to ask again
			backoff = 0
		}
		p.down = outage{err: d.err, backoff: backoff, retryAt: p.now() + int64(backoff)}
	case closed:
		d.err = errClosed
	default:
		p.down = outage{}
		d.conn, ln.conn, cn.up = cn, cn, true
	}
	p.mu.Unlock()
	if err == nil && closed {
		cn.kill(errClosed)
	}
	p.dialed(d.began, err)
	close(d.done)
}

// open connects and negotiates. A lane that is blocked by its file system does not
// read, so there is no limit to how long its socket may be full: a backend that is
// dead is found by watch.
func (p *Pool) open(ctx context.Context, lane int) (*connection, error) {
	nc, err := p.cfg.Dial(ctx, "tcp", p.cfg.Address)
	if err != nil {
		return nil, err
	}
	cn := newConnection(p, lane)
	cn.nc = transport.NewConn(nc, transport.Options{
		Opener: cn.opener, QueueLimit: queueLimit, WriteTimeout: patience,
	})
	if !p.spawn(cn.serve) {
		_ = nc.Close() // nothing was sent
		return nil, errClosed
	}
	if err := cn.negotiate(ctx); err != nil {
		cn.kill(err)
		return nil, err
	}
	return cn, nil
}

// ended notes that a connection is gone; its reader calls it once.
func (p *Pool) ended(cn *connection, err error) {
	p.mu.Lock()
	if cn.lane != noLane && p.lanes[cn.lane].conn == cn {
		p.lanes[cn.lane].conn = nil
	}
	if cn.up {
		p.lanes[cn.lane].lost++
	}
	quiet := p.closed || !cn.up
	p.vital.urgent = p.vital.urgent || !quiet && !errors.Is(err, errIdle)
	p.mu.Unlock()
	p.stir()
	switch {
	case quiet:
	case errors.Is(err, errIdle):
		p.log.Debug("lane closed, nobody used it", slog.Int("lane", cn.lane))
	default:
		p.log.Warn("lane lost", slog.Int("lane", cn.lane), slog.Any("error", err))
	}
}
