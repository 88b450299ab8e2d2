package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"smbproxy/demux"
	"smbproxy/demux/backend"
	"smbproxy/statedb"
	"smbproxy/statedb/core"
	"smbproxy/statedb/store"
)

// sessionLog keeps in the store which sessions we have at backends, so that the next smbproxy can fence what this one
// leaves behind (backend.SessionLog, DESIGN 9).
type sessionLog struct {
	store store.Store
	log   *slog.Logger

	mu       sync.Mutex // guards what follows
	ended    []statedb.Fence
	removing bool
	work     sync.WaitGroup // of removing
}

// Begun stores a session before it is used. A disk that does not take it harms nothing but the fence of the next start.
func (l *sessionLog) Begun(name string, s backend.OldSession) error {
	err := statedb.AddFences(context.Background(), l.store, statedb.Fence{Backend: name, User: s.User, SessionID: s.ID})
	if err != nil {
		l.log.Error("state database: a backend session is not on disk, a restart will not fence it", "backend", name, "user", s.User, "error", err)
	}
	return nil
}

// Ended forgets one, soon: all that have ended meanwhile cost one sync.
func (l *sessionLog) Ended(name string, s backend.OldSession) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = append(l.ended, statedb.Fence{Backend: name, User: s.User, SessionID: s.ID})
	if !l.removing {
		l.removing = true
		l.work.Go(l.remove)
	}
}

// remove writes until nothing is left.
func (l *sessionLog) remove() {
	for {
		l.mu.Lock()
		list := l.ended
		l.ended = nil
		l.removing = len(list) > 0
		l.mu.Unlock()
		if len(list) == 0 {
			return
		}
		if err := statedb.RemoveFences(context.Background(), l.store, list...); err != nil {
			l.log.Warn("state database: ended backend sessions stay on disk", "sessions", len(list), "error", err)
		}
	}
}

// close waits for what is being written; the pools have ended.
func (l *sessionLog) close() { l.work.Wait() }

// past is what the smbproxy before this one has left, of backends that are still configured.
func (l *sessionLog) past(ctx context.Context, cfg *Config, state *statedb.Owner) (demux.Past, error) {
	p := demux.Past{Sessions: map[string][]backend.OldSession{}}
	fences, err := statedb.Fences(ctx, l.store)
	if err != nil {
		return p, fmt.Errorf("backend sessions in the state database: %w", err)
	}
	for _, f := range fences {
		if cfg.backend(f.Backend) == nil {
			l.log.Warn("old sessions at a backend that is no longer configured are not fenced", "backend", f.Backend, "user", f.User)
			l.Ended(f.Backend, backend.OldSession{User: f.User, ID: f.SessionID})
			continue
		}
		p.Sessions[f.Backend] = append(p.Sessions[f.Backend], backend.OldSession{User: f.User, ID: f.SessionID})
	}
	for _, o := range state.Opens() {
		if o.Durable == core.DurablePersistent && o.Session == 0 {
			p.Opens = append(p.Opens, o)
		}
	}
	return p, nil
}
