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
	answer := make(chan core.Result, 1)
	res := d.state.Do(ctx, c, func(res core.Result) { answer <- res })
	if res.Status != ntstatus.Pending {
		return res
	}
	return d.awaitAnswer(ctx, r, core.RequestOf(c), answer, func() bool { return false })
}

// awaitAnswer waits for the answer to a command that has become pending. It is not cancelled where the request's
// connection is lost and keep says that it shall go on. Its session then ends it, when that ends too: core.Release.
func (d *Demux) awaitAnswer(ctx context.Context, r *session.Request, req core.RequestID, answer <-chan core.Result, keep func() bool) core.Result {
	var res core.Result
	cancel := func() {
		if !keep() {
			d.tell(&core.Cancel{Req: req})
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
