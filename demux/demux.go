package demux

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"smbproxy/demux/backend"
	"smbproxy/demux/rpc"
	"smbproxy/session"
	"smbproxy/statedb"
)

// Demux relays what clients ask of shares to the backends that serve them. It is session's
// Upper and owns the table of commands.
type Demux struct {
	routes atomic.Pointer[routes]
	log    *slog.Logger
	table  [19]session.Command
	state  statedb.DB
	sink   *Sink
	pipes  *rpc.Server // those that speak for the cluster

	background  *background
	watches     watches
	kept        keptWrites
	detached    detached
	recovery    *recovery
	volumes     fileSystems
	dataFiles   dataFiles
	dataHandles dataHandles
	full        sync.Map // of *rate.Sometimes by backend: see diskFull

	deleters deleters

	mu       sync.Mutex                // guards sessions
	sessions map[uint64]*clientSession // by SessionId
}

// New makes a Demux for a configuration, or reports all its faults.
func New(cfg Config) (*Demux, error) {
	if cfg.State == nil || cfg.Sink == nil {
		return nil, errors.New("demux needs the state of open files and its sink")
	}
	d := &Demux{log: cfg.Log, state: cfg.State, sink: cfg.Sink, sessions: map[uint64]*clientSession{}, background: newBackground()}
	d.sink.demux = d
	d.watches.stops, d.watches.changed = map[*backend.Pool]func(){}, make(chan struct{}, 1)
	d.kept.due = make(chan struct{}, 1)
	d.pipes = rpc.NewServer(cluster{d})
	if d.log == nil {
		d.log = slog.Default()
	}
	if err := d.Reconfigure(cfg); err != nil {
		return nil, err
	}
	d.recovery = newRecovery(cfg.Past, &d.routes.Load().cfg)
	d.table = d.commands()
	return d, nil
}

// Table is what session executes.
func (d *Demux) Table() *[19]session.Command { return &d.table }

// Reconfigure takes new shares and backends; State, Sink and Log stay as New had them. A bad
// configuration changes nothing. Trees that are connected keep their policy; those of a share
// that is gone can open nothing more.
func (d *Demux) Reconfigure(cfg Config) error {
	if err := cfg.check(); err != nil {
		return fmt.Errorf("shares: %w", err)
	}
	d.routes.Store(newRoutes(cfg))
	d.watchPools(cfg.Backends)
	return nil
}

// SessionClosed forgets a session, whose trees are closed already (session.Upper).
func (d *Demux) SessionClosed(s *session.Session) {
	d.mu.Lock()
	cs, ok := s.Upper.(*clientSession)
	delete(d.sessions, s.ID)
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

// ConnectionClosed sends breaks again that were sent on a connection that has ended (session.Upper). Its sessions and their
// trees are announced by themselves.
func (d *Demux) ConnectionClosed(c *session.Connection) { d.sink.connectionClosed(c) }

// clientSessions is a snapshot of the sessions that have connected to a share.
func (d *Demux) clientSessions() []*clientSession {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Values(d.sessions))
}

// clientSession finds a session that has connected to a share, nil if there is none of that id.
func (d *Demux) clientSession(id uint64) *clientSession {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sessions[id]
}
