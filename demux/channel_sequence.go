package demux

import (
	"context"
	"sync"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// channelSequence is an open's Open.ChannelSequence with its counts of requests under way.
type channelSequence struct {
	mu    sync.Mutex // guards what follows; a leaf
	state core.Channel
	quiet chan struct{} // closed when nothing is under way any more; nil: nobody waits
}

// quiet waits until the requests of the session that an open has left have ended: what they still write must not come
// behind what its client writes from now on. Clients before 3.0 are not counted.
func (o *open) quiet(ctx context.Context) error {
	o.sequence.mu.Lock()
	if o.sequence.state.Idle() {
		o.sequence.mu.Unlock()
		return nil
	}
	quiet := make(chan struct{})
	o.sequence.quiet = quiet
	o.sequence.mu.Unlock()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// inSequence verifies the channel sequence of a request that names the open, and counts it until it
// ends ([MS-SMB2] 3.3.5.2.10): not Success is what it fails with.
func (o *open) inSequence(r *session.Request) ntstatus.Status {
	if r.Connection.Dialect() < smb2.Dialect300 {
		return ntstatus.Success
	}
	o.sequence.mu.Lock()
	token, st := o.sequence.state.Begin(r.Header.ChannelSequence(), modifies(r.Header.Command), r.Header.Flags&smb2.FlagReplay != 0)
	o.sequence.mu.Unlock()
	if st == ntstatus.Success {
		p := pooledOp(r)
		p.counted, p.token = o, token
		r.OnEnd(p.endFunc)
	}
	return st
}

// requestEnded takes the request out of its open's counts.
func (p *op) requestEnded() {
	o := p.counted
	p.counted = nil
	o.sequence.mu.Lock()
	o.sequence.state.End(p.token)
	if o.sequence.quiet != nil && o.sequence.state.Idle() {
		close(o.sequence.quiet)
		o.sequence.quiet = nil
	}
	o.sequence.mu.Unlock()
}

// modifies says which commands a client must not have repeated behind its back.
func modifies(cmd smb2.Command) bool {
	return cmd == smb2.CommandWrite || cmd == smb2.CommandSetInfo || cmd == smb2.CommandIoctl
}
