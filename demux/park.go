package demux

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// A request whose lane is lost while it is under way is parked on its open, which moves: to another lane of the
// backend, else to another backend of the share (move.go). Then what is parked is sent again, in the order in which
// it was submitted, by the rules of replay.go; what comes meanwhile joins the end.
//
//	held ──a lane is lost, or the backend is drained──> moving ──reopened──> held (another handle)
//	  ▲                                                    │
//	  └─────── what is parked fails; the next request tries again ◄── nobody can be reached in time
//	                                                       │
//	        lost: the file is not there any more ◄─────────┘

// parkable is a request that can wait for its open to move.
type parkable interface {
	// again sends it through the new handle, or ends it. Blocks where it has to look first.
	again(ctx context.Context, h *handle)
	// fail ends it.
	fail(err error)
	// wait tells whoever is behind it that it takes time.
	wait()
}

// moves is the part of an open that has to do with its moving; open.mu guards it.
type moves struct {
	parked []parkable
	done   chan struct{} // of the move under way, closed at its end; nil: none is
	err    error         // why the open is lost for good; nil: it is not
	over   *attachment   // through which it has been closed; nil: it is open
}

// errOver is for an open that is closed.
var errOver = fmt.Errorf("the open is closed: %w", ntstatus.FileClosed)

// ended gives up the open, whose handle has been closed through at or has gone with it. A move that is under way then
// leads nowhere.
func (o *open) ended(at *attachment) {
	o.mu.Lock()
	o.moves.over = at
	o.mu.Unlock()
	at.drop()
}

// lostOn says whether the end of a call through h means that the open is not there any more, rather than anything about
// the request: the lane is lost, or the handle has been given up meanwhile.
func (o *open) lostOn(h *handle, reply *smb2.Header, err error) bool {
	switch {
	case o == nil || h == nil || o.tree.pipes:
		return false
	case err != nil:
		return errors.Is(err, ntstatus.UnexpectedNetworkError)
	case reply.Status == ntstatus.FileClosed, reply.Status == ntstatus.NetworkNameDeleted:
		return o.held() != h || !h.at.Alive() || o.moving()
	}
	return false
}

// moving says whether a move is under way.
func (o *open) moving() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.moves.done != nil
}

// sent says whether a request that has ended with err may have reached its backend.
func sent(err error) bool {
	var lost *backend.LostError
	return !errors.As(err, &lost) || lost.Sent
}

// park makes p wait until the open has moved away from h, which is lost, and sees to it that it does. false: the open
// is lost, for the reason given.
func (o *open) park(p parkable, h *handle) (parked bool, why error) {
	o.mu.Lock()
	switch {
	case o.moves.err != nil:
		defer o.mu.Unlock()
		return false, o.moves.err
	case o.moves.done == nil && o.held() != h: // it has moved already
		o.mu.Unlock()
		if !o.tree.demux.spawn(func(ctx context.Context) { p.again(ctx, o.held()) }) {
			return false, ntstatus.UnexpectedNetworkError
		}
		return true, nil
	}
	o.moves.parked = append(o.moves.parked, p)
	err := o.moveLocked()
	if err != nil {
		o.unparkLocked(p)
	}
	o.mu.Unlock()
	return err == nil, err
}

// moveLocked begins to move the open unless it moves already.
func (o *open) moveLocked() error {
	switch {
	case o.moves.over != nil:
		return errOver
	case o.moves.done != nil:
		return nil
	}
	done := make(chan struct{})
	old := o.held()
	if !o.tree.demux.spawn(func(ctx context.Context) { o.move(ctx, old, done) }) {
		return ntstatus.UnexpectedNetworkError
	}
	o.moves.done = done
	return nil
}

// unpark takes p back; false: it does not wait here.
func (o *open) unpark(p parkable) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.unparkLocked(p)
}

// unparkLocked is unpark.
func (o *open) unparkLocked(p parkable) bool {
	i := slices.Index(o.moves.parked, p)
	if i >= 0 {
		o.moves.parked = slices.Delete(o.moves.parked, i, i+1)
	}
	return i >= 0
}

// settle ends a move at h, which may be where the open was before: what is parked goes first, then whoever loads the handle. false: h is lost too, and what is
// parked still is.
func (o *open) settle(ctx context.Context, h *handle, done chan struct{}) bool {
	old := o.held()
	o.mu.Lock()
	for len(o.moves.parked) > 0 {
		if !h.at.Alive() {
			o.mu.Unlock()
			return false
		}
		list := o.moves.parked
		o.moves.parked = nil
		o.mu.Unlock()
		for _, p := range list {
			p.again(ctx, h)
		}
		o.mu.Lock()
	}
	o.names.Store(h)
	o.moves.done = nil
	over := o.moves.over
	o.mu.Unlock()
	close(done)
	switch {
	case old == h:
	case over == nil || over == h.at:
		old.at.drop()
	default: // it was closed where it was before
		h.close()
	}
	return true
}

// abort ends a move that leads nowhere. forGood says that the next request need not try again.
func (o *open) abort(err error, forGood bool, done chan struct{}) {
	o.mu.Lock()
	list := o.moves.parked
	o.moves.parked, o.moves.done = nil, nil
	if forGood {
		o.moves.err = err
	}
	o.mu.Unlock()
	close(done)
	for _, p := range list {
		p.fail(err)
	}
}

// waiting tells the clients of what is parked that it takes time.
func (o *open) waiting() {
	o.mu.Lock()
	list := slices.Clone(o.moves.parked)
	o.mu.Unlock()
	for _, p := range list {
		p.wait()
	}
}

// elsewhere waits until the open has moved away from h, and is its handle then. Blocks.
func (o *open) elsewhere(ctx context.Context, h *handle) (*handle, error) {
	o.mu.Lock()
	if o.moves.err == nil && o.moves.done == nil && o.held() != h {
		defer o.mu.Unlock()
		return o.held(), nil
	}
	err := o.moves.err
	if err == nil {
		err = o.moveLocked()
	}
	done := o.moves.done
	o.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case <-done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := o.held(); now != h {
		return now, nil
	}
	if o.moves.err != nil {
		return nil, o.moves.err
	}
	return nil, errNobody
}

// errNobody is for what no backend could be reached for in time. Clients of version 3 try again on it.
var errNobody = ntstatus.FileNotAvailable

// message is a copy of a request's bytes, good after the request has left.
func message(f *transport.Frame, sealed bool) *transport.Frame {
	if !sealed {
		return f.Detach()
	}
	own := transport.NewFrame(f.Len())
	own.SetBytes(append(own.Bytes(), f.Bytes()...))
	return own
}
