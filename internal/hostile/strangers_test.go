package hostile

import (
	"slices"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// stranger is a connection that has said nothing yet.
func stranger(t testing.TB, s site) *rawsmb.Conn {
	t.Helper()
	c := rawsmb.NewConn(dial(t, "127.11.0.10", s.address()), rawsmb.Options{})
	t.Cleanup(c.Close)
	return c
}

// say sends a message with a new id and returns what will be the reply.
func say(t testing.TB, c *rawsmb.Conn, h smb2.Header, body smb2.Body) *rawsmb.Pending {
	t.Helper()
	h.MessageID = c.Take(1)
	if h.Credits == 0 {
		h.Credits = 10
	}
	p := c.Expect(h.MessageID)
	must(t, c.WriteFrame(body.Append(h.Append(nil))))
	return p
}

// negotiate311 is a good NEGOTIATE of 3.1.1 with these contexts.
func negotiate311(contexts ...smb2.NegotiateContext) *smb2.NegotiateRequest {
	return &smb2.NegotiateRequest{SecurityMode: 1, ClientGUID: smb2.GUID{1}, Dialects: []smb2.Dialect{smb2.Dialect311}, NegotiateContexts: contexts}
}

// TestStrangers: what may be wrong before anybody has authenticated ([MS-SMB2] 3.3.5.2, 3.3.5.3, 3.3.5.4).
func TestStrangers(t *testing.T) {
	preauth := (&smb2.PreauthIntegrityCapabilities{HashAlgorithms: []uint16{1}, Salt: make([]byte, 32)}).Context()
	neg := smb2.Header{Command: smb2.CommandNegotiate}
	encoded := func(m smb2.Body, edit func(body []byte)) rawsmb.Body {
		b := m.Append(make([]byte, smb2.HeaderSize))[smb2.HeaderSize:]
		edit(b)
		return b
	}
	refused := func(st ntstatus.Status, body smb2.Body) func(*testing.T, *rawsmb.Conn) {
		return func(t *testing.T, c *rawsmb.Conn) { wait(t, say(t, c, neg, body), st) }
	}
	ends := func(frame []byte) func(*testing.T, *rawsmb.Conn) {
		return func(t *testing.T, c *rawsmb.Conn) { must(t, c.WriteFrame(frame)); gone(t, c) }
	}
	cases := map[string]func(t *testing.T, c *rawsmb.Conn){
		"no dialect":       refused(ntstatus.InvalidParameter, &smb2.NegotiateRequest{}),
		"unknown dialects": refused(ntstatus.NotSupported, &smb2.NegotiateRequest{Dialects: []smb2.Dialect{0, 1, 0x0201, 0x02FF, 0xFFFF}}),
		"more dialects than there are": refused(ntstatus.InvalidParameter, encoded(&smb2.NegotiateRequest{Dialects: []smb2.Dialect{smb2.Dialect210}},
			func(b []byte) { le.PutUint16(b[2:], 0xFFFF) })),
		"no preauthentication":  refused(ntstatus.InvalidParameter, negotiate311()),
		"two of them":           refused(ntstatus.InvalidParameter, negotiate311(preauth, preauth)),
		"an unknown hash":       refused(ntstatus.SmbNoPreauthIntegrityHashOverlap, negotiate311((&smb2.PreauthIntegrityCapabilities{HashAlgorithms: []uint16{7}}).Context())),
		"empty preauth context": refused(ntstatus.InvalidParameter, negotiate311(smb2.NegotiateContext{Type: smb2.ContextPreauthIntegrity})),
		"empty ciphers":         refused(ntstatus.InvalidParameter, negotiate311(preauth, smb2.NegotiateContext{Type: smb2.ContextEncryption})),
		"ciphers that lie":      refused(ntstatus.InvalidParameter, negotiate311(preauth, smb2.NegotiateContext{Type: smb2.ContextEncryption, Data: []byte{0xFF, 0xFF, 1, 0}})),
		"contexts beyond the end": refused(ntstatus.InvalidParameter, encoded(negotiate311(preauth),
			func(b []byte) { le.PutUint32(b[28:], 0xFFFFFFF8) })),
		"more contexts than there are": refused(ntstatus.InvalidParameter, encoded(negotiate311(preauth),
			func(b []byte) { le.PutUint16(b[32:], 0xFFFF) })),
		"SMB1 truncated":           ends(smb1Negotiate("SMB 2.002")[:30]),
		"SMB1 with a lying length": ends(append(smb1Negotiate("SMB 2.002")[:33], 0xFF, 0xFF, 2)),
		"SMB1 other command":       ends(append([]byte("\xFFSMB\x73"), make([]byte, 100)...)),
		"SMB1 twice": func(t *testing.T, c *rawsmb.Conn) {
			p := c.Expect(0)
			must(t, c.WriteFrame(smb1Negotiate("NT LM 0.12", "SMB 2.???")))
			wait(t, p, ntstatus.Success)
			must(t, c.WriteFrame(smb1Negotiate("NT LM 0.12", "SMB 2.???")))
			gone(t, c)
		},
		"SMB1 and then NEGOTIATE, which is how it goes": func(t *testing.T, c *rawsmb.Conn) {
			p := c.Expect(c.Take(1))
			must(t, c.WriteFrame(smb1Negotiate("SMB 2.002", "SMB 2.???")))
			wait(t, p, ntstatus.Success)
			must(t, c.Negotiate())
		},
		"NEGOTIATE twice": func(t *testing.T, c *rawsmb.Conn) {
			must(t, c.Negotiate())
			h := smb2.Header{Command: smb2.CommandNegotiate, MessageID: c.Take(1), Credits: 1}
			must(t, c.WriteFrame(negotiate311(preauth).Append(h.Append(nil))))
			gone(t, c)
		},
		"sealed by nobody":   ends(append([]byte("\xFDSMB"), make([]byte, 200)...)),
		"something else":     ends([]byte("GET / HTTP/1.1\r\nHost: smbproxy\r\n\r\n" + string(make([]byte, 64)))),
		"SMB2 but no header": ends(append([]byte("\xFESMB"), slices.Repeat([]byte{0xFF}, 200)...)),
	}
	for cmd := range smb2.Command(25) {
		if cmd == smb2.CommandNegotiate {
			continue
		}
		h := smb2.Header{Command: cmd, Credits: 1}
		cases["before NEGOTIATE: "+cmd.String()] = ends(append(h.Append(nil), make([]byte, 64)...))
	}
	onBoth(t, func(t *testing.T, s site) {
		w := newWitness(s.client(t, "user2", rawsmb.Options{}))
		for name, run := range cases {
			t.Run(name, func(t *testing.T) {
				run(t, stranger(t, s))
				w.undisturbed(t)
			})
		}
	})
}

// TestNoSession: without a session every command that needs one says so, with the witness's ids too; ECHO answers,
// CANCEL is silent ([MS-SMB2] 3.3.5.2.9).
func TestNoSession(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		w := newWitness(s.client(t, "user2", rawsmb.Options{}))
		c := stranger(t, s)
		must(t, c.Negotiate())
		wait(t, say(t, c, smb2.Header{Command: smb2.CommandEcho, Credits: 100}, &smb2.EchoRequest{}), ntstatus.Success)
		for _, id := range []uint64{0, 1, w.ID, ^uint64(0)} {
			bodies := fileRequests(w.file)
			bodies[smb2.CommandLogoff] = &smb2.LogoffRequest{}
			bodies[smb2.CommandTreeConnect] = &smb2.TreeConnectRequest{Path: `\\smbproxy\share`}
			bodies[smb2.CommandTreeDisconnect] = &smb2.TreeDisconnectRequest{}
			bodies[smb2.CommandCreate] = createRequest("x", smb2.FileOpenIf, 0)
			for cmd, body := range bodies {
				h := smb2.Header{Command: cmd, SessionID: id, TreeID: w.tree, CreditCharge: 1, Credits: 3}
				wait(t, say(t, c, h, body), ntstatus.UserSessionDeleted)
			}
		}
		h := smb2.Header{Command: smb2.CommandCancel, MessageID: 5, SessionID: w.ID}
		must(t, c.WriteFrame((&smb2.CancelRequest{}).Append(h.Append(nil))))
		wait(t, say(t, c, smb2.Header{Command: smb2.CommandEcho}, &smb2.EchoRequest{}), ntstatus.Success)
		w.undisturbed(t)
	})
}
