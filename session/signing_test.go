package session

import (
	"bytes"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// TestSigning sends wrong, missing and good signatures.
func TestSigning(t *testing.T) {
	for _, d := range allDialects {
		t.Run(d.String(), func(t *testing.T) {
			ts := serve(t, func(cfg *Config) { cfg.SigningRequired = true })
			c := ts.login(t, d, "anna")
			c.tree("share")

			msg := c.message(c.header(smb2.CommandCreate), createRequest("a"))
			smb2.RawSignature(msg)[3] ^= 1
			c.write(msg)
			f := c.mustRead()
			if f.hdrs[0].Status != ntstatus.AccessDenied {
				t.Errorf("wrong signature: got %v, want %v", f.hdrs[0].Status, ntstatus.AccessDenied)
			}
			if f.hdrs[0].Flags&smb2.FlagSigned == 0 {
				t.Error("the refusal is not signed")
			}

			c.unsigned = true
			c.want(ntstatus.AccessDenied, smb2.CommandCreate, createRequest("a"))
			c.unsigned = false

			h, _ := c.call(smb2.CommandCreate, createRequest("a"))
			if h.Status != ntstatus.Success || h.Flags&smb2.FlagSigned == 0 {
				t.Errorf("good signature: got %v with flags %x, want success and signed", h.Status, h.Flags)
			}
		})
	}
}

// TestSigningOptional: an unsigned request of a session that may be unsigned gets an unsigned reply.
func TestSigningOptional(t *testing.T) {
	ts := serve(t, nil)
	c := ts.login(t, smb2.Dialect302, "anna")
	c.unsigned = true
	if h, _ := c.call(smb2.CommandEcho, echoRequest); h.Status != ntstatus.Success || h.Flags&smb2.FlagSigned != 0 {
		t.Errorf("got %v with flags %x, want success, unsigned", h.Status, h.Flags)
	}
	c.unsigned = false
	if h, _ := c.call(smb2.CommandEcho, echoRequest); h.Flags&smb2.FlagSigned == 0 {
		t.Error("reply to a signed request is not signed")
	}
}

// TestSigningByClient: the client's own wish is binding too.
func TestSigningByClient(t *testing.T) {
	ts := serve(t, nil)
	c := ts.dial(t, smb2.Dialect300)
	c.secMode = smb2.NegotiateSigningRequired
	c.mustNegotiate()
	c.mustSetup("anna")
	c.unsigned = true
	c.want(ntstatus.AccessDenied, smb2.CommandTreeConnect, &smb2.TreeConnectRequest{Path: "share"})
}

// TestGuest: guest and anonymous sessions have no key, sign nothing, and cannot be where encryption is required.
func TestGuest(t *testing.T) {
	for user, flag := range map[string]smb2.SessionFlags{"guest": smb2.SessionFlagIsGuest, "anonymous": smb2.SessionFlagIsNull} {
		ts := serve(t, func(cfg *Config) { cfg.SigningRequired = true })
		c := ts.login(t, smb2.Dialect311, user)
		if c.flags != flag {
			t.Errorf("%s: got session flags %x, want %x", user, c.flags, flag)
		}
		c.tree("share")
		if h, _ := c.call(smb2.CommandEcho, echoRequest); h.Flags&smb2.FlagSigned != 0 {
			t.Errorf("%s: signed reply", user)
		}

		ts = serve(t, func(cfg *Config) { cfg.Encryption = EncryptionRequired })
		c = ts.dial(t, smb2.Dialect311)
		c.mustNegotiate()
		if st := c.setup(user, nil); st != ntstatus.AccessDenied {
			t.Errorf("%s where encryption is required: got %v, want %v", user, st, ntstatus.AccessDenied)
		}
	}
}

// TestEncryptionRequired refuses plain requests and clients that cannot encrypt.
func TestEncryptionRequired(t *testing.T) {
	ts := serve(t, func(cfg *Config) { cfg.Encryption = EncryptionRequired })
	c := ts.login(t, smb2.Dialect311, "anna")
	c.write(c.message(c.header(smb2.CommandTreeConnect), &smb2.TreeConnectRequest{Path: "share"}))
	f := c.mustRead()
	if f.hdrs[0].Status != ntstatus.AccessDenied || !f.sealed {
		t.Errorf("plain request: got %v sealed %v, want a sealed %v", f.hdrs[0].Status, f.sealed, ntstatus.AccessDenied)
	}
	c.seal = true
	c.tree("share")

	for _, d := range []smb2.Dialect{smb2.Dialect202, smb2.Dialect210} {
		c = ts.dial(t, d)
		c.mustNegotiate()
		if st := c.setup("anna", nil); st != ntstatus.AccessDenied {
			t.Errorf("%v: got %v, want %v", d, st, ntstatus.AccessDenied)
		}
	}
}

// TestEncryptionOfShare: a share can require what the server does not.
func TestEncryptionOfShare(t *testing.T) {
	ts := serve(t, nil)
	c := ts.login(t, smb2.Dialect300, "anna")
	c.tree("sealed share")
	c.want(ntstatus.AccessDenied, smb2.CommandCreate, createRequest("a"))
	c.seal = true
	c.want(ntstatus.Success, smb2.CommandCreate, createRequest("a"))
	c.seal = false
	c.tree("share")
	c.want(ntstatus.Success, smb2.CommandCreate, createRequest("a"))
}

// TestSealedByForeignKey: what cannot be opened, or is for another session than it says inside, ends the connection.
func TestSealedByForeignKey(t *testing.T) {
	for name, edit := range map[string]func(c *client, frame []byte){
		"no such session": func(c *client, b []byte) { b[44]++ },
		"tag":             func(c *client, b []byte) { b[4]++ },
		"text":            func(c *client, b []byte) { b[60]++ },
	} {
		t.Run(name, func(t *testing.T) {
			ts := serve(t, nil)
			c := ts.login(t, smb2.Dialect311, "anna")
			c.seal = true
			b := sealFrame(c.message(c.header(smb2.CommandEcho), echoRequest), c.c2s, c.sessionID)
			edit(c, b)
			c.seal = false
			c.write(b)
			c.gone()
		})
	}
	ts := serve(t, nil)
	c := ts.login(t, smb2.Dialect311, "anna")
	c.seal = true
	h := c.header(smb2.CommandEcho)
	h.SessionID++
	c.write(c.message(h, echoRequest))
	c.gone()
}

// TestForeignSession: a SessionId of another connection is no session here.
func TestForeignSession(t *testing.T) {
	ts := serve(t, nil)
	a := ts.login(t, smb2.Dialect311, "anna")
	b := ts.login(t, smb2.Dialect311, "anna")
	b.sessionID, b.signer = a.sessionID, a.signer
	msg := b.message(b.header(smb2.CommandTreeConnect), &smb2.TreeConnectRequest{Path: "share"})
	b.write(msg)
	f := b.mustRead()
	if f.hdrs[0].Status != ntstatus.UserSessionDeleted {
		t.Errorf("got %v, want %v", f.hdrs[0].Status, ntstatus.UserSessionDeleted)
	}
	if !bytes.Equal(smb2.RawSignature(f.msgs[0]), smb2.RawSignature(msg)) || f.hdrs[0].Flags&smb2.FlagSigned == 0 {
		t.Error("the refusal does not carry the request's signature")
	}
	if st := b.setup("anna", func(h *smb2.Header, _ *smb2.SessionSetupRequest) { h.SessionID = a.sessionID }); st != ntstatus.UserSessionDeleted {
		t.Errorf("SESSION_SETUP: got %v, want %v", st, ntstatus.UserSessionDeleted)
	}
	a.want(ntstatus.Success, smb2.CommandEcho, echoRequest)

	// Sealed for it, the client is told in a sealed reply; another client is not.
	b = ts.login(t, smb2.Dialect311, "anna")
	b.sessionID, b.c2s, b.s2c, b.seal = a.sessionID, a.c2s, a.s2c, true
	b.want(ntstatus.UserSessionDeleted, smb2.CommandTreeConnect, &smb2.TreeConnectRequest{Path: "share"})
	b = ts.dial(t, smb2.Dialect311)
	b.guid[5] = 5
	b.mustNegotiate()
	b.mustSetup("anna")
	b.sessionID, b.c2s, b.s2c, b.seal = a.sessionID, a.c2s, a.s2c, true
	b.write(b.message(b.header(smb2.CommandEcho), echoRequest))
	b.gone()
}

// TestUnprotectedTreeConnect ends a connection of 3.1.1 ([MS-SMB2] 3.3.5.7).
func TestUnprotectedTreeConnect(t *testing.T) {
	ts := serve(t, nil)
	c := ts.login(t, smb2.Dialect302, "anna")
	c.unsigned = true
	c.tree("share")
	c = ts.login(t, smb2.Dialect311, "anna")
	c.unsigned = true
	c.write(c.message(c.header(smb2.CommandTreeConnect), &smb2.TreeConnectRequest{Path: "share"}))
	c.gone()
}
