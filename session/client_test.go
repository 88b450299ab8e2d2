package session

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// client is an SMB2 client that sends exactly what a test says.
type client struct {
	t  testing.TB
	nc net.Conn

	dialect   smb2.Dialect
	guid      [16]byte
	ciphers   []crypto.Cipher
	signings  []crypto.SigningAlgorithm
	secMode   smb2.SecurityMode
	cipher    crypto.Cipher
	signing   crypto.SigningAlgorithm
	preauth   crypto.PreauthHash
	negotiate smb2.NegotiateResponse

	mid       uint64
	credits   uint16 // asked for in each request
	sessionID uint64
	treeID    uint32
	signer    *crypto.Signer // of the session
	c2s, s2c  *crypto.Sealer
	flags     smb2.SessionFlags
	seal      bool // send sealed
	unsigned  bool // do not sign although there is a key
}

// timeout is how long a test waits for what must come.
const timeout = 10 * time.Second

// dial connects a client of dialect to the server.
func (ts *testServer) dial(t testing.TB, dialect smb2.Dialect) *client {
	t.Helper()
	nc, err := net.Dial("tcp", ts.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &client{
		t: t, nc: nc, dialect: dialect, guid: [16]byte{1}, credits: 1,
		ciphers:  []crypto.Cipher{crypto.CipherAES128GCM, crypto.CipherAES128CCM, crypto.CipherAES256GCM, crypto.CipherAES256CCM},
		signings: []crypto.SigningAlgorithm{crypto.SigningAESGMAC, crypto.SigningAESCMAC},
	}
}

// login dials, negotiates and authenticates as user.
func (ts *testServer) login(t testing.TB, dialect smb2.Dialect, user string) *client {
	t.Helper()
	c := ts.dial(t, dialect)
	c.mustNegotiate()
	c.mustSetup(user)
	return c
}

// header is the next request's header; it takes a message id.
func (c *client) header(cmd smb2.Command) smb2.Header {
	h := smb2.Header{CreditCharge: 1, Command: cmd, Credits: c.credits, MessageID: c.mid, SessionID: c.sessionID, TreeID: c.treeID}
	c.mid++
	return h
}

// message is header and body in bytes, signed if the client has a key and does not seal.
func (c *client) message(h smb2.Header, body smb2.Body) []byte {
	msg := body.Append(h.Append(nil))
	if c.signer != nil && !c.seal && !c.unsigned && h.SessionID == c.sessionID {
		transport.SignMessage(msg, c.signer)
	}
	return msg
}

// compound strings messages together, related from the second on if rel, and signs each.
func (c *client) compound(rel bool, msgs ...[]byte) []byte {
	var frame []byte
	for i, m := range msgs {
		for len(m)%8 != 0 && i < len(msgs)-1 {
			m = append(m, 0)
		}
		if i < len(msgs)-1 {
			smb2.SetRawNextCommand(m, uint32(len(m)))
		}
		if rel && i > 0 {
			smb2.SetRawFlags(m, smb2.RawFlags(m)|smb2.FlagRelated)
		}
		if c.signer != nil && !c.seal && !c.unsigned {
			transport.SignMessage(m, c.signer)
		}
		frame = append(frame, m...)
	}
	return frame
}

// write sends one frame, sealed if the client says so.
func (c *client) write(frame []byte) {
	c.t.Helper()
	if c.seal {
		frame = sealFrame(frame, c.c2s, c.sessionID)
	}
	buf := binary.BigEndian.AppendUint32(nil, uint32(len(frame)))
	if _, err := c.nc.Write(append(buf, frame...)); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// sealFrame puts a frame into a TRANSFORM_HEADER.
func sealFrame(frame []byte, s *crypto.Sealer, sessionID uint64) []byte {
	out := make([]byte, 52+len(frame), 52+len(frame)+crypto.TagSize)
	copy(out, smb2.ProtocolTransform)
	s.NextNonce((*[16]byte)(out[20:]))
	binary.LittleEndian.PutUint32(out[36:], uint32(len(frame)))
	binary.LittleEndian.PutUint16(out[42:], 1)
	binary.LittleEndian.PutUint64(out[44:], sessionID)
	copy(out[52:], frame)
	s.Seal((*[16]byte)(out[4:]), out[20:], out[20:52], out[52:])
	return out
}

// frame is one frame from the server.
type frame struct {
	sealed bool
	msgs   [][]byte
	hdrs   []smb2.Header
}

// read receives one frame; io.EOF or a reset if the server has hung up.
func (c *client) read() (*frame, error) {
	_ = c.nc.SetReadDeadline(time.Now().Add(timeout))
	var n [4]byte
	if _, err := io.ReadFull(c.nc, n[:]); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(n[:]))
	b := make([]byte, size, size+crypto.TagSize)
	if _, err := io.ReadFull(c.nc, b); err != nil {
		return nil, err
	}
	f := &frame{}
	if string(b[:4]) == smb2.ProtocolTransform {
		f.sealed = true
		if err := c.s2c.Open((*[16]byte)(b[4:]), b[20:], b[20:52], b[52:]); err != nil {
			return nil, err
		}
		b = b[52:]
	}
	err := transport.SplitCompound(b, func(msg []byte, _ bool) error {
		var h smb2.Header
		if err := h.Decode(msg); err != nil {
			return err
		}
		f.msgs, f.hdrs = append(f.msgs, msg), append(f.hdrs, h)
		return nil
	})
	return f, err
}

// mustRead is read that fails the test. Signatures are verified where there is one; those of SESSION_SETUP where the
// key is known, by established.
func (c *client) mustRead() *frame {
	c.t.Helper()
	f, err := c.read()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	for i, h := range f.hdrs {
		if h.Flags&smb2.FlagSigned != 0 && !f.sealed && c.signer != nil && h.Command != smb2.CommandSessionSetup && h.Status != ntstatus.UserSessionDeleted && !transport.VerifyMessage(f.msgs[i], c.signer) {
			c.t.Errorf("reply %d to %v has a wrong signature", i, h.Command)
		}
	}
	return f
}

// gone fails the test unless the server hangs up.
func (c *client) gone() {
	c.t.Helper()
	f, err := c.read()
	var ne net.Error
	switch {
	case err == nil:
		c.t.Fatalf("got reply %v %v, want the connection closed", f.hdrs[0].Command, f.hdrs[0].Status)
	case errors.As(err, &ne) && ne.Timeout():
		c.t.Fatal("connection still open")
	}
}

// call sends one request and returns its reply.
func (c *client) call(cmd smb2.Command, body smb2.Body) (smb2.Header, []byte) {
	c.t.Helper()
	c.write(c.message(c.header(cmd), body))
	f := c.mustRead()
	return f.hdrs[0], f.msgs[0]
}

// want calls and compares the status.
func (c *client) want(st ntstatus.Status, cmd smb2.Command, body smb2.Body) []byte {
	c.t.Helper()
	h, msg := c.call(cmd, body)
	if h.Status != st {
		c.t.Fatalf("%v: got %v, want %v", cmd, h.Status, st)
	}
	return msg
}

// setup authenticates as user with the tests' authenticator, from leg to leg, and returns the last status.
func (c *client) setup(user string, edit func(*smb2.Header, *smb2.SessionSetupRequest)) ntstatus.Status {
	c.t.Helper()
	preauth := c.preauth
	var id uint64
	for leg, token := range []string{"user " + user, "proof " + user} {
		h := c.header(smb2.CommandSessionSetup)
		if leg > 0 {
			h.SessionID = id
		}
		m := &smb2.SessionSetupRequest{SecurityMode: uint8(c.secMode | smb2.NegotiateSigningEnabled), SecurityBuffer: []byte(token)}
		if edit != nil {
			edit(&h, m)
		}
		msg := c.message(h, m)
		preauth.Update(msg)
		c.write(msg)
		f := c.mustRead()
		rh, reply := f.hdrs[0], f.msgs[0]
		if rh.Status != ntstatus.MoreProcessingRequired {
			if rh.Status != ntstatus.Success {
				return rh.Status
			}
			var resp smb2.SessionSetupResponse
			if err := resp.Decode(reply); err != nil {
				c.t.Fatal(err)
			}
			c.sessionID, c.flags = rh.SessionID, resp.SessionFlags
			c.established(user, m, preauth, reply)
			return rh.Status
		}
		preauth.Update(reply)
		id = rh.SessionID
	}
	c.t.Fatal("SESSION_SETUP wants a third leg")
	return 0
}

// established derives the keys and verifies the final reply's signature.
func (c *client) established(user string, m *smb2.SessionSetupRequest, preauth crypto.PreauthHash, reply []byte) {
	c.t.Helper()
	if c.flags&(smb2.SessionFlagIsGuest|smb2.SessionFlagIsNull) != 0 {
		return
	}
	if c.signer != nil && m.Flags&smb2.SessionSetupFlagBinding == 0 {
		if !transport.VerifyMessage(reply, c.signer) { // keys stay in a reauthentication
			c.t.Errorf("final SESSION_SETUP reply of a reauthentication is not signed with the session's key")
		}
		return
	}
	keys := crypto.DeriveKeys(uint16(c.dialect), keyOf(user), preauth, c.cipher, c.signing)
	var err error
	if c.signer, err = crypto.NewSigner(keys.SigningAlgorithm, keys.SigningKey); err != nil {
		c.t.Fatal(err)
	}
	if keys.Cipher != crypto.CipherNone && c.c2s == nil {
		c.c2s, _ = crypto.NewSealer(keys.Cipher, keys.EncryptionKey)
		c.s2c, _ = crypto.NewSealer(keys.Cipher, keys.DecryptionKey)
	}
	if smb2.RawFlags(reply)&smb2.FlagSigned == 0 || !transport.VerifyMessage(reply, c.signer) {
		c.t.Errorf("final SESSION_SETUP reply is not signed as it should be")
	}
}

// mustSetup is setup that fails the test.
func (c *client) mustSetup(user string) {
	c.t.Helper()
	if st := c.setup(user, nil); st != ntstatus.Success {
		c.t.Fatalf("SESSION_SETUP of %s: %v", user, st)
	}
}

// rawBody is a body in bytes.
type rawBody []byte

// Append appends it.
func (b rawBody) Append(dst []byte) []byte { return append(dst, b...) }

var echoRequest = rawBody{4, 0, 0, 0}
