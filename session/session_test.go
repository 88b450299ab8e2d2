package session

import (
	"encoding/binary"
	"testing"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// allDialects are what every test of ordinary work runs with.
var allDialects = []smb2.Dialect{smb2.Dialect202, smb2.Dialect210, smb2.Dialect300, smb2.Dialect302, smb2.Dialect311}

// negotiateRequest is the client's NEGOTIATE.
func (c *client) negotiateRequest() *smb2.NegotiateRequest {
	m := &smb2.NegotiateRequest{SecurityMode: c.secMode | smb2.NegotiateSigningEnabled, ClientGUID: c.guid}
	for _, d := range allDialects {
		if d <= c.dialect {
			m.Dialects = append(m.Dialects, d)
		}
	}
	if c.dialect >= smb2.Dialect300 {
		m.Capabilities = smb2.GlobalCapEncryption | smb2.GlobalCapMultiChannel | smb2.GlobalCapLargeMTU | smb2.GlobalCapDirectoryLeasing | smb2.GlobalCapPersistentHandles
	}
	if c.dialect == smb2.Dialect311 {
		add := func(typ smb2.NegotiateContextType, b smb2.Body) {
			m.NegotiateContexts = append(m.NegotiateContexts, smb2.NegotiateContext{Type: typ, Data: b.Append(nil)})
		}
		add(smb2.ContextPreauthIntegrity, &smb2.PreauthIntegrityCapabilities{HashAlgorithms: []uint16{1}, Salt: make([]byte, 32)})
		if c.ciphers != nil {
			enc := &smb2.EncryptionCapabilities{}
			for _, x := range c.ciphers {
				enc.Ciphers = append(enc.Ciphers, uint16(x))
			}
			add(smb2.ContextEncryption, enc)
		}
		if c.signings != nil {
			sig := &smb2.SigningCapabilities{}
			for _, x := range c.signings {
				sig.SigningAlgorithms = append(sig.SigningAlgorithms, uint16(x))
			}
			add(smb2.ContextSigning, sig)
		}
		add(smb2.ContextNetname, &smb2.NetnameNegotiateContextID{NetName: "server"})
	}
	return m
}

// mustNegotiate sends NEGOTIATE and settles what the answer says.
func (c *client) mustNegotiate() {
	c.t.Helper()
	msg := c.message(c.header(smb2.CommandNegotiate), c.negotiateRequest())
	c.preauth.Update(msg)
	c.write(msg)
	f := c.mustRead()
	if f.hdrs[0].Status != ntstatus.Success {
		c.t.Fatalf("NEGOTIATE: %v", f.hdrs[0].Status)
	}
	c.preauth.Update(f.msgs[0])
	m := &c.negotiate
	if err := m.Decode(f.msgs[0]); err != nil {
		c.t.Fatal(err)
	}
	if m.DialectRevision != c.dialect {
		c.t.Fatalf("negotiated %v, want %v", m.DialectRevision, c.dialect)
	}
	c.settle()
}

// settle reads algorithms from the NEGOTIATE response.
func (c *client) settle() {
	c.t.Helper()
	switch {
	case c.dialect == smb2.Dialect311:
		c.signing = crypto.SigningAESCMAC
		if data, n := smb2.FindNegotiateContext(c.negotiate.NegotiateContexts, smb2.ContextEncryption); n == 1 {
			c.cipher = crypto.Cipher(binary.LittleEndian.Uint16(data[2:]))
		}
		if data, n := smb2.FindNegotiateContext(c.negotiate.NegotiateContexts, smb2.ContextSigning); n == 1 {
			c.signing = crypto.SigningAlgorithm(binary.LittleEndian.Uint16(data[2:]))
		}
	case c.dialect >= smb2.Dialect300:
		c.signing = crypto.SigningAESCMAC
		if c.negotiate.Capabilities&smb2.GlobalCapEncryption != 0 {
			c.cipher = crypto.CipherAES128CCM
		}
	}
}

// tree connects a share and uses it from then on.
func (c *client) tree(share string) {
	c.t.Helper()
	h, _ := c.call(smb2.CommandTreeConnect, &smb2.TreeConnectRequest{Path: share})
	if h.Status != ntstatus.Success {
		c.t.Fatalf("TREE_CONNECT: %v", h.Status)
	}
	c.treeID = h.TreeID
}

// bodies of requests that the tests send often.
func createRequest(name string) smb2.Body { return &smb2.CreateRequest{Name: name} }
func readRequest(id smb2.FileID, n uint32) smb2.Body {
	return &smb2.ReadRequest{FileID: id, Length: n}
}
func closeRequest(id smb2.FileID) smb2.Body { return &smb2.CloseRequest{FileID: id} }
func flushRequest(id smb2.FileID) smb2.Body { return &smb2.FlushRequest{FileID: id} }
func notifyRequest(id smb2.FileID) smb2.Body {
	return &smb2.ChangeNotifyRequest{FileID: id, OutputBufferLength: 100}
}

// TestDialects does ordinary work in every dialect: plain, signing required, encrypted.
func TestDialects(t *testing.T) {
	for _, d := range allDialects {
		for _, mode := range []string{"plain", "required", "sealed"} {
			if mode == "sealed" && d < smb2.Dialect300 {
				continue
			}
			t.Run(d.String()+" "+mode, func(t *testing.T) {
				ts := serve(t, func(cfg *Config) {
					cfg.SigningRequired = mode == "required"
					if mode == "sealed" {
						cfg.Encryption = EncryptionRequired
					}
				})
				c := ts.login(t, d, "anna")
				c.seal = mode == "sealed"
				if got := c.flags&smb2.SessionFlagEncryptData != 0; got != c.seal {
					t.Errorf("ENCRYPT_DATA flag: got %v, want %v", got, c.seal)
				}
				c.tree("share")
				c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
				msg := c.want(ntstatus.Success, smb2.CommandCreate, createRequest("a"))
				var cr smb2.CreateResponse
				if err := cr.Decode(msg); err != nil {
					t.Fatal(err)
				}
				msg = c.want(ntstatus.Success, smb2.CommandRead, readRequest(cr.FileID, 10))
				if msg[80] != byte(cr.FileID.Volatile) {
					t.Errorf("READ saw FileId %d, want %d", msg[80], cr.FileID.Volatile)
				}
				c.want(ntstatus.Success, smb2.CommandClose, closeRequest(cr.FileID))
				c.want(ntstatus.Success, smb2.CommandTreeDisconnect, echoRequest)
				c.want(ntstatus.NetworkNameDeleted, smb2.CommandCreate, createRequest("a"))
				ts.upper.await(t, "tree share")
				c.want(ntstatus.Success, smb2.CommandLogoff, echoRequest)
				ts.upper.await(t, "session anna")
				if !c.seal {
					c.unsigned = true
					c.want(ntstatus.UserSessionDeleted, smb2.CommandTreeConnect, &smb2.TreeConnectRequest{Path: "x"})
				}
			})
		}
	}
}

// TestCiphers uses each cipher and each signing algorithm alone.
func TestCiphers(t *testing.T) {
	ts := serve(t, nil)
	for _, cipher := range []crypto.Cipher{crypto.CipherAES128CCM, crypto.CipherAES128GCM, crypto.CipherAES256CCM, crypto.CipherAES256GCM} {
		for _, alg := range []crypto.SigningAlgorithm{crypto.SigningHMACSHA256, crypto.SigningAESCMAC, crypto.SigningAESGMAC} {
			c := ts.dial(t, smb2.Dialect311)
			c.ciphers, c.signings = []crypto.Cipher{cipher}, []crypto.SigningAlgorithm{alg}
			c.mustNegotiate()
			if c.cipher != cipher || c.signing != alg {
				t.Fatalf("got %v and %v, want %v and %v", c.cipher, c.signing, cipher, alg)
			}
			c.mustSetup("anna")
			c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
			c.seal = true
			c.write(c.message(c.header(smb2.CommandEcho), echoRequest))
			if f := c.mustRead(); !f.sealed || f.hdrs[0].Status != ntstatus.Success {
				t.Errorf("%v: reply sealed %v with %v", cipher, f.sealed, f.hdrs[0].Status)
			}
		}
	}
}
