package demux

import (
	"context"
	"fmt"
	"time"

	"smbproxy/demux/backend"
	"smbproxy/internal/smb2"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// openSomewhere does steps 2 to 4 at the home of the name, and once more elsewhere where that is lost meanwhile: up to
// the reply nobody has seen anything of it, and what it has made is known by its age (ours). Lost twice, a CREATE is not
// sent to a third backend (DESIGN 5).
func (c *creation) openSomewhere(ctx context.Context) (*open, core.Result, error) {
	path := c.name
	for losses := 0; ; c.at = nil {
		if c.at == nil { // else quick has it
			at, err := c.t.reachInTime(ctx, c.r, path)
			if err != nil {
				c.r.SetFault(session.FaultBackend)
				return nil, core.Result{}, c.unattached(err)
			}
			c.at = at
		}
		at := c.at
		if err := c.fenceOthers(ctx); err != nil {
			at.drop()
			return nil, core.Result{}, err
		}
		o, grant, err := c.open(ctx)
		if err == nil && o != nil {
			if err := o.restoreFirst(ctx); err != nil {
				c.d.log.Warn("data that were acknowledged and not flushed wait for a backend", "share", c.t.share.Name, "error", err)
			}
		}
		if err == nil {
			return o, grant, nil
		}
		lost := unreachable(err) && !at.Alive()
		at.drop()
		if lost && sent(err) {
			losses++
		}
		if !lost || losses > 1 || ctx.Err() != nil {
			return nil, core.Result{}, err
		}
	}
}

// reachInTime is reach that waits where no backend can be reached, up to `failover timeout`.
func (t *tree) reachInTime(ctx context.Context, r *session.Request, path string) (*attachment, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, t.demux.failoverTimeout(), errNobody)
	defer cancel()
	began := time.Now()
	for pause := retryMin; ; pause = min(2*pause, retryMax) {
		at, err := t.reach(ctx, r, path)
		if err == nil || !unreachable(err) {
			return at, err
		}
		if time.Since(began) > tellAfter {
			r.Pending(cancel)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// fenceOthers waits, where the CREATE is for changes, until no backend that was lost can change anything below the same
// share's tree any more.
func (c *creation) fenceOthers(ctx context.Context) error {
	for _, p := range c.toFence(c.at.pool) {
		ctx, cancel := context.WithTimeoutCause(ctx, c.d.failoverTimeout(), errNobody)
		tell := time.AfterFunc(tellAfter, func() { c.r.Pending(cancel) })
		err := p.Fence(ctx)
		tell.Stop()
		cancel()
		if err != nil {
			return connectError(context.Cause(ctx))
		}
	}
	return nil
}

// toFence are the other backends of the name that were lost and may still change something.
func (c *creation) toFence(home *backend.Pool) (list []*backend.Pool) {
	const writes = writeAccess | smb2.Delete | smb2.GenericWrite | smb2.GenericAll | smb2.MaximumAllowed
	serving := c.t.share.serving(c.name)
	if len(serving) == 1 || c.asked.DesiredAccess&writes == 0 && !c.makes() {
		return nil
	}
	pools := c.d.routes.Load().cfg.Backends
	for _, name := range serving {
		if p := pools[name]; p != nil && p != home && len(p.Lost()) > 0 {
			list = append(list, p)
		}
	}
	return list
}

// keptAway says whether something may be kept of the file that has to be written first, since another backend that serves it
// cannot be used.
func (c *creation) keptAway(home *backend.Pool) bool {
	if c.d.kept.anyLost.Load() > 0 {
		return true
	}
	serving := c.t.share.serving(c.name)
	if len(serving) == 1 {
		return false
	}
	pools := c.d.routes.Load().cfg.Backends
	for _, name := range serving {
		if p := pools[name]; p != nil && p != home && down(p) && c.d.kept.sum(p).Load() > 0 {
			return true
		}
	}
	return false
}

// makes says whether the client's disposition makes a file that is not there.
func (c *creation) makes() bool {
	return c.asked.CreateDisposition != smb2.FileOpen && c.asked.CreateDisposition != smb2.FileOverwrite
}

// clocksApart is how far a backend's clock may be behind ours.
const clocksApart = 2 * time.Second

// ours says whether the file that was found has been made by an attempt of this very CREATE whose answer was lost: it is
// empty and not older. Nobody else makes it through us meanwhile, for the name's turn is ours.
func (c *creation) ours() bool {
	f := &c.found.reply
	return !c.doubt.IsZero() && f.EndofFile == 0 && f.CreationTime.Time().After(c.doubt.Add(-clocksApart))
}
