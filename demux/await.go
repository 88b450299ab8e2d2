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
	cancel := func() { d.tell(&core.Cancel{Req: core.RequestOf(c)}) }
	r.Pending(cancel)
	select {
	case res = <-answer:
	case <-ctx.Done():
		cancel()
		res = <-answer
	}
	return res
}
