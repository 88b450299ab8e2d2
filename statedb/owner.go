package statedb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/statedb/core"
	"smbproxy/statedb/store"
)

// DB is the open-file state as demux sees it. Commands are core's.
type DB interface {
	// Do carries out a command. If the result's status is Pending, done is called exactly
	// once later, from any goroutine and with no lock held; it must not block. With done
	// nil, Do itself waits, until ctx ends, and then cancels the request. The command
	// belongs to the DB until its result is there.
	Do(ctx context.Context, c core.Command, done func(core.Result)) core.Result
	// CheckIO answers whether a READ or WRITE meets a byte-range lock; hint is that of the
	// open's result.
	CheckIO(id core.OpenID, hint *core.Hint, offset, length uint64, write bool) ntstatus.Status
	// Written breaks what others cache of a file that is about to be changed.
	Written(id core.OpenID, hint *core.Hint)
	// Concerned says whether a change of the open's file must be told with core.Changed. It
	// costs next to nothing where nobody watches.
	Concerned(hint *core.Hint) bool
	// NewRequestID and NewOpenID make ids; those of opens are never used again.
	NewRequestID() core.RequestID
	NewOpenID() core.OpenID
	Lister
}

// Sink carries out what the state asks for. Calls come in order, one at a time, with no
// lock held; they must not block. They may call Do with a done function.
type Sink interface {
	BreakOplock(core.BreakOplock)
	BreakLease(core.BreakLease)
	// Closed tells of an open that is gone although nobody closed it.
	Closed(core.Closed)
}

// Config of an Owner.
type Config struct {
	Core  core.Config
	Node  uint16      // 1 to 4095; stands in the high bits of ids
	Store store.Store // nil: persistent handles are refused
	Sink  Sink
	Log   *slog.Logger
	Now   func() core.Instant // monotonic; default counts from the start, at least 1
}

// Owner is the DB of one node that owns everything.
//
// mu guards state, next, queue, delivering, calls. wake has capacity 1 and is closed by
// nobody; it tells Run that a deadline has come nearer.
type Owner struct {
	cfg      Config
	openIDs  atomic.Uint64
	requests atomic.Uint64
	wake     chan struct{}
	writer   writer

	mu         sync.Mutex
	state      *core.State
	next       core.Instant // what Run's timer is set to, 0 none
	queue      []func()
	delivering bool
	calls      map[core.RequestID]func(core.Result)
}

// New makes an owner and brings persistent handles back from the store, disconnected. A
// record that cannot be read refuses the start: check and repair are for an admin.
func New(ctx context.Context, cfg Config) (*Owner, error) {
	if cfg.Node == 0 || cfg.Node > 0xFFF {
		return nil, fmt.Errorf("node number %d is not between 1 and 4095", cfg.Node)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		start := time.Now()
		cfg.Now = func() core.Instant { return core.Instant(time.Since(start)) + 1 }
	}
	o := &Owner{
		cfg: cfg, state: core.New(cfg.Core), wake: make(chan struct{}, 1),
		calls: map[core.RequestID]func(core.Result){},
	}
	o.writer.init(o)
	first, err := o.firstID(ctx)
	if err != nil {
		return nil, fmt.Errorf("state database: %w", err)
	}
	o.openIDs.Store(first)
	return o, o.restore(ctx)
}

// NewRequestID implements DB.
func (o *Owner) NewRequestID() core.RequestID { return core.RequestID(o.requests.Add(1)) }

// NewOpenID implements DB.
func (o *Owner) NewOpenID() core.OpenID {
	return core.OpenID(uint64(o.cfg.Node)<<idBits | o.openIDs.Add(1)&(1<<idBits-1))
}

// Do implements DB.
func (o *Owner) Do(ctx context.Context, c core.Command, done func(core.Result)) core.Result {
	if done != nil {
		return o.submit(c, done)
	}
	answer := make(chan core.Result, 1)
	r := o.submit(c, func(r core.Result) { answer <- r })
	if r.Status != ntstatus.Pending {
		return r
	}
	select {
	case r = <-answer:
	case <-ctx.Done():
		if req := core.RequestOf(c); req != 0 {
			o.submit(&core.Cancel{Req: req}, func(core.Result) {})
		}
		r = <-answer // cancelled, or done all the same
	}
	return r
}

// submit applies a command and delivers what came of it.
func (o *Owner) submit(c core.Command, done func(core.Result)) core.Result {
	o.mu.Lock()
	r, effects := o.state.Apply(o.cfg.Now(), c)
	if r.Status == ntstatus.Pending {
		o.calls[core.RequestOf(c)] = done
	}
	var deliver bool
	if len(effects) != 0 {
		if b := o.takeLocked(effects); b != nil {
			if o.ownsLocked(c, r) {
				b.then(o.settled(r, isOpen(c), done))
				r = core.Result{Status: ntstatus.Pending}
			}
			if !o.writer.add(b) {
				o.queue = append(o.queue, func() { b.finish(store.ErrClosed) })
			}
		}
		deliver = len(o.queue) > 0 && !o.delivering
		o.delivering = o.delivering || deliver
	}
	kick := o.nearerLocked()
	o.mu.Unlock()
	if kick {
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
	if deliver {
		o.deliver()
	}
	return r
}

// ownsLocked says whether a result promises something that must be on disk first.
func (o *Owner) ownsLocked(c core.Command, r core.Result) bool {
	if r.Status != ntstatus.Success {
		return false
	}
	switch c.(type) {
	case *core.Open, *core.Lock, *core.Reconnect, *core.Renamed, *core.SetDisposition, *core.Resilient:
		return true
	}
	return false
}

// nearerLocked notes the next deadline and says whether Run's timer is too late for it.
func (o *Owner) nearerLocked() bool {
	n := o.state.Next()
	if n == o.next {
		return false
	}
	nearer := n != 0 && (o.next == 0 || n < o.next)
	o.next = n
	return nearer
}

// takeLocked turns effects into calls on the queue. It returns the records among them;
// what is promised by them comes after they are on disk.
func (o *Owner) takeLocked(effects []core.Effect) *batch {
	var b *batch
	for _, e := range effects {
		switch e := e.(type) {
		case core.BreakOplock:
			o.queue = append(o.queue, func() { o.cfg.Sink.BreakOplock(e) })
		case core.BreakLease:
			o.queue = append(o.queue, func() { o.cfg.Sink.BreakLease(e) })
		case core.Closed:
			o.queue = append(o.queue, func() { o.cfg.Sink.Closed(e) })
		case core.Complete:
			done := o.calls[e.Req]
			delete(o.calls, e.Req)
			if done == nil {
				continue
			}
			if b != nil && e.Result.Persist {
				b.then(o.settled(e.Result, true, done))
			} else {
				o.queue = append(o.queue, func() { done(e.Result) })
			}
		case core.Persist:
			if b == nil {
				b = &batch{}
			}
			b.put(e.Record)
		case core.Forget:
			if b == nil {
				b = &batch{}
			}
			b.forget(e.Open)
		}
	}
	return b
}

// deliver empties the queue. Only who set delivering is here.
func (o *Owner) deliver() {
	for {
		o.mu.Lock()
		list := o.queue
		o.queue = nil
		if len(list) == 0 {
			o.delivering = false
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
		for _, f := range list {
			f()
		}
	}
}

// isOpen says whether a command makes an open, which is taken back if its record cannot be written.
func isOpen(c core.Command) bool {
	_, ok := c.(*core.Open)
	return ok
}

// settled is what happens to a result when its record is on disk, or cannot be: a new open is taken
// back, what has changed of an older one is written with the next record.
func (o *Owner) settled(r core.Result, fresh bool, done func(core.Result)) func(error) {
	return func(err error) {
		if err == nil || !fresh || !r.Persist || r.Open == 0 {
			done(r)
			return
		}
		o.cfg.Log.Error("persistent handle refused: its record cannot be written", "open", uint64(r.Open), "error", err)
		o.submit(&core.Close{Open: r.Open, Abandon: true}, nil)
		st := ntstatus.InsuffServerResources
		if errors.Is(err, store.ErrFull) {
			st = ntstatus.DiskFull
		}
		done(core.Result{Status: st})
	}
}

// CheckIO implements DB.
func (o *Owner) CheckIO(id core.OpenID, hint *core.Hint, offset, length uint64, write bool) ntstatus.Status {
	if !hint.Locked() {
		return ntstatus.Success
	}
	c := checks.Get().(*core.CheckIO)
	defer checks.Put(c)
	*c = core.CheckIO{Open: id, Offset: offset, Length: length, Write: write}
	return o.submit(c, nil).Status
}

// Commands of READs and WRITEs that are not in use: those shall cost no memory on files that are locked or cached either.
var (
	checks   = sync.Pool{New: func() any { return new(core.CheckIO) }}
	contends = sync.Pool{New: func() any { return new(core.Contend) }}
)

// Written implements DB.
func (o *Owner) Written(id core.OpenID, hint *core.Hint) {
	if !hint.ReadCached() {
		return
	}
	c := contends.Get().(*core.Contend)
	defer contends.Put(c)
	c.Open = id
	o.submit(c, nil)
}

// Concerned implements DB.
func (o *Owner) Concerned(hint *core.Hint) bool { return o.state.Concerned(hint) }

// Run does what is due and writes records, until ctx ends; what waits to be written then
// is still written.
func (o *Owner) Run(ctx context.Context) error {
	written := make(chan struct{})
	go func() {
		defer close(written)
		o.writer.run(ctx)
	}()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		o.mu.Lock()
		next := o.next
		o.mu.Unlock()
		d := time.Hour
		if next != 0 {
			d = time.Duration(next - o.cfg.Now())
		}
		timer.Reset(max(d, 0))
		select {
		case <-ctx.Done():
			<-written
			return nil
		case <-o.wake:
		case <-timer.C:
			o.submit(&core.Tick{}, nil)
		}
	}
}
