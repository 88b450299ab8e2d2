package golden

import (
	"bytes"
	"fmt"
	"net/netip"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// connection follows one connection as far as keys depend on it.
type connection struct {
	client   netip.AddrPort
	noted    map[uint64][]byte // session keys by SessionId
	dialect  smb2.Dialect
	cipher   crypto.Cipher
	signing  crypto.SigningAlgorithm
	preauth  crypto.PreauthHash
	waiting  map[uint64]*Message // requests by MessageId
	sessions map[uint64]*session
}

// session is one session of a connection.
type session struct {
	preauth crypto.PreauthHash
	signer  *crypto.Signer // nil until the logon is over, and without a key
	seal    [2]*crypto.Sealer
}

// The directions of session.seal.
const (
	toServer = iota
	toClient
)

func newConnection(client netip.AddrPort, noted map[uint64][]byte) *connection {
	return &connection{client: client, noted: noted, signing: crypto.SigningHMACSHA256,
		waiting: map[uint64]*Message{}, sessions: map[uint64]*session{}}
}

// match finds a response's request. An interim response leaves it waiting.
func (c *connection) match(m *Message) {
	h := &m.Header
	switch {
	case !m.Response && h.Command != smb2.CommandCancel:
		c.waiting[h.MessageID] = m
	case m.Response:
		m.Request = c.waiting[h.MessageID]
		if h.Status != ntstatus.Pending {
			delete(c.waiting, h.MessageID)
		}
	}
}

// open opens a TRANSFORM_HEADER's frame.
func (c *connection) open(b []byte, response bool) ([]byte, error) {
	var t smb2.TransformHeader
	if err := t.Decode(b); err != nil {
		return nil, err
	}
	direction := toServer
	if response {
		direction = toClient
	}
	s := c.sessions[t.SessionID]
	if s == nil || s.seal[direction] == nil {
		return nil, fmt.Errorf("sealed for session %#x, whose key is not noted", t.SessionID)
	}
	buf := append(bytes.Clone(b), make([]byte, crypto.TagSize)...)
	plain := buf[smb2.TransformHeaderSize:len(b)]
	if int(t.OriginalMessageSize) != len(plain) {
		return nil, fmt.Errorf("OriginalMessageSize %d of %d bytes", t.OriginalMessageSize, len(plain))
	}
	if err := s.seal[direction].Open(&t.Signature, t.Nonce[:], buf[20:smb2.TransformHeaderSize], plain); err != nil {
		return nil, fmt.Errorf("session %#x: %w", t.SessionID, err)
	}
	return plain, nil
}

// message lets a decoded message act on the connection, then checks its signature: the last response of a logon is
// signed with the key that it brings.
func (c *connection) message(m *Message) error {
	switch body := m.Body.(type) {
	case *smb2.NegotiateRequest:
		c.preauth = crypto.PreauthHash{}
		c.preauth.Update(m.Bytes)
	case *smb2.NegotiateResponse:
		c.preauth.Update(m.Bytes)
		if err := c.negotiated(body); err != nil {
			return err
		}
	case *smb2.SessionSetupResponse:
		if err := c.setup(m); err != nil {
			return err
		}
	}
	return c.verify(m)
}

// negotiated takes over what the server chose.
func (c *connection) negotiated(r *smb2.NegotiateResponse) error {
	c.dialect = r.DialectRevision
	switch c.dialect {
	case smb2.Dialect300, smb2.Dialect302:
		c.cipher, c.signing = crypto.CipherAES128CCM, crypto.SigningAESCMAC
	case smb2.Dialect311:
		c.signing = crypto.SigningAESCMAC
	default: // HMAC-SHA256, and nothing is sealed
	}
	for _, x := range r.NegotiateContexts {
		switch x.Type {
		case smb2.ContextEncryption:
			var e smb2.EncryptionCapabilities
			if err := e.Decode(x.Data); err != nil || len(e.Ciphers) != 1 {
				return fmt.Errorf("encryption context %x: %w", x.Data, err)
			}
			c.cipher = crypto.Cipher(e.Ciphers[0])
		case smb2.ContextSigning:
			var e smb2.SigningCapabilities
			if err := e.Decode(x.Data); err != nil || len(e.SigningAlgorithms) != 1 {
				return fmt.Errorf("signing context %x: %w", x.Data, err)
			}
			c.signing = crypto.SigningAlgorithm(e.SigningAlgorithms[0])
		default: // no matter for keys
		}
	}
	return nil
}

// setup follows one leg of a logon, [MS-SMB2] 3.3.5.5. A session that has its keys keeps them: reauthentication.
func (c *connection) setup(m *Message) error {
	id := m.Header.SessionID
	s := c.sessions[id]
	if s == nil {
		s = &session{preauth: c.preauth}
		c.sessions[id] = s
	}
	if s.signer != nil {
		return nil
	}
	if m.Request == nil {
		return fmt.Errorf("nobody asked for SESSION_SETUP response %d", m.Header.MessageID)
	}
	s.preauth.Update(m.Request.Bytes)
	if m.Header.Status == ntstatus.MoreProcessingRequired {
		s.preauth.Update(m.Bytes)
		return nil
	}
	key, ok := c.noted[id]
	if !ok {
		return nil
	}
	keys := crypto.DeriveKeys(uint16(c.dialect), key, s.preauth, c.cipher, c.signing)
	var err error
	if s.signer, err = crypto.NewSigner(keys.SigningAlgorithm, keys.SigningKey); err != nil || keys.Cipher == crypto.CipherNone {
		return err
	}
	if s.seal[toServer], err = crypto.NewSealer(keys.Cipher, keys.EncryptionKey); err != nil {
		return err
	}
	s.seal[toClient], err = crypto.NewSealer(keys.Cipher, keys.DecryptionKey)
	return err
}

// verify checks a signature. Samba: the reply for want of a session carries the signature of its request (4.17).
func (c *connection) verify(m *Message) error {
	h := &m.Header
	if h.Flags&smb2.FlagSigned == 0 || m.Sealed || h.Status == ntstatus.UserSessionDeleted {
		return nil
	}
	s := c.sessions[h.SessionID]
	if s == nil || s.signer == nil {
		return nil
	}
	if !transport.VerifyMessage(m.Bytes, s.signer) {
		return fmt.Errorf("%v %d of session %#x is wrongly signed", h.Command, h.MessageID, h.SessionID)
	}
	m.Verified = true
	return nil
}
