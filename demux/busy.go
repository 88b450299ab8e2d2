package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// busy counts the requests of an open that go on without the reader of their connection, so that CLOSE does not overtake
// them on the way to the backend. open.mu guards it.
type busy struct {
	waiting []core.RequestID // of the state; zero: cannot wait
	closing bool             // nothing begins any more
	then    func()           // closes the open when nothing is under way
}

// enter counts a request in, whose wait for the state CLOSE may cancel; false: the open is being closed.
func (o *open) enter(req core.RequestID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.busy.closing {
		return false
	}
	o.busy.waiting = append(o.busy.waiting, req)
	return true
}

// quit counts it out.
func (o *open) quit(req core.RequestID) {
	o.mu.Lock()
	for i, x := range o.busy.waiting {
		if x == req {
			o.busy.waiting = append(o.busy.waiting[:i], o.busy.waiting[i+1:]...)
			break
		}
	}
	var then func()
	if len(o.busy.waiting) == 0 {
		then, o.busy.then = o.busy.then, nil
	}
	o.mu.Unlock()
	if then != nil {
		then()
	}
}

// idle marks the open as being closed; true: nothing is under way.
func (o *open) idle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy.closing = true
	return len(o.busy.waiting) == 0
}

// whenIdle closes the open by then, when nothing is under way; what waits is cancelled. Once.
func (o *open) whenIdle(then func()) {
	o.mu.Lock()
	o.busy.closing = true
	waiting := append([]core.RequestID(nil), o.busy.waiting...)
	if len(waiting) > 0 {
		o.busy.then = then
	}
	o.mu.Unlock()
	if len(waiting) == 0 {
		then()
		return
	}
	for _, req := range waiting {
		if req != 0 {
			o.tree.demux.tell(&core.Cancel{Req: req})
		}
	}
}

// begin is enter for a request, which is failed where that does not work.
func (o *open) begin(r *session.Request, req core.RequestID) bool {
	if o.enter(req) {
		return true
	}
	r.Fail(ntstatus.FileClosed)
	return false
}
