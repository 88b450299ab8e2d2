package demux

import (
	"context"
	"sync"

	"smbproxy/demux/backend"
)

// sweepers is how many opens are moved at one time.
const sweepers = 32

// watches are the subscriptions to the states of the backends in use.
type watches struct {
	mu    sync.Mutex // guards stops
	stops map[*backend.Pool]func()

	changed chan struct{} // capacity 1: a state has changed since the last sweep
}

// watchPools follows the backends of a configuration. Those that have gone from it are left by their opens like ones that
// are drained.
func (d *Demux) watchPools(pools map[string]*backend.Pool) {
	w := &d.watches
	in := map[*backend.Pool]bool{}
	w.mu.Lock()
	for _, p := range pools {
		if in[p] = true; w.stops[p] == nil {
			w.stops[p] = p.Subscribe(func(e backend.Event) {
				if e.To == backend.StateDown {
					d.volumes.forget(p)
					d.kept.lostAt(p)
					d.kept.wake()
				}
				d.resweep()
			})
		}
	}
	var over []func()
	for p, stop := range w.stops {
		if !in[p] {
			over = append(over, stop)
			delete(w.stops, p)
		}
	}
	w.mu.Unlock()
	for _, stop := range over {
		stop()
	}
	d.resweep()
}

// resweep has Run look at all opens soon.
func (d *Demux) resweep() {
	select {
	case d.watches.changed <- struct{}{}:
	default:
	}
}

// sweepUntil sweeps whenever a backend's state has changed, until ctx ends.
func (d *Demux) sweepUntil(ctx context.Context) {
	for {
		select {
		case <-d.watches.changed:
			d.sweep(ctx)
		case <-ctx.Done():
			d.watchPools(nil)
			return
		}
	}
}

// sweep moves every open to its home that is elsewhere, or whose backend is down or being left, and takes the trees off
// those backends. What cannot move stays, and waits there for the next change, or for its client.
func (d *Demux) sweep(ctx context.Context) {
	var moving sync.WaitGroup
	slots := make(chan struct{}, sweepers)
	for _, o := range d.everyOpen() {
		if ctx.Err() != nil {
			break
		}
		if !o.arbitrated || !o.misplaced() {
			continue
		}
		slots <- struct{}{}
		moving.Go(func() {
			defer func() { <-slots }()
			o.relocate(ctx)
		})
	}
	moving.Wait()
	routes := d.routes.Load()
	left := func(p *backend.Pool) bool { return !p.State().Usable() || routes.cfg.Backends[p.Name()] != p }
	for _, o := range d.everyOpen() {
		o.data.leave(left)
	}
	for _, cs := range d.clientSessions() {
		for _, tc := range cs.session.Trees() {
			if t, ok := tc.Upper.(*tree); ok {
				t.leave(left)
			}
		}
	}
}

// everyOpen is a snapshot of all opens, those without a session or a client included.
func (d *Demux) everyOpen() []*open {
	list := append(d.detached.list(), d.deleters.list()...)
	for _, cs := range d.clientSessions() {
		list = append(list, cs.list()...)
	}
	return list
}

// misplaced says whether the open should be at another backend, and there is one that can be used.
func (o *open) misplaced() bool {
	held := o.held()
	if held == nil {
		return false
	}
	name, _ := o.currentNames()
	home := o.tree.demux.routes.Load().home(o.tree.share, name, nil)
	return home != nil && home.Usable() && (home != held.at.pool || !held.at.Alive())
}

// relocate moves the open and waits for it.
func (o *open) relocate(ctx context.Context) {
	o.mu.Lock()
	err := o.moveLocked()
	done := o.moves.done
	o.mu.Unlock()
	if err != nil {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// leave gives back the tree's attachments to backends that match; opens through them keep theirs.
func (t *tree) leave(match func(*backend.Pool) bool) {
	var gone []*attachment
	t.mu.Lock()
	for p, a := range t.at {
		if match(p) {
			gone = append(gone, a)
			delete(t.at, p)
		}
	}
	for key, a := range t.data {
		if match(key.pool) {
			gone = append(gone, a)
			delete(t.data, key)
		}
	}
	t.mu.Unlock()
	for _, a := range gone {
		a.drop()
	}
}
