package session

import (
	"context"
	"encoding/binary"
	"io"
	"runtime"
	"testing"
	"time"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// TestNegotiateRefused: what NEGOTIATE fails with ([MS-SMB2] 3.3.5.4); afterwards the client may try again.
func TestNegotiateRefused(t *testing.T) {
	context := func(typ smb2.NegotiateContextType, data ...byte) smb2.NegotiateContext {
		return smb2.NegotiateContext{Type: typ, Data: data}
	}
	replace := func(list []smb2.NegotiateContext) func(m *smb2.NegotiateRequest) {
		return func(m *smb2.NegotiateRequest) { m.NegotiateContexts = list }
	}
	preauth := context(smb2.ContextPreauthIntegrity, 1, 0, 0, 0, 1, 0)
	for _, test := range []struct {
		name string
		edit func(*smb2.NegotiateRequest)
		want ntstatus.Status
	}{
		{"no dialect", func(m *smb2.NegotiateRequest) { m.Dialects = nil }, ntstatus.InvalidParameter},
		{"unknown dialect", func(m *smb2.NegotiateRequest) { m.Dialects = []smb2.Dialect{0x0999} }, ntstatus.NotSupported},
		{"no contexts", replace(nil), ntstatus.InvalidParameter},
		{"no preauth", replace([]smb2.NegotiateContext{context(smb2.ContextSigning, 1, 0, 1, 0)}), ntstatus.InvalidParameter},
		{"two preauth", replace([]smb2.NegotiateContext{preauth, preauth}), ntstatus.InvalidParameter},
		{"unknown hash", replace([]smb2.NegotiateContext{context(smb2.ContextPreauthIntegrity, 1, 0, 0, 0, 9, 0)}), ntstatus.SmbNoPreauthIntegrityHashOverlap},
		{"no hash", replace([]smb2.NegotiateContext{context(smb2.ContextPreauthIntegrity, 0, 0, 0, 0)}), ntstatus.InvalidParameter},
		{"no cipher", replace([]smb2.NegotiateContext{preauth, context(smb2.ContextEncryption, 0, 0)}), ntstatus.InvalidParameter},
		{"two signing", replace([]smb2.NegotiateContext{preauth, context(smb2.ContextSigning, 1, 0, 1, 0), context(smb2.ContextSigning, 1, 0, 1, 0)}), ntstatus.InvalidParameter},
		{"no compression", replace([]smb2.NegotiateContext{preauth, context(smb2.ContextCompression, 0, 0, 0, 0, 0, 0, 0, 0)}), ntstatus.InvalidParameter},
	} {
		t.Run(test.name, func(t *testing.T) {
			ts := serve(t, nil)
			c := ts.dial(t, smb2.Dialect311)
			m := c.negotiateRequest()
			test.edit(m)
			c.want(test.want, smb2.CommandNegotiate, m)
			c.mustNegotiate()
			c.mustSetup("anna")
		})
	}
}

// TestNegotiateUnasked: what a client has not asked for it is not told that it has.
func TestNegotiateUnasked(t *testing.T) {
	ts := serve(t, func(cfg *Config) { cfg.Capabilities = smb2.GlobalCapDirectoryLeasing | smb2.GlobalCapPersistentHandles })
	c := ts.dial(t, smb2.Dialect300)
	m := c.negotiateRequest()
	m.Capabilities = smb2.GlobalCapEncryption
	var got smb2.NegotiateResponse
	if err := got.Decode(c.want(ntstatus.Success, smb2.CommandNegotiate, m)); err != nil {
		t.Fatal(err)
	}
	if want := smb2.GlobalCapLargeMTU | smb2.GlobalCapEncryption; got.Capabilities != want {
		t.Errorf("capabilities %x, want %x", got.Capabilities, want)
	}
}

// TestNegotiateAnswers looks at what is answered per dialect.
func TestNegotiateAnswers(t *testing.T) {
	ts := serve(t, func(cfg *Config) {
		cfg.Capabilities = smb2.GlobalCapDFS | smb2.GlobalCapLeasing | smb2.GlobalCapDirectoryLeasing | smb2.GlobalCapPersistentHandles
		cfg.SigningRequired = true
	})
	const caps21 = smb2.GlobalCapDFS | smb2.GlobalCapLeasing | smb2.GlobalCapLargeMTU
	const caps3 = caps21 | smb2.GlobalCapDirectoryLeasing | smb2.GlobalCapPersistentHandles | smb2.GlobalCapMultiChannel
	for d, want := range map[smb2.Dialect]smb2.Capabilities{
		smb2.Dialect202: smb2.GlobalCapDFS, smb2.Dialect210: caps21,
		smb2.Dialect300: caps3 | smb2.GlobalCapEncryption, smb2.Dialect302: caps3 | smb2.GlobalCapEncryption, smb2.Dialect311: caps3,
	} {
		c := ts.dial(t, d)
		c.mustNegotiate()
		n := &c.negotiate
		size := uint32(8 << 20)
		if d == smb2.Dialect202 {
			size = 65536
		}
		if n.Capabilities != want || n.MaxReadSize != size || n.MaxWriteSize != size || n.MaxTransactSize != size {
			t.Errorf("%v: capabilities %x, sizes %d; want %x, %d", d, n.Capabilities, n.MaxReadSize, want, size)
		}
		if n.SecurityMode != smb2.NegotiateSigningEnabled|smb2.NegotiateSigningRequired || n.ServerGUID[0] != 9 || string(n.SecurityBuffer) != "hint" {
			t.Errorf("%v: mode %x guid %x token %q", d, n.SecurityMode, n.ServerGUID, n.SecurityBuffer)
		}
		if d == smb2.Dialect311 && (c.cipher != crypto.CipherAES128GCM || c.signing != crypto.SigningAESGMAC) {
			t.Errorf("got %v and %v, want our preferences", c.cipher, c.signing)
		}
	}
	c := ts.dial(t, smb2.Dialect311)
	c.ciphers, c.signings = []crypto.Cipher{77}, []crypto.SigningAlgorithm{77}
	c.mustNegotiate()
	if c.cipher != crypto.CipherNone || c.signing != crypto.SigningAESCMAC {
		t.Errorf("nothing in common: got %v and %v", c.cipher, c.signing)
	}
}

// TestDialectRange: the configuration limits the dialects from both sides.
func TestDialectRange(t *testing.T) {
	ts := serve(t, func(cfg *Config) { cfg.MinDialect, cfg.MaxDialect = smb2.Dialect210, smb2.Dialect300 })
	c := ts.dial(t, smb2.Dialect202)
	c.want(ntstatus.NotSupported, smb2.CommandNegotiate, c.negotiateRequest())
	c = ts.dial(t, smb2.Dialect311)
	m := c.negotiateRequest()
	c.dialect = smb2.Dialect300
	msg := c.want(ntstatus.Success, smb2.CommandNegotiate, m)
	if err := c.negotiate.Decode(msg); err != nil || c.negotiate.DialectRevision != smb2.Dialect300 {
		t.Errorf("got %v (%v), want 3.0", c.negotiate.DialectRevision, err)
	}
}

// TestNegotiateOrder: NEGOTIATE is the first command, and once.
func TestNegotiateOrder(t *testing.T) {
	ts := serve(t, nil)
	c := ts.dial(t, smb2.Dialect311)
	c.write(c.message(c.header(smb2.CommandEcho), echoRequest))
	c.gone()
	c = ts.login(t, smb2.Dialect311, "anna")
	c.write(c.message(c.header(smb2.CommandNegotiate), c.negotiateRequest()))
	c.gone()
}

// TestGarbage: what is not SMB2 ends the connection at once.
func TestGarbage(t *testing.T) {
	for name, b := range map[string][]byte{
		"short":      []byte("\xfeSMB"),
		"protocol":   make([]byte, 100),
		"compressed": append([]byte("\xfcSMB"), make([]byte, 100)...),
		"SMB1 else":  append([]byte("\xffSMB\x73"), make([]byte, 100)...),
	} {
		t.Run(name, func(t *testing.T) {
			ts := serve(t, nil)
			c := ts.dial(t, smb2.Dialect311)
			c.write(b)
			c.gone()
			ts.upper.await(t, "connection")
		})
	}
}

// TestMultiProtocol: SMB1's NEGOTIATE is answered in SMB2 ([MS-SMB2] 3.3.5.3).
func TestMultiProtocol(t *testing.T) {
	ts := serve(t, nil)
	old := (&smb2.SMB1NegotiateRequest{Dialects: []string{"NT LM 0.12", "SMB 2.002"}}).Append(nil)
	c := ts.dial(t, smb2.Dialect202)
	c.write(old)
	c.mid = 1
	msg := c.mustRead().msgs[0]
	if err := c.negotiate.Decode(msg); err != nil || c.negotiate.DialectRevision != smb2.Dialect202 {
		t.Fatalf("got %v (%v), want 2.0.2", c.negotiate.DialectRevision, err)
	}
	c.mustSetup("anna")
	c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)

	wild := (&smb2.SMB1NegotiateRequest{Dialects: []string{"NT LM 0.12", "SMB 2.002", "SMB 2.???"}}).Append(nil)
	c = ts.dial(t, smb2.Dialect311)
	c.write(wild)
	c.mid = 1
	msg = c.mustRead().msgs[0]
	if err := c.negotiate.Decode(msg); err != nil || c.negotiate.DialectRevision != smb2.DialectWildcard {
		t.Fatalf("got %v (%v), want 0x02FF", c.negotiate.DialectRevision, err)
	}
	c.mustNegotiate()
	c.mustSetup("anna")
	c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
}

// TestSMB1Only: a client of SMB1 hears that no dialect fits.
func TestSMB1Only(t *testing.T) {
	ts := serve(t, nil)
	c := ts.dial(t, smb2.Dialect202)
	c.write((&smb2.SMB1NegotiateRequest{Dialects: []string{"NT LM 0.12"}}).Append(nil))
	b, err := io.ReadAll(c.nc)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != 4+37 || string(b[4:8]) != smb2.ProtocolSMB1 || b[4+9]&0x80 == 0 || binary.LittleEndian.Uint16(b[4+33:]) != 0xFFFF {
		t.Errorf("got % x", b)
	}
}

// TestLimits: connections in all and per address, silence, and frames before authentication.
func TestLimits(t *testing.T) {
	ts := serve(t, func(cfg *Config) {
		cfg.MaxConnectionsPerAddress = 2
		cfg.MaxFrameBeforeAuth = 70000
		cfg.AuthenticationTimeout = 200 * time.Millisecond
		cfg.MaxSessions = 3
		cfg.MaxTrees = 2
	})
	a := ts.login(t, smb2.Dialect311, "anna")
	silent := ts.dial(t, smb2.Dialect311)
	silent.mustNegotiate()
	ts.dial(t, smb2.Dialect311).gone()
	if !ts.logs.contains("too many connections from this address") {
		t.Error("a third connection from one address was not refused for that")
	}
	silent.gone()
	a.want(ntstatus.Success, smb2.CommandEcho, echoRequest) // authenticated, it may be silent

	a.tree("one")
	a.tree("two")
	a.want(ntstatus.InsufficientResources, smb2.CommandTreeConnect, &smb2.TreeConnectRequest{Path: "three"})
	first := a.sessionID
	signer := a.signer
	for _, want := range []ntstatus.Status{ntstatus.Success, ntstatus.Success, ntstatus.InsufficientResources} {
		a.sessionID, a.signer, a.c2s = 0, nil, nil
		if st := a.setup("anna", nil); st != want {
			t.Errorf("further session: got %v, want %v", st, want)
		}
	}
	a.sessionID, a.signer = first, signer
	a.want(ntstatus.Success, smb2.CommandEcho, echoRequest)

	ts.awaitConnections(1)
	b := ts.dial(t, smb2.Dialect311)
	b.mustNegotiate()
	b.write(make([]byte, 70001))
	b.gone()
}

// awaitConnections waits until no more than n are left.
func (ts *testServer) awaitConnections(n int) {
	for have := n + 1; have > n; have, _ = ts.Counts() {
		runtime.Gosched()
	}
}

// TestMaxConnections: the total counts connections from anywhere.
func TestMaxConnections(t *testing.T) {
	ts := serve(t, func(cfg *Config) { cfg.MaxConnections = 1 })
	a := ts.login(t, smb2.Dialect311, "anna")
	ts.dial(t, smb2.Dialect311).gone()
	a.nc.Close()
	ts.upper.await(t, "connection")
	ts.awaitConnections(0)
	ts.login(t, smb2.Dialect311, "anna")
}

// TestShutdown: idle clients go at once, busy ones after their reply, and nobody new comes.
func TestShutdown(t *testing.T) {
	ts := serve(t, nil)
	idle := ts.login(t, smb2.Dialect311, "anna")
	idle.tree("share")
	_, async := idle.pend()
	busy := ts.login(t, smb2.Dialect311, "bert")
	busy.tree("share")
	busy.write(busy.message(busy.header(smb2.CommandFlush), flushRequest(smb2.FileID{Volatile: 1})))
	r := <-ts.held
	done := make(chan error, 1)
	go func() { done <- ts.Shutdown(context.Background()) }()
	idle.final(ntstatus.Cancelled, async)
	idle.gone()
	r.Reply(ntstatus.Success, &smb2.FlushResponse{})
	if h := busy.mustRead().hdrs[0]; h.Status != ntstatus.Success {
		t.Errorf("busy client: %v", h.Status)
	}
	busy.gone()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(timeout):
		t.Fatal("Shutdown does not return")
	}
}

// TestValidateNegotiate: only what was really offered gets an answer ([MS-SMB2] 3.3.5.15.12).
func TestValidateNegotiate(t *testing.T) {
	ts := serve(t, nil)
	c := ts.login(t, smb2.Dialect302, "anna")
	conn := ts.snapshot()[0]
	m := c.negotiateRequest()
	ask := func(edit func(*smb2.ValidateNegotiateInfoRequest)) (*smb2.ValidateNegotiateInfoResponse, bool) {
		in := &smb2.ValidateNegotiateInfoRequest{Capabilities: m.Capabilities, GUID: m.ClientGUID, SecurityMode: m.SecurityMode, Dialects: m.Dialects}
		edit(in)
		return conn.ValidateNegotiate(in)
	}
	out, ok := ask(func(*smb2.ValidateNegotiateInfoRequest) {})
	want := smb2.ValidateNegotiateInfoResponse{
		Capabilities: c.negotiate.Capabilities, GUID: c.negotiate.ServerGUID, SecurityMode: c.negotiate.SecurityMode, Dialect: smb2.Dialect302,
	}
	if !ok || *out != want {
		t.Errorf("got %+v, %v, want %+v", out, ok, want)
	}
	for name, edit := range map[string]func(*smb2.ValidateNegotiateInfoRequest){
		"dialects":     func(in *smb2.ValidateNegotiateInfoRequest) { in.Dialects = append(in.Dialects, smb2.Dialect311) },
		"capabilities": func(in *smb2.ValidateNegotiateInfoRequest) { in.Capabilities ^= smb2.GlobalCapEncryption },
		"guid":         func(in *smb2.ValidateNegotiateInfoRequest) { in.GUID[3]++ },
		"mode":         func(in *smb2.ValidateNegotiateInfoRequest) { in.SecurityMode ^= smb2.NegotiateSigningRequired },
	} {
		if _, ok := ask(edit); ok {
			t.Errorf("%s changed on the way, not noticed", name)
		}
	}
}
