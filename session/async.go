package session

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// pendingList is the list of a connection's requests that can be cancelled, linked through themselves so that it
// costs no memory. CANCEL walks it: it is as long as the client has credits, and rare.
type pendingList struct{ head *Request }

// pushLocked enters r.
func (l *pendingList) pushLocked(r *Request) {
	r.linked, r.prev, r.next = true, nil, l.head
	if l.head != nil {
		l.head.prev = r
	}
	l.head = r
}

// removeLocked takes r out, if it is in.
func (l *pendingList) removeLocked(r *Request) {
	if !r.linked {
		return
	}
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		l.head = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	}
	r.linked, r.prev, r.next = false, nil, nil
}

// cancellation is a cancel function taken from its request, which is kept from being used again.
type cancellation struct {
	r  *Request
	fn func()
}

// takeAllLocked takes the cancel functions of all requests that match (nil: all).
func (l *pendingList) takeAllLocked(match func(*Request) bool) []cancellation {
	var list []cancellation
	for r := l.head; r != nil; r = r.next {
		if r.cancel == nil || match != nil && !match(r) {
			continue
		}
		list = append(list, r.takeCancelLocked())
	}
	return list
}

// takeCancelLocked takes r's cancel function: it is called at most once.
func (r *Request) takeCancelLocked() cancellation {
	c := cancellation{r: r, fn: r.cancel}
	r.cancel = nil
	r.refs.Add(1)
	return c
}

// cancelAll calls the functions, without locks.
func cancelAll(list []cancellation) {
	for _, c := range list {
		c.fn()
		c.r.release()
	}
}

// cancelWhere cancels the connection's requests that match, which may read what Connection.mu guards.
func (c *Connection) cancelWhere(match func(*Request) bool) {
	c.mu.Lock()
	list := c.pending.takeAllLocked(match)
	c.mu.Unlock()
	cancelAll(list)
}

// unlink takes an ended request off the list.
func (c *Connection) unlink(r *Request) {
	c.mu.Lock()
	c.pending.removeLocked(r)
	r.cancel = nil
	c.mu.Unlock()
}

// register makes cancel reachable; false: the connection or what the request hangs on is gone already.
func (r *Request) register(cancel func()) bool {
	c := r.Connection
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || r.Closing() {
		return false
	}
	r.cancel, r.onSession, r.onTree = cancel, r.Session, r.Tree
	if !r.linked {
		c.pending.pushLocked(r)
	}
	return true
}

// OnCancel lets cancel be called, at most once, by CANCEL, LOGOFF, TREE_DISCONNECT or connection loss; at once, if
// one of the latter has happened. cancel does not end the request by itself: its owner does, possibly from
// within. It may run while or shortly after the request ends. A READ that may wait so long owes nothing to the read
// gate: else a client that reads from an idle pipe would never be heard again, not even when it hangs up. Call it while
// Run is running.
func (r *Request) OnCancel(cancel func()) {
	if r.owed != 0 {
		r.Connection.readGate.release(r.owed)
		r.owed = 0
	}
	r.mu.Lock()
	live := !r.ended
	ok := !live || r.register(cancel)
	if !ok {
		r.refs.Add(1)
	}
	r.mu.Unlock()
	if !ok {
		cancel()
		r.release()
	}
}

// Pending makes the request asynchronous ([MS-SMB2] 3.3.4.2): the interim reply with STATUS_PENDING and an AsyncId
// is sent, once, and grants the request's credits; cancel is as with OnCancel. A request that another goroutine ends
// meanwhile is left alone, as long as Run is running or the caller otherwise knows that the struct is not used again.
// Within a compound see chain.pending.
func (r *Request) Pending(cancel func()) {
	r.mu.Lock()
	if r.ended {
		r.mu.Unlock()
		return
	}
	ok := r.register(cancel)
	if r.owed != 0 { // what waits may do so for ever; CANCEL must get through, and the client's end
		r.Connection.readGate.release(r.owed)
		r.owed = 0
	}
	if ok && r.asyncID == 0 {
		switch {
		case r.chain == nil || r.chain.pending(r):
			r.setAsyncID(r.Connection.lastAsync.Add(1))
			r.sendInterim()
		case r.Header.Command == smb2.CommandChangeNotify || r.Header.Command == smb2.CommandLock:
			ok, r.silent = false, true
		}
	}
	if !ok {
		r.refs.Add(1)
	}
	r.mu.Unlock()
	if !ok {
		r.cancelNow(cancel)
		r.release()
	}
}

// setAsyncID notes the AsyncId under both locks, so that either is enough to read it.
func (r *Request) setAsyncID(id uint64) {
	r.Connection.mu.Lock()
	r.asyncID = id
	r.Connection.mu.Unlock()
}

// cancelNow calls cancel unless somebody else has.
func (r *Request) cancelNow(cancel func()) {
	c := r.Connection
	c.mu.Lock()
	taken := r.linked && r.cancel == nil
	r.cancel = nil
	c.mu.Unlock()
	if !taken {
		cancel()
	}
}

// sendInterim sends the interim reply. It is not signed ([MS-SMB2] 3.3.4.1.1): with GMAC its nonce would be the final
// reply's. It grants the request's credits; where as many requests wait as the client may have credits, the final reply
// does so instead, or there would be no end to what can wait ([MS-SMB2] 3.3.1.2 leaves that to us).
func (r *Request) sendInterim() {
	f := errorFrame(&smb2.ErrorResponse{})
	defer f.Release()
	msg := f.Bytes()
	credits := uint16(0)
	if c := r.Connection; int(c.asyncs.Add(1)) > c.cfg.Credits {
		r.unpaid = true
	} else {
		credits = r.creditsFor(ntstatus.Pending, 0)
	}
	r.putHeader(msg, ntstatus.Pending, credits, r.asyncID)
	r.Connection.send(f, r.sealFor)
}

// Cancel serves CANCEL ([MS-SMB2] 3.3.5.16), which has no reply of its own: the request it means ends with
// STATUS_CANCELLED or with its result, as its owner says.
func Cancel(r *Request) {
	c := r.Connection
	c.mu.Lock()
	var found cancellation
	for p := c.pending.head; p != nil; p = p.next {
		if p.cancel != nil && p.onSession == r.Session && p.meant(&r.Header) {
			found = p.takeCancelLocked()
			break
		}
	}
	c.mu.Unlock()
	if found.fn != nil {
		found.fn()
		found.r.release()
	}
	r.vanish()
}

// meant tells whether a CANCEL with header h is for r. An AsyncId, where given, decides.
func (r *Request) meant(h *smb2.Header) bool {
	if h.Flags&smb2.FlagAsync != 0 {
		return r.asyncID != 0 && r.asyncID == h.AsyncID
	}
	return r.Header.MessageID == h.MessageID
}

// vanish ends a request that gets no reply.
func (r *Request) vanish() {
	if _, ok := r.finish(ntstatus.Success); !ok {
		return
	}
	r.Connection.observe(r, ntstatus.Success)
	if r.chain != nil {
		r.chain.resume()
	}
	r.release()
}
