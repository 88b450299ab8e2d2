package demux

import (
	"context"
	"sync"
)

// background is what runs beside requests: moves of opens, flushes of what is kept.
type background struct {
	ctx  context.Context // ends with Run
	stop context.CancelFunc

	mu       sync.Mutex // guards closed, and that no child comes after it
	closed   bool
	children sync.WaitGroup
}

// newBackground makes one whose children may run before Run does.
func newBackground() *background {
	b := &background{}
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b
}

// Run keeps the backends' opens in order until ctx ends; then what is under way gives up, and Run returns when nothing
// of it runs any more.
func (d *Demux) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	loops.Go(func() { d.flushUntil(ctx) })
	d.sweepUntil(ctx)
	loops.Wait()
	b := d.background
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.stop()
	b.children.Wait()
	return nil
}

// spawn runs fn on a goroutine that Run waits for, with a ctx that ends with Run; false: Run is over.
func (d *Demux) spawn(fn func(ctx context.Context)) bool {
	b := d.background
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.children.Go(func() { fn(b.ctx) })
	return true
}
