package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// client is one simulated node. Its methods are called one after the other.
type client interface {
	connect(ctx context.Context) error
	prepare(ctx context.Context) error
	work(ctx context.Context, clock *clock, tally *tally) error
	clean() error
	cleanDirectory() error
	protected() string
	dialect() string
	close()
}

// atOnce is how many clients connect, or prepare, at the same time.
const atOnce = 32

// maxSamples is how many different errors a Result quotes.
const maxSamples = 5

// run is a Run under way.
type run struct {
	cfg      Config
	clients  []client
	tallies  []tally
	latency  []*histogram
	connects *histogram

	mu      sync.Mutex // guards what follows
	failed  map[int]bool
	samples []string

	errors atomic.Int64
	done   atomic.Int64 // clients that have passed the current phase
}

// Run makes the load. The error says that it could not be made at all, or that ctx ended: what was measured until then
// is in the Result nevertheless, and the files are deleted. Clients that fail on the way are in the Result too.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	cfg, err := cfg.Defaults()
	if err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, connects: newHistogram(), failed: map[int]bool{}}
	r.tallies, r.latency = newTallies(cfg.Clients)
	for i := range cfg.Clients {
		if cfg.Engine == GoSMB2 {
			r.clients = append(r.clients, newLibraryClient(&r.cfg, i))
		} else {
			r.clients = append(r.clients, newRawClient(&r.cfg, i))
		}
	}
	defer func() {
		for _, c := range r.clients {
			c.close()
		}
	}()
	res := &Result{Config: cfg}
	if err := r.begin(ctx, res); err != nil {
		return nil, err
	}
	r.measure(ctx, res)
	if !cfg.Keep {
		r.clean()
	}
	res.Errors, res.ErrorSamples = r.errors.Load(), r.samples
	return res, context.Cause(ctx)
}

// begin connects and prepares all clients.
func (r *run) begin(ctx context.Context, res *Result) error {
	start := time.Now()
	r.phase(ctx, "connecting", func(ctx context.Context, i int) error {
		began := time.Now()
		err := r.clients[i].connect(ctx)
		r.connects.record(time.Since(began))
		return err
	})
	res.Connect = Connect{Seconds: time.Since(start).Seconds(), Latency: latencyOf(r.connects.h)}
	if err := r.anyLeft(ctx); err != nil {
		return err
	}
	for i, c := range r.clients {
		if !r.failed[i] {
			res.Protected, res.Dialect = c.protected(), c.dialect()
			break
		}
	}
	r.phase(ctx, "preparing", func(ctx context.Context, i int) error { return r.clients[i].prepare(ctx) })
	return r.anyLeft(ctx)
}

// anyLeft is an error if every client has failed.
func (r *run) anyLeft(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if len(r.failed) == len(r.clients) {
		return errors.New(r.samples[0])
	}
	return nil
}

// phase runs a step for every client that has not failed, some at a time.
func (r *run) phase(ctx context.Context, name string, step func(ctx context.Context, i int) error) {
	stop := r.watch(name, time.Now(), nil)
	defer stop()
	var wg sync.WaitGroup
	turns := make(chan struct{}, atOnce) // owned here; holds one element per running step
	for i := range r.clients {
		if r.hasFailed(i) {
			continue
		}
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			if err := ctx.Err(); err != nil {
				r.fail(i, err)
			} else if err := step(ctx, i); err != nil {
				r.fail(i, err)
			}
			r.done.Add(1)
		})
	}
	wg.Wait()
}

// fail takes a client out of the run.
func (r *run) fail(i int, err error) {
	r.errors.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed[i] = true
	if len(r.samples) < maxSamples {
		r.samples = append(r.samples, fmt.Sprintf("client %d: %v", i, err))
	}
}

func (r *run) hasFailed(i int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed[i]
}

// measure lets the clients work.
func (r *run) measure(ctx context.Context, res *Result) {
	begin := time.Now().Add(r.cfg.Warmup)
	c := &clock{begin: begin, end: begin.Add(r.cfg.Duration), operations: r.cfg.Operations}
	stop := r.watch("warming up", time.Now(), c)
	defer context.AfterFunc(ctx, func() { c.stopped.Store(true) })()
	closeWindow := r.window(c)
	var wg sync.WaitGroup
	for i := range r.clients {
		if r.hasFailed(i) {
			continue
		}
		wg.Go(func() {
			if err := r.clients[i].work(ctx, c, &r.tallies[i]); err != nil {
				r.fail(i, err)
			}
		})
	}
	wg.Wait()
	closeWindow()
	stop()
	res.fill(r, min(r.cfg.Duration, time.Since(c.begin)))
}

// window tells Config.Window when the clock begins and ends; the function that it returns waits for that.
func (r *run) window(c *clock) (wait func()) {
	if r.cfg.Window == nil {
		return func() {}
	}
	var wg sync.WaitGroup
	done := make(chan struct{}) // closed by wait: all clients are done
	wg.Go(func() {
		time.Sleep(time.Until(c.begin)) //nolint:forbidigo // nothing else can happen before
		r.cfg.Window(true)
		defer r.cfg.Window(false)
		end := time.NewTimer(time.Until(c.end))
		defer end.Stop()
		select {
		case <-end.C:
		case <-done:
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// clean deletes what was made.
func (r *run) clean() {
	r.phase(context.Background(), "cleaning up", func(_ context.Context, i int) error { return r.clients[i].clean() })
	cleaned := map[string]bool{}
	for i, c := range r.clients {
		if dir := r.cfg.directory(i); !r.hasFailed(i) && !cleaned[dir] {
			cleaned[dir] = true
			if err := c.cleanDirectory(); err != nil {
				r.fail(i, err)
			}
		}
	}
}

// watch tells Config.Progress once a second, until the function that it returns is called. c is not nil while clients
// work.
func (r *run) watch(phase string, start time.Time, c *clock) (stop func()) {
	r.done.Store(0)
	if r.cfg.Progress == nil {
		return func() {}
	}
	quit := make(chan struct{}) // closed by stop
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		var ops, bytes int64
		for {
			select {
			case <-quit:
				return
			case now := <-tick.C:
				p := Progress{Phase: phase, Done: int(r.done.Load()), Clients: len(r.clients), Elapsed: now.Sub(start), Errors: r.errors.Load()}
				if c != nil {
					if p.Measuring = true; !now.Before(c.begin) {
						p.Phase, p.Elapsed = "measuring", now.Sub(c.begin)
					}
					wasOps, wasBytes := ops, bytes
					ops, bytes = r.totals()
					p.Ops, p.Bytes = ops-wasOps, bytes-wasBytes
				}
				r.cfg.Progress(p)
			}
		}
	})
	return func() {
		close(quit)
		wg.Wait()
	}
}

// totals are all operations so far, warm-up included.
func (r *run) totals() (ops, bytes int64) {
	for i := range r.tallies {
		ops += r.tallies[i].allOps.Load()
		bytes += r.tallies[i].allBytes.Load()
	}
	return ops, bytes
}
