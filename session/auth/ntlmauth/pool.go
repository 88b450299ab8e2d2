// Package ntlmauth checks NTLMv2 responses for domain accounts: it asks winbindd through child
// processes `ntlm_auth --helper-protocol=ntlm-server-1` (Samba's ntlm_auth(1)).
//
// A child serves one logon at a time. There is no goroutine here: the caller talks to
// the child itself, with a deadline on the pipes; a child that fails is killed and the next
// logon starts another.
package ntlmauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"smbproxy/internal/ntstatus"
)

// Config says what to run.
type Config struct {
	Argv    []string      // program and arguments
	Max     int           // most children at a time
	Timeout time.Duration // for one logon, waiting for a free child included
	Log     *slog.Logger
}

// Logon is one response to check.
type Logon struct {
	User, Domain string
	Challenge    [8]byte
	LM, NT       []byte
}

// Pool keeps the children. Safe for concurrent use.
type Pool struct {
	cfg   Config
	slots chan struct{} // one token for each logon under way; capacity Max; never closed

	mu     sync.Mutex // guards what follows; not held while a child is talked to
	idle   []*child
	closed bool
}

// New makes a pool. Children start when they are needed.
func New(cfg Config) *Pool { return &Pool{cfg: cfg, slots: make(chan struct{}, cfg.Max)} }

// errClosed answers logons after Close.
var errClosed = errors.New("ntlm_auth: closed")

// Close ends the children: the idle ones now, the others when their logon is done.
func (p *Pool) Close() error {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.end()
	}
	return nil
}

// Logon asks a child. The key is the NTLMv2 session base key. Errors wrap an ntstatus.Status:
// what winbindd says of the user, or NoLogonServers when nobody answers.
func (p *Pool) Logon(ctx context.Context, l *Logon) (key [16]byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return key, fmt.Errorf("logon of user %q: no ntlm_auth child was free in time: %w", l.User, ntstatus.NoLogonServers)
	}
	deadline, _ := ctx.Deadline()
	for {
		c, used, err := p.take()
		if err != nil {
			return key, fmt.Errorf("logon of user %q: %w: %w", l.User, err, ntstatus.NoLogonServers)
		}
		reply, err := c.ask(ctx, l, deadline)
		if err == nil {
			p.give(c)
			return reply.judge(l)
		}
		c.end()
		if !used || ctx.Err() != nil {
			return key, fmt.Errorf("logon of user %q: ntlm_auth: %w: %w", l.User, err, ntstatus.NoLogonServers)
		}
		// An old child may have died since its last logon; a new one decides.
		p.cfg.Log.Warn("ntlm_auth child is gone, starting another", "error", err)
	}
}

// take gives an idle child (used) or starts one.
func (p *Pool) take() (c *child, used bool, err error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, false, errClosed
	}
	if n := len(p.idle); n > 0 {
		c = p.idle[n-1]
		p.idle = p.idle[:n-1]
	}
	p.mu.Unlock()
	if c != nil {
		return c, true, nil
	}
	c, err = start(p.cfg.Argv)
	return c, false, err
}

// give puts a child back after a logon.
func (p *Pool) give(c *child) {
	p.mu.Lock()
	keep := !p.closed
	if keep {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		c.end()
	}
}
