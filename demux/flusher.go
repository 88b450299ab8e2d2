package demux

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"smbproxy/demux/backend"
)

// flushers is how many files of one backend are flushed at one time by ourselves: one that hangs delays no other.
const flushers = 16

// flushUntil flushes what has been kept for long, or all of a backend that too much is kept of, until ctx ends.
func (d *Demux) flushUntil(ctx context.Context) {
	tick := time.NewTicker(unflushedAge / 5)
	defer tick.Stop()
	var all sync.WaitGroup
	defer all.Wait()
	var restoring, skipped atomic.Bool
	slots := map[*backend.Pool]chan struct{}{}
	for {
		select {
		case <-tick.C:
		case <-d.kept.due:
		case <-ctx.Done():
			return
		}
		if d.kept.anyLost.Load() > 0 && restoring.CompareAndSwap(false, true) {
			all.Go(func() {
				defer restoring.Store(false)
				d.restoreLost(ctx)
			})
		}
		for _, due := range d.kept.dueFiles(time.Now(), d.unflushedLimit()) {
			slot := slots[due.pool]
			if slot == nil {
				slot = make(chan struct{}, flushers)
				slots[due.pool] = slot
			}
			select {
			case slot <- struct{}{}:
			default:
				skipped.Store(true)
				continue
			}
			all.Go(func() {
				d.flushKept(ctx, due.file)
				<-slot
				if skipped.Swap(false) {
					d.kept.wake()
				}
			})
		}
	}
}

// FlushKept writes again what is lost and flushes everything that is kept, before the process ends: then nobody keeps it any
// more. What it cannot do until ctx ends is left.
func (d *Demux) FlushKept(ctx context.Context) {
	d.restoreLost(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	slots := make(chan struct{}, flushers)
	for _, due := range d.kept.dueFiles(time.Now().Add(unflushedAge), 0) {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		all.Go(func() {
			d.flushKept(ctx, due.file)
			<-slots
		})
	}
}

// dueFile is a file to be flushed, and the backend that has most to do with it.
type dueFile struct {
	file *keptFile
	pool *backend.Pool
}

// dueFiles are the files to be flushed now and that nobody flushes yet.
func (k *keptWrites) dueFiles(now time.Time, limit int64) (list []dueFile) {
	k.mu.Lock()
	defer k.mu.Unlock()
	full := map[*backend.Pool]bool{}
	k.sums.Range(func(p, _ any) bool {
		full[p.(*backend.Pool)] = k.sum(p.(*backend.Pool)).Load() > limit
		return true
	})
	for _, f := range k.files {
		due := now.Sub(f.born) >= unflushedAge
		for i := 0; i < len(f.log) && !due; i++ {
			due = full[f.log[i].pool]
		}
		if due && !f.flushing && f.restored == nil && len(f.lost) == 0 {
			list = append(list, dueFile{f, f.log[0].pool})
		}
	}
	return list
}

// restoreLost writes again what is kept of what was written to backends that were down, file by file: those that nobody
// has open any more too. What cannot be written yet waits for the next call.
func (d *Demux) restoreLost(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	var failed atomic.Bool
	slots := make(chan struct{}, flushers)
	for _, f := range d.kept.lostFiles() {
		slots <- struct{}{}
		if failed.Load() {
			return
		}
		d.kept.mu.Lock()
		o, name := f.by, f.name
		d.kept.mu.Unlock()
		all.Go(func() {
			if err := o.restoreAnywhere(ctx, name); err != nil && !failed.Swap(true) {
				d.log.Warn("data that were acknowledged and not flushed wait for a backend", "share", o.tree.share.Name, "error", err)
			}
			<-slots
		})
	}
}

// lostFiles are the files with something to be written again.
func (k *keptWrites) lostFiles() (list []*keptFile) {
	if k.anyLost.Load() == 0 {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.files {
		if len(f.lost) > 0 {
			list = append(list, f)
		}
	}
	return list
}

// restoreAnywhere restores the open's file where it is held now, else by its name at the first backend that can be
// reached.
func (o *open) restoreAnywhere(ctx context.Context, name string) error {
	o.mu.Lock()
	over := o.moves.over != nil || o.moves.done != nil
	o.mu.Unlock()
	if h := o.held(); !over && h.at.Alive() && h.at.pool.State().Usable() {
		return o.restore(ctx, h, nil)
	}
	end := o.turn(ctx, name)
	defer end()
	var tried []*backend.Pool
	for {
		pool := o.tree.demux.routes.Load().home(o.tree.share, name, func(p *backend.Pool) bool { return slices.Contains(tried, p) })
		if pool == nil {
			return errNobody
		}
		tried = append(tried, pool)
		h, err := o.openToWrite(ctx, pool, o.held().at.User(), name)
		switch {
		case err == nil:
			err = o.restore(ctx, h, nil)
			h.closeNow(ctx)
			return err
		case notThere(err):
			o.tree.demux.kept.forget(o.key())
			return nil
		case !unreachable(err):
			return err
		}
	}
}
