package demux

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"smbproxy/session"
)

// Demux relays what clients ask of shares to the backends that serve them. It is session's
// Upper and owns the table of commands.
type Demux struct {
	routes  atomic.Pointer[routes]
	log     *slog.Logger
	table   [19]session.Command
	lastID  atomic.Uint64 // of FileIds given out
	nodeTag uint64        // high bits of a FileId's persistent half

	full sync.Map // of *rate.Sometimes by backend: see diskFull

	mu       sync.Mutex // guards sessions
	sessions map[*clientSession]struct{}
}

// New makes a Demux for a configuration, or reports all its faults.
func New(cfg Config) (*Demux, error) {
	d := &Demux{log: cfg.Log, nodeTag: uint64(cfg.Node) << 48, sessions: map[*clientSession]struct{}{}}
	if d.log == nil {
		d.log = slog.Default()
	}
	if err := d.Reconfigure(cfg); err != nil {
		return nil, err
	}
	d.table = d.commands()
	return d, nil
}

// Table is what session executes.
func (d *Demux) Table() *[19]session.Command { return &d.table }

// Reconfigure takes new shares and backends; Node and Log stay as New had them. A bad
// configuration changes nothing. Trees that are connected keep their policy; those of a share
// that is gone can open nothing more.
func (d *Demux) Reconfigure(cfg Config) error {
	if err := cfg.check(); err != nil {
		return fmt.Errorf("shares: %w", err)
	}
	d.routes.Store(newRoutes(cfg))
	return nil
}

// SessionClosed forgets a session, whose trees are closed already (session.Upper).
func (d *Demux) SessionClosed(s *session.Session) {
	d.mu.Lock()
	cs, ok := s.Upper.(*clientSession)
	delete(d.sessions, cs)
	d.mu.Unlock()
	if ok {
		cs.closeAll()
	}
}

// TreeClosed closes what is open through a tree (session.Upper).
func (d *Demux) TreeClosed(t *session.TreeConnect) {
	if tr, ok := t.Upper.(*tree); ok {
		tr.close()
	}
}

// ConnectionClosed is nothing to us: its sessions and their trees are announced by themselves
// (session.Upper).
func (d *Demux) ConnectionClosed(*session.Connection) {}

// clientSessions is a snapshot of the sessions that have connected to a share.
func (d *Demux) clientSessions() []*clientSession {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.sessions))
}
