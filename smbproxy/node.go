package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"smbproxy/demux"
	"smbproxy/internal/smbconf"
	"smbproxy/session"
	"smbproxy/session/auth"
	"smbproxy/statedb"
	"smbproxy/statedb/store"
)

// node is a running smbproxy: the configuration in force and all that was made from it.
type node struct {
	configFile string
	load       func() (*Config, error)
	logs       *logging
	log        *slog.Logger
	metrics    *metrics
	guid       [16]byte
	started    time.Time

	pools     *poolSet
	gate      *hostGate
	dead      *deadClients
	listeners *listeners
	store     *store.Badger
	past      *sessionLog
	state     *statedb.Owner
	demux     *demux.Demux
	sessions  *session.Server
	draining  atomic.Bool

	current atomic.Pointer[loaded]

	reloading sync.Mutex                    // one reload at a time; guards authFrom
	auth      atomic.Pointer[auth.Acceptor] // read without the mutex
	authFrom  auth.Config
	faults    atomic.Pointer[[]string] // of the last reload; nil: none
}

// loaded is a configuration in force and since when.
type loaded struct {
	cfg *Config
	at  time.Time
}

// newNode builds everything from a configuration that has been checked; nothing listens yet. life is
// the context under which pools and connections live.
func newNode(life context.Context, configFile string, cfg *Config, logs *logging) (*node, error) {
	n := &node{
		configFile: configFile, logs: logs, log: logs.logger, metrics: newMetrics(), started: time.Now(),
		load:  func() (*Config, error) { return loadConfig(configFile, loadOptions{}) },
		pools: &poolSet{log: logs.logger}, gate: &hostGate{}, dead: &deadClients{},
	}
	var err error
	if n.guid, err = loadServerGUID(cfg.Global.StateDirectory); err != nil {
		return nil, err
	}
	if err := n.gate.set(cfg.Global.HostsAllow, cfg.Global.HostsDeny); err != nil {
		return nil, err
	}
	if n.store, err = store.OpenBadger(store.Config{Dir: stateDatabase(cfg.Global.StateDirectory), Log: n.log}); err != nil {
		return nil, err
	}
	n.past = &sessionLog{store: n.store, log: n.log}
	n.pools.sessions = n.past
	change, err := n.pools.prepare(life, cfg)
	if err != nil {
		return nil, errors.Join(err, n.store.Close())
	}
	shares, err := demuxConfig(cfg, change.pools(), n.log)
	shares.PipeAuth = n.pipeAuth
	if err == nil {
		shares.Sink = &demux.Sink{}
		n.state, err = statedb.New(life, statedb.Config{Node: 1, Store: n.store, Sink: shares.Sink, Log: n.log})
		shares.State = n.state
	}
	if err == nil {
		shares.Past, err = n.past.past(life, cfg, n.state)
	}
	if err == nil {
		n.demux, err = demux.New(shares)
	}
	if err == nil {
		n.authFrom = authConfig(cfg, n.log)
		var a *auth.Acceptor
		a, err = auth.New(n.authFrom)
		n.auth.Store(a)
	}
	if err == nil {
		n.sessions, err = session.NewServer(sessionConfig(cfg, n.guid, (*currentAuth)(&n.auth), n.metrics.observe, n.log), n.demux.Table(), n.demux)
	}
	if err != nil {
		change.abandon()
		n.past.close()
		return nil, errors.Join(err, n.store.Close())
	}
	change.commit()
	n.inForce(cfg)
	n.addGauges()
	return n, nil
}

// inForce notes the configuration that now holds.
func (n *node) inForce(cfg *Config) {
	n.dead.use(&cfg.Global)
	now := time.Now()
	n.current.Store(&loaded{cfg, now})
	n.metrics.reloaded(true, now)
	n.faults.Store(nil)
}

// reload reads the configuration again and puts it in force, or keeps the old one and says why. life
// is the node's, for what it starts.
func (n *node) reload(life context.Context) reloadReply {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	if n.draining.Load() {
		return reloadReply{Faults: []string{"smbproxy is ending"}}
	}
	notes, err := n.tryReload(life)
	if err == nil {
		n.log.Info("configuration reloaded", "file", n.configFile)
		for _, note := range notes {
			n.log.Warn("configuration changed", "note", note)
		}
		return reloadReply{Notes: notes}
	}
	var reply reloadReply
	var faults smbconf.Faults
	if errors.As(err, &faults) {
		for _, f := range faults {
			reply.Faults = append(reply.Faults, f.Error())
		}
	} else {
		for _, f := range flatten(err) {
			reply.Faults = append(reply.Faults, f.Error())
		}
	}
	n.metrics.reloaded(false, time.Now())
	n.faults.Store(&reply.Faults)
	for _, f := range reply.Faults {
		n.log.Error("reload refused, the old configuration stays in force", "fault", f)
	}
	return reply
}

// tryReload does what can fail first, so that a fault changes nothing: files, addresses to listen
// on, authentication, pools. Only then everything is switched.
func (n *node) tryReload(life context.Context) (notes []string, err error) {
	cfg, err := n.load()
	if err != nil {
		return nil, err
	}
	old := n.current.Load().cfg
	notes = restartNotes(&old.Global, &cfg.Global)
	addresses, err := listenAddresses(&cfg.Global, hostAddresses)
	if err != nil {
		return nil, err
	}
	acceptor, from, err := n.prepareAuth(cfg)
	if err != nil {
		return nil, err
	}
	change, err := n.pools.prepare(life, cfg)
	if err != nil {
		return nil, err
	}
	shares, err := demuxConfig(cfg, change.pools(), n.log)
	shares.PipeAuth = n.pipeAuth
	if err == nil {
		err = n.listeners.set(addresses) // all or nothing
	}
	if err == nil {
		err = n.demux.Reconfigure(shares)
	}
	if err == nil {
		err = n.sessions.Reconfigure(sessionConfig(cfg, n.guid, (*currentAuth)(&n.auth), n.metrics.observe, n.log))
	}
	if err == nil {
		err = n.gate.set(cfg.Global.HostsAllow, cfg.Global.HostsDeny)
	}
	if err != nil {
		change.abandon()
		return nil, err
	}
	change.commit()
	if old := n.auth.Swap(acceptor); old != acceptor {
		n.authFrom = from
		_ = old.Close() // its children only; who is just logging on through them tries again
	}
	n.logs.set(&cfg.Global)
	n.inForce(cfg)
	return notes, nil
}

// prepareAuth keeps the acceptor if nothing that it was made from has changed.
func (n *node) prepareAuth(cfg *Config) (*auth.Acceptor, auth.Config, error) {
	from := authConfig(cfg, n.log)
	if reflect.DeepEqual(from, n.authFrom) {
		return n.auth.Load(), from, nil
	}
	a, err := auth.New(from)
	return a, from, err
}

// restartNotes lists what a reload cannot change.
func restartNotes(old, now *Global) (notes []string) {
	for _, c := range []struct{ name, old, now string }{
		{"admin socket", old.AdminSocket, now.AdminSocket},
		{"metrics address", old.MetricsAddress, now.MetricsAddress},
		{"state directory", old.StateDirectory, now.StateDirectory},
		{"log format", old.LogFormat, now.LogFormat},
	} {
		if c.old != c.now {
			notes = append(notes, fmt.Sprintf("%s: %q takes the place of %q only after a restart", c.name, c.now, c.old))
		}
	}
	return notes
}

// run serves until stop ends, then drains; it returns when every goroutine is gone. Connections and
// pools live until endLife ends life. ready is called once clients can connect.
func (n *node) run(life, stop context.Context, endLife context.CancelFunc, ready func()) (err error) {
	cfg := n.current.Load().cfg
	defer func() { err = errors.Join(err, n.store.Close()) }() // last: the state writes until it ends
	defer n.past.close()
	defer n.pools.run.Wait()
	defer endLife()
	defer func() { _ = n.auth.Load().Close() }() // ends children that check passwords
	group, ctx := errgroup.WithContext(life)
	background, endBackground := context.WithCancel(ctx) // admin and metrics stay up while draining
	defer endBackground()
	n.listeners = &listeners{gate: n.gate, dead: n.dead, log: n.log, open: map[string]net.Listener{}, serve: func(ln net.Listener) {
		group.Go(func() error { return n.serveListener(ctx, ln) })
	}}
	group.Go(func() error { return n.state.Run(life) })
	group.Go(func() error { return n.demux.Run(life) })
	group.Go(func() error {
		if err := n.demux.Recover(life); err != nil && life.Err() == nil {
			return err
		}
		return nil
	})
	if err := n.listen(life, background, group, &cfg.Global); err != nil {
		endLife()
		return errors.Join(err, group.Wait())
	}
	ready()
	select {
	case <-stop.Done():
	case <-ctx.Done():
	}
	n.drain(life)
	endBackground()
	endLife()
	return group.Wait()
}

// listen opens every socket or none.
func (n *node) listen(life, ctx context.Context, group *errgroup.Group, g *Global) error {
	admin, err := listenAdmin(g.AdminSocket)
	if err != nil {
		return err
	}
	group.Go(func() error {
		return serveHTTP(ctx, admin, adminHandler(n, func() reloadReply { return n.reload(life) }), n.log)
	})
	if g.MetricsAddress != "" {
		ln, err := listenTCP(g.MetricsAddress)
		if err != nil {
			return fmt.Errorf("metrics address: %w", err)
		}
		group.Go(func() error { return serveHTTP(ctx, ln, n.metrics.handler(), n.log) })
	}
	addresses, err := listenAddresses(g, hostAddresses)
	if err != nil {
		return err
	}
	return n.listeners.set(addresses)
}

// serveListener accepts clients until the listener is closed by a reload or by draining.
func (n *node) serveListener(ctx context.Context, ln net.Listener) error {
	err := n.sessions.Serve(ctx, ln)
	if ctx.Err() != nil || n.draining.Load() || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// drain lets clients finish, for `drain timeout` at most.
func (n *node) drain(life context.Context) {
	n.reloading.Lock() // a reload under way ends first, none begins any more
	n.draining.Store(true)
	n.reloading.Unlock()
	timeout := n.current.Load().cfg.Global.DrainTimeout
	n.log.Info("draining", "timeout", timeout)
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(life), timeout, errDrainTimeout)
	defer cancel()
	if err := n.sessions.Shutdown(ctx); err != nil {
		n.log.Warn("some clients were cut off", "reason", err.Error())
	}
	flush, cancelFlush := context.WithTimeout(context.WithoutCancel(life), flushTimeout)
	defer cancelFlush()
	n.demux.FlushKept(flush)
}

// flushTimeout bounds how long what clients have written and nobody has flushed keeps smbproxy from ending.
const flushTimeout = 10 * time.Second

// errDrainTimeout is why connections are closed that draining has waited for.
var errDrainTimeout = errors.New("drain timeout")

// logging is the logger and the level that a reload can change.
type logging struct {
	level  slog.LevelVar
	logger *slog.Logger
}

// newLogging writes to w as [global] says.
func newLogging(w *os.File, g *Global) *logging {
	l := &logging{}
	l.set(g)
	opt := &slog.HandlerOptions{Level: &l.level}
	if g.LogFormat == "json" {
		l.logger = slog.New(slog.NewJSONHandler(w, opt))
	} else {
		l.logger = slog.New(slog.NewTextHandler(w, opt))
	}
	return l
}

func (l *logging) set(g *Global) {
	l.level.Set(map[string]slog.Level{"error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug}[g.LogLevel])
}
