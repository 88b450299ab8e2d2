package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"reflect"
	"sync"
	"time"

	"smbproxy/demux/backend"
)

// poolSet is the running backend pools. A pool whose settings did not change survives a reload with
// all its connections.
type poolSet struct {
	log      *slog.Logger
	sessions backend.SessionLog // of all pools
	run      sync.WaitGroup     // one per running pool

	mu      sync.Mutex // guards current
	current map[string]*runningPool
}

// runningPool is a pool and what it was made from.
type runningPool struct {
	cfg   backend.Config
	pool  *backend.Pool
	stop  context.CancelFunc
	ended chan struct{} // closed when the pool has
}

// poolChange is a reload's new set before it is in force: commit or abandon it, once.
type poolChange struct {
	set     *poolSet
	next    map[string]*runningPool
	started []*runningPool
}

// prepare makes the pools that cfg needs beside those that can stay. ctx is the life of the node.
func (s *poolSet) prepare(ctx context.Context, cfg *Config) (*poolChange, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &poolChange{set: s, next: map[string]*runningPool{}}
	var faults []error
	for _, b := range cfg.Backends {
		want := backendConfig(cfg, b)
		want.Sessions = s.sessions
		if old := s.current[b.Name]; old != nil && reflect.DeepEqual(old.cfg, want) {
			c.next[b.Name] = old
			continue
		}
		pool, err := backend.NewPool(want, s.log)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		poolCtx, stop := context.WithCancel(ctx)
		r := &runningPool{want, pool, stop, make(chan struct{})}
		if old := s.current[b.Name]; old != nil {
			pool.SetDuty(old.pool.Duty())
		}
		c.next[b.Name] = r
		c.started = append(c.started, r)
		s.run.Go(func() {
			defer close(r.ended)
			defer stop()
			if err := pool.Run(poolCtx); err != nil && !errors.Is(err, context.Canceled) {
				s.log.Error("backend pool ended", "backend", want.Name, "error", err)
			}
		})
	}
	if len(faults) > 0 {
		c.abandon()
		return nil, errors.Join(faults...)
	}
	return c, nil
}

// pools is what demux is given.
func (c *poolChange) pools() map[string]*backend.Pool {
	out := make(map[string]*backend.Pool, len(c.next))
	for name, r := range c.next {
		out[name] = r.pool
	}
	return out
}

// abandon stops what prepare started.
func (c *poolChange) abandon() {
	for _, r := range c.started {
		r.stop()
	}
}

// commit puts the new set in force. The pools that are no longer in it end when the last client has
// left them: new trees go to their successors.
func (c *poolChange) commit() {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	for name, old := range c.set.current {
		if c.next[name] != old {
			c.set.run.Go(func() {
				old.retire()
				if heir := c.set.find(name); heir != nil { // what is not fenced yet is the successor's to fence
					heir.Inherit(old.pool.Lost()...)
				}
			})
		}
	}
	c.set.current = c.next
}

// retireEvery is how often a pool that is no longer in force is asked whether it still has clients.
const retireEvery = time.Second

// retire stops the pool once nobody uses it; it returns then, or when the pool has ended.
func (r *runningPool) retire() {
	defer r.stop()
	tick := time.NewTicker(retireEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if r.pool.Clients() == 0 {
				return
			}
		case <-r.ended:
			return
		}
	}
}

// find is the pool in force of a name, nil if there is none.
func (s *poolSet) find(name string) *backend.Pool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.current[name]; r != nil {
		return r.pool
	}
	return nil
}

// status takes a picture of every pool in force.
func (s *poolSet) status() map[string]backend.Status {
	s.mu.Lock()
	pools := maps.Clone(s.current)
	s.mu.Unlock()
	out := map[string]backend.Status{}
	for name, r := range pools {
		out[name] = r.pool.Status()
	}
	return out
}
