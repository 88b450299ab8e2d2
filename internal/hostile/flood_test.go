package hostile

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// TestStrangerNeverReads: who has not authenticated and does not read its replies is dropped before much is
// queued for it: there may be thousands of those.
func TestStrangerNeverReads(t *testing.T) {
	s := newStack(t, func(cfg *session.Config) { cfg.AuthenticationTimeout = patience })
	w := newWitness(s.client(t, "user2", rawsmb.Options{}))
	before := heap()
	nc := dial(t, "127.11.0.9", s.addr)
	must(t, nc.(*net.TCPConn).SetReadBuffer(4096))
	_, err := nc.Write(rawsmb.Frame(negotiateMessage()))
	must(t, err)
	must(t, nc.SetWriteDeadline(time.Now().Add(patience)))
	most := 0
	for id := uint64(1); ; id++ { // each ECHO asks for two credits, so that there is always one more
		h := smb2.Header{Command: smb2.CommandEcho, MessageID: id, CreditCharge: 1, Credits: 2}
		if _, err := nc.Write(rawsmb.Frame((&smb2.EchoRequest{}).Append(h.Append(nil)))); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Errorf("not dropped, %d bytes queued", most)
			}
			break
		}
		if id%1000 == 0 {
			for _, c := range s.server.Connections() {
				most = max(most, c.Queued)
			}
		}
	}
	if most > 256<<10 {
		t.Errorf("%d bytes queued for a stranger, want 256 KiB at most", most)
	}
	s.quiet(t, 1, 1)
	if left := heap() - before; left > 1<<20 {
		t.Errorf("%d bytes remain", left)
	}
	w.undisturbed(t)
}

// TestHalfOpen: authentications that are begun and not finished are bounded in number and size, and end with
// their connection. What is above the limit ends with STATUS_INSUFFICIENT_RESOURCES.
func TestHalfOpen(t *testing.T) {
	const conns, each = 40, 200
	s := newStack(t, func(cfg *session.Config) { cfg.AuthenticationTimeout = patience })
	w := newWitness(s.client(t, "user2", rawsmb.Options{}))
	before := heap()
	accepted := 0
	var list []*rawsmb.Conn
	for range conns {
		c := s.negotiated(t)
		list = append(list, c)
		refused := 0
		for range each {
			p := halfSession(t, c)
			m := next(t, p)
			switch m.Header.Status {
			case ntstatus.MoreProcessingRequired:
				accepted++
			case ntstatus.InsufficientResources:
				refused++
			default:
				t.Fatalf("got %v", m.Header.Status)
			}
		}
		if refused == 0 {
			t.Errorf("%d half-open authentications on one connection, none refused", each)
		}
	}
	grown := heap() - before
	t.Logf("%d half-open authentications of %d connections: %d bytes each", accepted, conns, grown/int64(accepted))
	if perConn := grown / conns; perConn > 300<<10 {
		t.Errorf("a connection and its half-open authentications cost %d bytes, want 300 KiB at most", perConn)
	}
	w.undisturbed(t)
	for _, c := range list {
		c.Close()
	}
	s.quiet(t, 1, 1)
	if left := heap() - before; left > 2<<20 { // most of it our own ends
		t.Errorf("%d bytes remain", left)
	}
}

// TestWrongPasswords: a flood of refused logons leaves nothing behind.
func TestWrongPasswords(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		w := newWitness(s.client(t, "user2", rawsmb.Options{}))
		c, err := rawsmb.Dial(t.Context(), s.address(), rawsmb.Options{})
		must(t, err)
		defer c.Close()
		before := heap()
		for i := range 200 {
			user := []string{"user1", "nobody", "root", "", "user1\x00", "..", `DOM\user1`}[i%7]
			want := ntstatus.LogonFailure // whether or not there is such a user
			if user == "user1\x00" {
				want = ntstatus.InvalidParameter
			}
			if _, err := c.Login(t.Context(), user, "wrong"); !errors.Is(err, want) {
				t.Fatalf("login of %q: got %v, want %v", user, err, want)
			}
		}
		if left := heap() - before; left > 2<<20 {
			t.Errorf("%d bytes remain", left)
		}
		w.undisturbed(t)
		// Who has failed so often may still log on.
		if _, err := c.Login(t.Context(), "user1", "secret1"); err != nil {
			t.Error(err)
		}
	})
}

// TestSetupGarbage: tokens that are none are refused, and the session in progress goes.
func TestSetupGarbage(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		tokens := [][]byte{nil, {0}, []byte("NTLMSSP"), []byte("NTLMSSP\x00\x01"), []byte("NTLMSSP\x00\x03\x00\x00\x00"), ntlmNegotiate[:12],
			{0x60, 0x84, 0xFF, 0xFF, 0xFF, 0xFF}, {0x60, 0x80}, {0xA1, 0x02, 0x30, 0x80}, make([]byte, 60_000)}
		for i, token := range tokens {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				c, err := rawsmb.Dial(t.Context(), s.address(), rawsmb.Options{})
				must(t, err)
				defer c.Close()
				h := smb2.Header{Command: smb2.CommandSessionSetup, MessageID: c.Take(1), CreditCharge: 1, Credits: 10}
				p := c.Expect(h.MessageID)
				must(t, c.WriteFrame((&smb2.SessionSetupRequest{SecurityBuffer: token}).Append(h.Append(nil))))
				m := next(t, p)
				if st := m.Header.Status; st == ntstatus.MoreProcessingRequired { // SPNEGO may ask for another mechanism
					wait(t, second(t, c, m.Header.SessionID, token), ntstatus.InvalidParameter)
				} else if st != ntstatus.InvalidParameter && st != ntstatus.LogonFailure {
					t.Errorf("token %d: got %v, want %v", i, st, ntstatus.InvalidParameter)
				}
				// The SessionId is nobody's any more.
				wait(t, second(t, c, m.Header.SessionID, ntlmNegotiate), ntstatus.UserSessionDeleted)
			})
		}
	})
}

// second sends another leg.
func second(t testing.TB, c *rawsmb.Conn, id uint64, token []byte) *rawsmb.Pending {
	t.Helper()
	h := smb2.Header{Command: smb2.CommandSessionSetup, MessageID: c.Take(1), CreditCharge: 1, Credits: 10, SessionID: id}
	p := c.Expect(h.MessageID)
	must(t, c.WriteFrame((&smb2.SessionSetupRequest{SecurityBuffer: token}).Append(h.Append(nil))))
	return p
}

// TestSetupOfOthers: SESSION_SETUP with the SessionId of somebody's session on another connection, plain, as a
// binding, and as PreviousSessionId: nothing happens to that session ([MS-SMB2] 3.3.5.5, 3.3.5.5.3).
func TestSetupOfOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		w := newWitness(s.client(t, "user2", rawsmb.Options{}))
		c, err := rawsmb.Dial(t.Context(), s.address(), rawsmb.Options{})
		must(t, err)
		defer c.Close()
		wait(t, second(t, c, w.ID, ntlmNegotiate), ntstatus.UserSessionDeleted)
		for _, signed := range []bool{false, true} {
			h := smb2.Header{Command: smb2.CommandSessionSetup, MessageID: c.Take(1), CreditCharge: 1, Credits: 10, SessionID: w.ID}
			if signed {
				h.Flags = smb2.FlagSigned // by nobody
			}
			p := c.Expect(h.MessageID)
			body := &smb2.SessionSetupRequest{Flags: smb2.SessionSetupFlagBinding, SecurityBuffer: ntlmNegotiate}
			must(t, c.WriteFrame(body.Append(h.Append(nil))))
			m := next(t, p)
			if st := m.Header.Status; st != ntstatus.RequestNotAccepted && st != ntstatus.InvalidParameter && st != ntstatus.UserSessionDeleted && st != ntstatus.AccessDenied {
				t.Errorf("binding: got %v", st)
			}
		}
		w.undisturbed(t)
		if _, err := c.LoginAs(t.Context(), rawsmb.NTLM("user1", "secret1"), w.ID); err != nil {
			t.Fatal(err)
		}
		w.undisturbed(t)
		// The same user's goes.
		d, err := rawsmb.Dial(t.Context(), s.address(), rawsmb.Options{})
		must(t, err)
		defer d.Close()
		if _, err := d.LoginAs(t.Context(), rawsmb.NTLM("user2", "secret2"), w.ID); err != nil {
			t.Fatal(err)
		}
		w.want(ntstatus.UserSessionDeleted, smb2.Header{Command: smb2.CommandRead, TreeID: w.tree}, &smb2.ReadRequest{FileID: w.file, Length: 10})
	})
}

// TestNotifyFlood: one client waits with all the credits it can have. Others work, it can cancel each, and when it
// goes everything goes with it, at the backend too.
func TestNotifyFlood(t *testing.T) {
	s := newStack(t, nil)
	w := newWitness(s.client(t, "user2", rawsmb.Options{}))
	before := heap()
	c := s.client(t, "user1", rawsmb.Options{})
	id := c.create("dir", smb2.FileDirectoryFile)
	const n = 3000
	var first *rawsmb.Pending
	for i := range n {
		p, err := c.Start(smb2.Header{Command: smb2.CommandChangeNotify, TreeID: c.tree, Credits: 4},
			&smb2.ChangeNotifyRequest{FileID: id, OutputBufferLength: 65536, CompletionFilter: 1})
		must(t, err)
		m := next(t, p)
		if m.Header.Status != ntstatus.Pending {
			t.Fatalf("CHANGE_NOTIFY %d: %v", i, m.Header.Status)
		}
		if first == nil {
			first = p
		}
		if i == 0 {
			cancelStorm(t, c, w, m.Header)
		}
	}
	grown := heap() - before
	t.Logf("%d CHANGE_NOTIFY wait, with client and backend in this process: %d bytes each", n, grown/n)
	if grown/n > 16<<10 {
		t.Errorf("each costs %d bytes, want 16 KiB at most", grown/n)
	}
	w.undisturbed(t)
	c.want(ntstatus.Success, smb2.Header{Command: smb2.CommandClose, TreeID: c.tree}, &smb2.CloseRequest{FileID: c.create("other", 0)})
	c.send(c.message(smb2.Header{Command: smb2.CommandCancel, MessageID: first.MessageID, SessionID: c.ID}, &smb2.CancelRequest{}))
	wait(t, first, ntstatus.Cancelled)
	c.Conn.Close()
	s.quiet(t, 1, 1)
	eventually(t, "the backend forgets", func() error {
		if n := s.store.openCount(); n != 1 {
			return fmt.Errorf("%d opens", n)
		}
		return nil
	})
	w.undisturbed(t)
	if left := heap() - before; left > 3<<20 {
		t.Errorf("%d bytes remain", left)
	}
}

// cancelStorm sends thousands of CANCELs that mean nothing, or something of somebody else's: no reply comes, and
// nothing ends.
func cancelStorm(t *testing.T, c *client, w *witness, pending smb2.Header) {
	t.Helper()
	dir := w.create("watched", smb2.FileDirectoryFile)
	p, err := w.Start(smb2.Header{Command: smb2.CommandChangeNotify, TreeID: w.tree},
		&smb2.ChangeNotifyRequest{FileID: dir, OutputBufferLength: 1000, CompletionFilter: 1})
	must(t, err)
	m := next(t, p)
	for i := range uint64(3000) {
		h := smb2.Header{Command: smb2.CommandCancel, SessionID: c.ID, MessageID: 1<<40 + i}
		switch i % 4 {
		case 0: // a guessed AsyncId, its own one excepted
			h.Flags, h.AsyncID = smb2.FlagAsync, pending.AsyncID+1+i
		case 1: // the witness's, on the wrong connection
			h.Flags, h.AsyncID, h.MessageID = smb2.FlagAsync, m.Header.AsyncID, m.Header.MessageID
			if h.AsyncID == pending.AsyncID { // both are first of their connection
				continue
			}
		case 2: // in the witness's name
			h.SessionID, h.MessageID = w.ID, m.Header.MessageID
		}
		c.send(c.message(h, &smb2.CancelRequest{}))
	}
	c.echo()
	w.undisturbed(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what has come, has come
	if m, err := p.Wait(ctx); err == nil {
		t.Fatalf("somebody else's CANCEL ended a CHANGE_NOTIFY: %v", m.Header.Status)
	}
	w.send(w.message(smb2.Header{Command: smb2.CommandCancel, Flags: smb2.FlagAsync, AsyncID: m.Header.AsyncID, MessageID: m.Header.MessageID, SessionID: w.ID}, &smb2.CancelRequest{}))
	wait(t, p, ntstatus.Cancelled)
	w.call(ntstatus.Success, smb2.CommandClose, &smb2.CloseRequest{FileID: dir})
}

// TestWaitingReads: READs that wait, as those of pipes do, are more bytes than may be owed to a client. It is served
// all the same, can cancel them, and when it goes they go.
func TestWaitingReads(t *testing.T) {
	s := newStack(t, nil)
	w := newWitness(s.client(t, "user2", rawsmb.Options{}))
	c := s.client(t, "user1", rawsmb.Options{})
	for c.Conn.Credits() < 4000 {
		c.want(ntstatus.Success, smb2.Header{Command: smb2.CommandEcho, Credits: 4000}, &smb2.EchoRequest{})
	}
	id := c.create("wait", 0)
	var ps []*rawsmb.Pending
	for range 10 {
		p, err := c.Start(smb2.Header{Command: smb2.CommandRead, TreeID: c.tree, CreditCharge: 128}, &smb2.ReadRequest{FileID: id, Length: 8 << 20})
		must(t, err)
		ps = append(ps, p)
	}
	for i, p := range ps {
		if m := next(t, p); m.Header.Status != ntstatus.Pending {
			t.Fatalf("READ %d: got %v, want %v", i, m.Header.Status, ntstatus.Pending)
		}
	}
	c.echo()
	c.send(c.message(smb2.Header{Command: smb2.CommandCancel, MessageID: ps[0].MessageID, SessionID: c.ID}, &smb2.CancelRequest{}))
	wait(t, ps[0], ntstatus.Cancelled)
	w.undisturbed(t)
	c.Conn.Close()
	s.quiet(t, 1, 1)
}
