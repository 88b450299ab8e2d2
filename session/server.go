package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Server accepts connections and holds what they share: the global session table ([MS-SMB2] 3.3.1.5) and
// the limits.
type Server struct {
	table *[commandCount]Command
	upper Upper
	cfg   atomic.Pointer[Config]

	logons, turned refusals // what is logged of refused authentications and connections

	mu         sync.Mutex // guards all below
	conns      map[*Connection]struct{}
	perAddress map[netip.Addr]int
	sessions   map[uint64]*Session // GlobalSessionTable
	lastConn   uint64
	listeners  map[net.Listener]struct{}
	draining   bool
	idle       chan struct{} // closed when draining and the last connection is gone
}

// NewServer makes a Server that serves the commands of table and tells up about closed sessions and trees.
func NewServer(cfg Config, table *[commandCount]Command, up Upper) (*Server, error) {
	c, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if table == nil || up == nil {
		return nil, errors.New("session: no table of commands or no upper layer")
	}
	s := &Server{
		table: table, upper: up,
		conns:      map[*Connection]struct{}{},
		perAddress: map[netip.Addr]int{},
		sessions:   map[uint64]*Session{},
		listeners:  map[net.Listener]struct{}{},
		idle:       make(chan struct{}),
	}
	s.cfg.Store(c)
	return s, nil
}

// Reconfigure puts cfg in force for connections accepted from now on; those that exist keep what they
// negotiated. A faulty cfg changes nothing.
func (s *Server) Reconfigure(cfg Config) error {
	c, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	s.cfg.Store(c)
	return nil
}

// errServerClosed is why Serve returns after Shutdown.
var errServerClosed = errors.New("session: server shut down")

// Serve accepts connections from ln until ctx ends or Shutdown is called, and returns when the last of them is
// gone. It closes ln. The end of ctx closes the connections, Shutdown does not.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	if !s.addListener(ln) {
		return errors.Join(errServerClosed, ln.Close())
	}
	var children sync.WaitGroup
	defer children.Wait()
	defer s.removeListener(ln)
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()

	wait := acceptBackoff{}
	for {
		nc, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if s.isDraining() {
				return errServerClosed
			}
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("accept on %v: %w", ln.Addr(), err)
			}
			s.log().Warn("cannot accept a connection", "listener", ln.Addr().String(), "error", err)
			if !wait.pause(ctx) {
				return context.Cause(ctx)
			}
			continue
		}
		wait.reset()
		c := s.admit(nc)
		if c == nil {
			continue
		}
		children.Go(func() { c.serve(ctx) })
	}
}

// acceptBackoff keeps a listener that has run out of descriptors from spinning.
type acceptBackoff struct{ delay time.Duration }

// pause waits, longer each time up to a second; false: ctx has ended.
func (b *acceptBackoff) pause(ctx context.Context) bool {
	b.delay = min(max(2*b.delay, 5*time.Millisecond), time.Second)
	t := time.NewTimer(b.delay)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reset starts again with short pauses.
func (b *acceptBackoff) reset() { b.delay = 0 }

// ServeConn serves one connection accepted elsewhere, until it ends; false if the limits refused it.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn) bool {
	c := s.admit(nc)
	if c == nil {
		return false
	}
	c.serve(ctx)
	return true
}

// admit makes a Connection of nc, or closes it because there are too many.
func (s *Server) admit(nc net.Conn) *Connection {
	cfg := s.cfg.Load()
	addr := addressOf(nc.RemoteAddr())
	s.mu.Lock()
	var reason string
	switch {
	case s.draining:
		reason = "shutting down"
	case cfg.MaxConnections > 0 && len(s.conns) >= cfg.MaxConnections:
		reason = "too many connections"
	case cfg.MaxConnectionsPerAddress > 0 && s.perAddress[addr] >= cfg.MaxConnectionsPerAddress:
		reason = "too many connections from this address"
	}
	if reason != "" {
		s.mu.Unlock()
		if line, unlogged := s.turned.log(cfg.Now(), addr); line {
			cfg.Log.Warn("connection refused", "client", nc.RemoteAddr().String(), "reason", reason, "unlogged", unlogged)
		}
		_ = nc.Close() // nothing was sent on it
		return nil
	}
	s.lastConn++
	c := newConnection(s, cfg, s.lastConn, addr, nc)
	s.conns[c] = struct{}{}
	s.perAddress[addr]++
	s.mu.Unlock()
	return c
}

// forget is admit's reverse.
func (s *Server) forget(c *Connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.perAddress[c.address]--; s.perAddress[c.address] <= 0 {
		delete(s.perAddress, c.address)
	}
	s.checkIdleLocked()
}

// checkIdleLocked tells Shutdown that nothing is left.
func (s *Server) checkIdleLocked() {
	if s.draining && len(s.conns) == 0 {
		select {
		case <-s.idle:
		default:
			close(s.idle)
		}
	}
}

// Shutdown stops accepting and lets the clients go: an idle connection at once, a busy one after its last reply,
// where what only waits is cancelled and does not count; when ctx ends, whatever is left. It waits for all of them and
// returns ctx's error if some had to be dropped.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining = true
	for ln := range s.listeners {
		_ = ln.Close() // Serve reports what matters
	}
	s.checkIdleLocked()
	s.mu.Unlock()
	for _, c := range s.snapshot() {
		c.leave()
	}
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
	}
	for _, c := range s.snapshot() {
		c.terminate(errServerClosed)
	}
	<-s.idle
	return context.Cause(ctx)
}

// Counts tells how many connections and authenticated sessions there are, cheaply.
func (s *Server) Counts() (connections, sessions int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.sessions {
		if sess.authenticated() {
			sessions++
		}
	}
	return len(s.conns), sessions
}

// snapshot is the list of connections at this moment.
func (s *Server) snapshot() []*Connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Connection, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c)
	}
	return list
}

// addListener notes ln for Shutdown; false: too late.
func (s *Server) addListener(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.listeners[ln] = struct{}{}
	return true
}

// removeListener closes ln and forgets it.
func (s *Server) removeListener(ln net.Listener) {
	_ = ln.Close() // closed already, as a rule
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
}

// isDraining tells whether Shutdown was called.
func (s *Server) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// log is the current logger.
func (s *Server) log() *slog.Logger { return s.cfg.Load().Log }

// addressOf is the address by which connections are counted; peers without an IP address count as one.
func addressOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
