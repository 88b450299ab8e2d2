package session

import (
	"strings"
	"testing"
	"time"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// TestRefused: a wrong proof fails the logon, hides why, and leaves nothing; the client may try again.
func TestRefused(t *testing.T) {
	ts := serve(t, nil)
	c := ts.dial(t, smb2.Dialect311)
	c.mustNegotiate()
	if st := c.setup("stranger", nil); st != ntstatus.LogonFailure {
		t.Errorf("got %v, want %v", st, ntstatus.LogonFailure)
	}
	ts.Server.mu.Lock()
	if n := len(ts.sessions); n != 0 {
		t.Errorf("%d sessions left", n)
	}
	ts.Server.mu.Unlock()
	c.mustSetup("anna")
	c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
}

// TestBlockingAuthenticator: legs on a goroutine give the same.
func TestBlockingAuthenticator(t *testing.T) {
	ts := serve(t, func(cfg *Config) { cfg.Authenticator = &testAuth{blocking: true} })
	for _, d := range allDialects {
		c := ts.login(t, d, "anna")
		c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
	}
}

// TestInProgress: a session half set up serves nothing.
func TestInProgress(t *testing.T) {
	ts := serve(t, nil)
	c := ts.dial(t, smb2.Dialect311)
	c.mustNegotiate()
	h, _ := c.call(smb2.CommandSessionSetup, &smb2.SessionSetupRequest{SecurityBuffer: []byte("user anna")})
	if h.Status != ntstatus.MoreProcessingRequired || h.SessionID == 0 {
		t.Fatalf("first leg: %v", h.Status)
	}
	c.sessionID = h.SessionID
	c.want(ntstatus.InvalidHandle, smb2.CommandTreeConnect, &smb2.TreeConnectRequest{Path: "x"})
	c.want(ntstatus.InvalidHandle, smb2.CommandLogoff, echoRequest)
	c.nc.Close()
	ts.upper.await(t, "connection")
	ts.upper.mu.Lock()
	defer ts.upper.mu.Unlock()
	for _, e := range ts.upper.events {
		if strings.HasPrefix(e, "session") {
			t.Errorf("upper layer heard of %q, which never was", e)
		}
	}
}

// TestReauthentication: same keys, the new user, trees stay; a refused one closes the session.
func TestReauthentication(t *testing.T) {
	for _, d := range allDialects {
		t.Run(d.String(), func(t *testing.T) {
			ts := serve(t, nil)
			c := ts.login(t, d, "anna")
			c.tree("share")
			id := c.sessionID
			again := func(h *smb2.Header, _ *smb2.SessionSetupRequest) { h.SessionID = id }
			for _, user := range []string{"anna", "anonymous", "anna"} {
				if st := c.setup(user, again); st != ntstatus.Success || c.sessionID != id {
					t.Fatalf("as %s: %v, session %x, want %x", user, st, c.sessionID, id)
				}
				c.want(ntstatus.Success, smb2.CommandCreate, createRequest("a"))
				if got := ts.Sessions()[0]; got.User != user {
					t.Errorf("session of %q, want %q", got.User, user)
				}
			}
			if st := c.setup("stranger", again); st != ntstatus.LogonFailure {
				t.Errorf("stranger: got %v", st)
			}
			ts.upper.await(t, "session anna")
			c.unsigned = true
			c.want(ntstatus.UserSessionDeleted, smb2.CommandCreate, createRequest("a"))
		})
	}
}

// TestReauthenticationInProgress: meanwhile some commands have no handle.
func TestReauthenticationInProgress(t *testing.T) {
	ts := serve(t, nil)
	c := ts.login(t, smb2.Dialect311, "anna")
	c.tree("share")
	c.want(ntstatus.MoreProcessingRequired, smb2.CommandSessionSetup, &smb2.SessionSetupRequest{SecurityBuffer: []byte("user anna")})
	c.want(ntstatus.InvalidHandle, smb2.CommandCreate, createRequest("a"))
	c.want(ntstatus.Success, smb2.CommandClose, closeRequest(smb2.FileID{Volatile: 1}))
	c.want(ntstatus.Success, smb2.CommandSessionSetup, &smb2.SessionSetupRequest{SecurityBuffer: []byte("proof anna")})
	c.want(ntstatus.Success, smb2.CommandCreate, createRequest("a"))
}

// TestExpiry: an expired session may only close, log off, cancel and authenticate anew ([MS-SMB2] 3.3.5.2.9).
func TestExpiry(t *testing.T) {
	ts := serve(t, nil)
	ts.auth.mu.Lock()
	ts.auth.expiry = ts.now().Add(time.Hour)
	ts.auth.mu.Unlock()
	c := ts.login(t, smb2.Dialect311, "anna")
	c.tree("share")
	_, async := c.pend()
	ts.advance(time.Hour)
	const expired = ntstatus.NetworkSessionExpired
	c.want(expired, smb2.CommandCreate, createRequest("a"))
	c.want(expired, smb2.CommandRead, readRequest(smb2.FileID{Volatile: 1}, 1))
	c.want(expired, smb2.CommandTreeConnect, &smb2.TreeConnectRequest{Path: "x"})
	c.want(expired, smb2.CommandTreeDisconnect, echoRequest)
	c.want(ntstatus.Success, smb2.CommandClose, closeRequest(smb2.FileID{Volatile: 1}))
	c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
	c.cancelAsync(async)
	c.final(ntstatus.Cancelled, async)

	ts.auth.mu.Lock()
	ts.auth.expiry = ts.now().Add(time.Hour)
	ts.auth.mu.Unlock()
	if st := c.setup("anna", reauth(c)); st != ntstatus.Success {
		t.Fatalf("reauthentication: %v", st)
	}
	c.want(ntstatus.Success, smb2.CommandCreate, createRequest("a"))
	ts.advance(2 * time.Hour)
	c.want(ntstatus.Success, smb2.CommandLogoff, echoRequest)
}

// reauth makes every leg name the client's session.
func reauth(c *client) func(*smb2.Header, *smb2.SessionSetupRequest) {
	id := c.sessionID
	return func(h *smb2.Header, _ *smb2.SessionSetupRequest) { h.SessionID = id }
}

// TestPreviousSession closes the client's old session, and nobody else's.
func TestPreviousSession(t *testing.T) {
	ts := serve(t, nil)
	old := ts.login(t, smb2.Dialect311, "anna")
	old.tree("share")
	_, async := old.pend()
	other := ts.login(t, smb2.Dialect311, "bert")
	previous := func(id uint64) func(*smb2.Header, *smb2.SessionSetupRequest) {
		return func(_ *smb2.Header, m *smb2.SessionSetupRequest) { m.PreviousSessionID = id }
	}

	c := ts.dial(t, smb2.Dialect311)
	c.mustNegotiate()
	if st := c.setup("carl", previous(old.sessionID)); st != ntstatus.Success {
		t.Fatal(st)
	}
	old.want(ntstatus.Success, smb2.CommandCreate, createRequest("a"))

	c = ts.dial(t, smb2.Dialect311)
	c.mustNegotiate()
	if st := c.setup("anna", previous(old.sessionID)); st != ntstatus.Success {
		t.Fatal(st)
	}
	ts.upper.await(t, "tree share")
	ts.upper.await(t, "session anna")
	old.final(ntstatus.NotifyCleanup, async)
	old.want(ntstatus.UserSessionDeleted, smb2.CommandCreate, createRequest("a"))
	other.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
	c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
}

// bind binds a new connection to a's session.
func bind(t *testing.T, ts *testServer, a *client, user string, edit func(*client, *smb2.Header)) (*client, ntstatus.Status) {
	t.Helper()
	b := ts.dial(t, a.dialect)
	b.signings, b.ciphers = a.signings, a.ciphers
	if edit != nil {
		edit(b, nil)
	}
	b.mustNegotiate()
	b.sessionID, b.signer, b.c2s, b.s2c = a.sessionID, a.signer, a.c2s, a.s2c
	st := b.setup(user, func(h *smb2.Header, m *smb2.SessionSetupRequest) {
		h.SessionID = a.sessionID
		m.Flags = smb2.SessionSetupFlagBinding
		if edit != nil {
			edit(b, h)
		}
	})
	return b, st
}

// TestBinding: a second channel has its own signing key; a session lives as long as one channel does.
func TestBinding(t *testing.T) {
	for _, d := range []smb2.Dialect{smb2.Dialect300, smb2.Dialect302, smb2.Dialect311} {
		t.Run(d.String(), func(t *testing.T) {
			ts := serve(t, func(cfg *Config) { cfg.SigningRequired = true })
			a := ts.login(t, d, "anna")
			a.tree("share")
			b, st := bind(t, ts, a, "anna", nil)
			if st != ntstatus.Success {
				t.Fatal(st)
			}
			b.treeID = a.treeID
			b.want(ntstatus.Success, smb2.CommandCreate, createRequest("a"))
			b.seal = true
			b.want(ntstatus.Success, smb2.CommandCreate, createRequest("a"))
			b.seal = false
			if d == smb2.Dialect311 { // before, the key follows from the user alone, as the tests' proof is the same
				own := b.signer
				b.signer = a.signer
				b.write(b.message(b.header(smb2.CommandEcho), echoRequest))
				b.signer = own
				if h := b.mustRead().hdrs[0]; h.Status != ntstatus.AccessDenied {
					t.Errorf("signed with the first channel's key: %v", h.Status)
				}
			}
			a.nc.Close()
			ts.upper.await(t, "connection")
			b.want(ntstatus.Success, smb2.CommandCreate, createRequest("a"))
			b.want(ntstatus.Success, smb2.CommandLogoff, echoRequest)
			ts.upper.await(t, "session anna")
		})
	}
}

// TestBindingRefused are the refusals of [MS-SMB2] 3.3.5.5, with Samba's statuses where algorithms differ. The session
// survives them.
func TestBindingRefused(t *testing.T) {
	unsigned := func(b *client, h *smb2.Header) { b.unsigned = true }
	for _, test := range []struct {
		name    string
		dialect smb2.Dialect
		user    string
		edit    func(*client, *smb2.Header)
		want    ntstatus.Status
	}{
		{"another user", smb2.Dialect311, "bert", nil, ntstatus.AccessDenied},
		{"wrong proof", smb2.Dialect311, "stranger", nil, ntstatus.LogonFailure},
		{"unsigned", smb2.Dialect311, "anna", unsigned, ntstatus.InvalidParameter},
		{"2.1", smb2.Dialect210, "anna", nil, ntstatus.RequestNotAccepted},
		{"no session", smb2.Dialect311, "anna", func(_ *client, h *smb2.Header) {
			if h != nil {
				h.SessionID ^= 5
			}
		}, ntstatus.UserSessionDeleted},
		{"other client", smb2.Dialect311, "anna", func(b *client, _ *smb2.Header) { b.guid[0] = 77 }, ntstatus.UserSessionDeleted},
		{"other dialect", smb2.Dialect302, "anna", func(b *client, _ *smb2.Header) { b.dialect = smb2.Dialect300 }, ntstatus.InvalidParameter},
		{"other cipher", smb2.Dialect311, "anna", func(b *client, _ *smb2.Header) { b.ciphers = []crypto.Cipher{crypto.CipherAES256CCM} }, ntstatus.InvalidParameter},
		{"GMAC to CMAC", smb2.Dialect311, "anna", func(b *client, _ *smb2.Header) { b.signings = []crypto.SigningAlgorithm{1} }, ntstatus.RequestOutOfSequence},
		{"wrong key", smb2.Dialect311, "anna", func(b *client, h *smb2.Header) {
			if h != nil {
				b.signer, _ = crypto.NewSigner(crypto.SigningAESGMAC, make([]byte, 16))
			}
		}, ntstatus.AccessDenied},
	} {
		t.Run(test.name, func(t *testing.T) {
			ts := serve(t, nil)
			a := ts.login(t, test.dialect, "anna")
			_, st := bind(t, ts, a, test.user, test.edit)
			if st != test.want {
				t.Errorf("got %v, want %v", st, test.want)
			}
			a.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
			if got := ts.Sessions(); len(got) != 1 || len(got[0].Connections) != 1 {
				t.Errorf("sessions: %+v", got)
			}
		})
	}
	ts := serve(t, nil)
	a := ts.login(t, smb2.Dialect311, "guest")
	a.signer, _ = crypto.NewSigner(crypto.SigningAESGMAC, make([]byte, 16))
	if _, st := bind(t, ts, a, "guest", nil); st != ntstatus.NotSupported {
		t.Errorf("guest: got %v, want %v", st, ntstatus.NotSupported)
	}
	ts = serve(t, func(cfg *Config) { cfg.MultiChannel = false })
	a = ts.login(t, smb2.Dialect311, "anna")
	if a.negotiate.Capabilities&smb2.GlobalCapMultiChannel != 0 {
		t.Error("MULTI_CHANNEL offered where it is off")
	}
	if _, st := bind(t, ts, a, "anna", nil); st != ntstatus.RequestNotAccepted {
		t.Errorf("off: got %v, want %v", st, ntstatus.RequestNotAccepted)
	}
}
