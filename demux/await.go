package demux

import (
	"context"

	"smbproxy/internal/ntstatus"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// await gives the state a command that may have to wait, on a goroutine of the request: the client is
// sent an interim reply then, and its CANCEL reaches the command.
func (d *Demux) await(ctx context.Context, r *session.Request, c core.Command) core.Result {
	return d.awaitUnless(ctx, r, c, func() bool { return false })
}

// awaitUnless is await, but the command is not cancelled where the request's connection is lost and keep
// says that it shall go on. Its session then ends it, when that ends too: core.Release.
func (d *Demux) awaitUnless(ctx context.Context, r *session.Request, c core.Command, keep func() bool) core.Result {
	answer := make(chan core.Result, 1)
	res := d.state.Do(ctx, c, func(res core.Result) { answer <- res })
	if res.Status != ntstatus.Pending {
		return res
	}
	cancel := func() {
		if !keep() {
			d.tell(&core.Cancel{Req: core.RequestOf(c)})
		}
	}
	r.Pending(cancel)
	select {
	case res = <-answer:
	case <-ctx.Done():
		cancel()
		res = <-answer
	}
	return res
}

// keep says that a CREATE which can be replayed goes on without the channel it came on: the client asks for its
// outcome on another one ([MS-SMB2] 3.3.5.9.10).
func (c *creation) keep() bool {
	return c.durable.createGUID() != core.GUID{} && c.r.Orphaned()
}
