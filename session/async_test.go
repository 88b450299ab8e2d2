package session

import (
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// cancelAsync sends a CANCEL by AsyncId.
func (c *client) cancelAsync(id uint64) {
	h := smb2.Header{Command: smb2.CommandCancel, Flags: smb2.FlagAsync, AsyncID: id, SessionID: c.sessionID}
	c.write(c.message(h, rawBody{4, 0, 0, 0}))
}

// cancelMessage sends a CANCEL by MessageId.
func (c *client) cancelMessage(id uint64) {
	h := smb2.Header{Command: smb2.CommandCancel, MessageID: id, SessionID: c.sessionID}
	c.write(c.message(h, rawBody{4, 0, 0, 0}))
}

// pend sends a CHANGE_NOTIFY and reads its interim reply.
func (c *client) pend() (messageID, asyncID uint64) {
	c.t.Helper()
	h := c.header(smb2.CommandChangeNotify)
	c.write(c.message(h, notifyRequest(smb2.FileID{Volatile: 1})))
	f := c.mustRead()
	r := f.hdrs[0]
	if r.Status != ntstatus.Pending || r.Flags&smb2.FlagAsync == 0 || r.AsyncID == 0 || r.MessageID != h.MessageID {
		c.t.Fatalf("interim: %v flags %x async %d message %d", r.Status, r.Flags, r.AsyncID, r.MessageID)
	}
	if r.Flags&smb2.FlagSigned != 0 {
		c.t.Error("the interim reply is signed, which would use up the final one's nonce")
	}
	if r.Credits != 1 {
		c.t.Errorf("the interim reply grants %d credits, want 1", r.Credits)
	}
	return h.MessageID, r.AsyncID
}

// final reads the final reply of a pending request.
func (c *client) final(want ntstatus.Status, asyncID uint64) {
	c.t.Helper()
	h := c.mustRead().hdrs[0]
	if h.Status != want || h.AsyncID != asyncID || h.Flags&smb2.FlagAsync == 0 || h.Credits != 0 {
		c.t.Fatalf("final: got %v async %d flags %x credits %d, want %v async %d", h.Status, h.AsyncID, h.Flags, h.Credits, want, asyncID)
	}
	if h.Flags&smb2.FlagSigned == 0 {
		c.t.Error("the final reply is not signed")
	}
}

// TestCancel: by AsyncId, by MessageId, for nothing, and by another session.
func TestCancel(t *testing.T) {
	ts := serve(t, func(cfg *Config) { cfg.SigningRequired = true })
	c := ts.login(t, smb2.Dialect311, "anna")
	c.tree("share")
	_, async := c.pend()
	c.cancelAsync(async)
	c.final(ntstatus.Cancelled, async)
	mid, async := c.pend()
	c.cancelMessage(mid)
	c.final(ntstatus.Cancelled, async)

	_, async = c.pend()
	c.cancelAsync(async + 100)
	c.cancelMessage(mid)
	c.cancelMessage(123456)
	h := smb2.Header{Command: smb2.CommandCancel, Flags: smb2.FlagAsync, AsyncID: async, SessionID: 0}
	c.write(rawBody{4, 0, 0, 0}.Append(h.Append(nil)))
	bad := smb2.Header{Command: smb2.CommandCancel, Flags: smb2.FlagAsync, AsyncID: async, SessionID: c.sessionID}
	msg := c.message(bad, rawBody{4, 0, 0, 0})
	smb2.RawSignature(msg)[0] ^= 1
	c.write(msg)
	c.want(ntstatus.Success, smb2.CommandEcho, echoRequest) // none of these had a reply
	c.cancelAsync(async)
	c.final(ntstatus.Cancelled, async)
}

// TestCleanup: TREE_DISCONNECT, LOGOFF and another's PreviousSessionId cancel what is pending.
func TestCleanup(t *testing.T) {
	for _, cmd := range []smb2.Command{smb2.CommandTreeDisconnect, smb2.CommandLogoff} {
		ts := serve(t, nil)
		c := ts.login(t, smb2.Dialect311, "anna")
		c.tree("share")
		_, async := c.pend()
		c.write(c.message(c.header(cmd), echoRequest))
		c.final(ntstatus.NotifyCleanup, async)
		if h := c.mustRead().hdrs[0]; h.Command != cmd || h.Status != ntstatus.Success {
			t.Errorf("got %v %v, want %v and success", h.Command, h.Status, cmd)
		}
	}
}

// TestConnectionLost: cancel functions run, a late end is dropped, sessions and trees are closed.
func TestConnectionLost(t *testing.T) {
	ts := serve(t, nil)
	c := ts.login(t, smb2.Dialect311, "anna")
	c.tree("share")
	c.write(c.message(c.header(smb2.CommandCreate), createRequest("wait")))
	if h := c.mustRead().hdrs[0]; h.Status != ntstatus.Pending {
		t.Fatalf("interim: %v", h.Status)
	}
	r := <-ts.held
	c.nc.Close()
	ts.upper.await(t, "cancelled create")
	ts.upper.await(t, "tree share")
	ts.upper.await(t, "session anna")
	ts.upper.await(t, "connection")
	testOpen(r)
	if n, s := ts.Counts(); n != 0 || s != 0 {
		t.Errorf("%d connections and %d sessions left", n, s)
	}
}

// TestOrder: the final reply never overtakes the interim one, however close they are.
func TestOrder(t *testing.T) {
	ts := serve(t, nil)
	ts.mu.Lock()
	ts.flush = func(r *Request) {
		started := make(chan struct{})
		go func() {
			<-started
			r.Reply(ntstatus.Success, &smb2.FlushResponse{})
		}()
		close(started)
		r.Pending(func() {})
	}
	ts.mu.Unlock()
	c := ts.login(t, smb2.Dialect311, "anna")
	c.tree("share")
	for range 300 {
		c.write(c.message(c.header(smb2.CommandFlush), flushRequest(smb2.FileID{Volatile: 1})))
		h := c.mustRead().hdrs[0]
		if h.Status == ntstatus.Pending {
			if h = c.mustRead().hdrs[0]; h.Flags&smb2.FlagAsync == 0 {
				t.Fatal("final reply after an interim one is not asynchronous")
			}
		} else if h.Flags&smb2.FlagAsync != 0 {
			t.Fatal("asynchronous reply without an interim one before")
		}
		if h.Status != ntstatus.Success {
			t.Fatalf("final reply: %v", h.Status)
		}
	}
}

// TestPanic: a command that panics fails alone.
func TestPanic(t *testing.T) {
	ts := serve(t, nil)
	c := ts.login(t, smb2.Dialect311, "anna")
	c.tree("share")
	c.want(ntstatus.InternalError, smb2.CommandWrite, &smb2.WriteRequest{Data: []byte("x")})
	c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
}

// TestEndedTwice: the second end is logged and does nothing.
func TestEndedTwicePanicFree(t *testing.T) {
	ts := serve(t, nil)
	c := ts.login(t, smb2.Dialect311, "anna")
	c.tree("share")
	c.write(c.message(c.header(smb2.CommandFlush), flushRequest(smb2.FileID{Volatile: 1})))
	r := <-ts.held
	r.refs.Add(1) // keep the struct
	r.Fail(ntstatus.AccessDenied)
	r.Fail(ntstatus.DiskFull)
	r.release()
	if h := c.mustRead().hdrs[0]; h.Status != ntstatus.AccessDenied {
		t.Errorf("got %v, want %v", h.Status, ntstatus.AccessDenied)
	}
	c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
	if !ts.logs.contains("ended twice") {
		t.Error("the second end is not logged")
	}
	ts.logs.reset()
}

// TestManyPending: as many requests may wait as a client may have credits, and one for each of these; what is above pays
// with a credit until it ends.
func TestManyPending(t *testing.T) {
	const limit = 16
	ts := serve(t, func(cfg *Config) { cfg.Credits = limit })
	c := ts.login(t, smb2.Dialect311, "anna")
	c.tree("share")
	var asyncs []uint64
	for range limit {
		_, async := c.pend()
		asyncs = append(asyncs, async)
	}
	conn := ts.snapshot()[0]
	free := conn.window.credits()
	c.write(c.message(c.header(smb2.CommandChangeNotify), notifyRequest(smb2.FileID{Volatile: 1})))
	h := c.mustRead().hdrs[0]
	if h.Status != ntstatus.Pending || h.Credits != 0 {
		t.Fatalf("one above the limit: %v with %d credits, want none", h.Status, h.Credits)
	}
	if got := conn.window.credits(); got != free-1 {
		t.Errorf("the client has %d credits, want %d", got, free-1)
	}
	c.cancelAsync(h.AsyncID)
	if h := c.mustRead().hdrs[0]; h.Status != ntstatus.Cancelled || h.Credits != 1 {
		t.Errorf("its end: %v with %d credits, want 1", h.Status, h.Credits)
	}
	for _, async := range asyncs {
		c.cancelAsync(async)
		c.final(ntstatus.Cancelled, async)
	}
	if n := conn.asyncs.Load(); n != 0 {
		t.Errorf("%d requests are still counted as waiting", n)
	}
}
