package rawsmb

import (
	"context"
	"errors"
	"fmt"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Session is an authenticated session of one connection.
type Session struct {
	Conn  *Conn
	ID    uint64
	Flags smb2.SessionFlags
	// Sign and Seal say how requests leave; a test may change them between requests. Sign starts as the server's
	// security mode and dialect demand, Seal as the session's flags demand.
	Sign, Seal bool

	signer     *crypto.Signer
	seal, open *crypto.Sealer
	keys       crypto.Keys
}

// Login authenticates with NTLMv2. A refusal is returned as the server's ntstatus.Status.
func (c *Conn) Login(ctx context.Context, user, password string) (*Session, error) {
	return c.LoginAs(ctx, NTLM(user, password), 0)
}

// LoginAs makes a new session; previous is a PreviousSessionId or zero.
func (c *Conn) LoginAs(ctx context.Context, m Mechanism, previous uint64) (*Session, error) {
	s := &Session{Conn: c}
	final, hash, err := s.setup(ctx, m, smb2.SessionSetupRequest{PreviousSessionID: previous}, nil)
	if err != nil {
		return nil, err
	}
	return s, s.established(m.SessionKey(), hash, final)
}

// Bind makes another connection a channel of the session ([MS-SMB2] 3.2.4.2.3.1): requests of the Session that
// it returns go that way. The connection must have been made with the same ClientGUID.
func (s *Session) Bind(ctx context.Context, c *Conn, m Mechanism) (*Session, error) {
	ch := &Session{Conn: c, ID: s.ID, Sign: s.Sign, Seal: s.Seal, seal: s.seal, open: s.open}
	final, hash, err := ch.setup(ctx, m, smb2.SessionSetupRequest{Flags: smb2.SessionSetupFlagBinding}, s.signer)
	if err != nil {
		return nil, err
	}
	ch.keys = crypto.DeriveKeys(uint16(c.Resp.DialectRevision), m.SessionKey(), hash, c.Cipher, c.SigningAlgorithm)
	if ch.signer, err = crypto.NewSigner(c.SigningAlgorithm, ch.keys.SigningKey); err != nil {
		return nil, err
	}
	if !verify(final.Bytes, ch.signer) {
		return nil, errors.New("the final reply of the binding is not signed with the channel's key")
	}
	c.mu.Lock()
	c.sessions[ch.ID] = ch
	c.mu.Unlock()
	return ch, nil
}

// Reauthenticate proves the user again ([MS-SMB2] 3.2.4.2.3): the session keeps its keys.
func (s *Session) Reauthenticate(ctx context.Context, m Mechanism) error {
	_, _, err := s.setup(ctx, m, smb2.SessionSetupRequest{}, s.signer)
	return err
}

// setup runs SESSION_SETUP until the server is satisfied. A request is signed where there is a signer. The hash
// is over all but the final reply.
func (s *Session) setup(ctx context.Context, mech Mechanism, req smb2.SessionSetupRequest, signer *crypto.Signer) (final Message, hash crypto.PreauthHash, err error) {
	c := s.Conn
	hash = c.preauth
	req.SecurityMode = uint8(c.opt.SecurityMode)
	for leg := 0; leg < 3; leg++ {
		var challenge []byte
		if leg > 0 {
			challenge = req.SecurityBuffer
		}
		if req.SecurityBuffer, err = mech.Token(ctx, challenge); err != nil {
			return final, hash, fmt.Errorf("leg %d of the authentication: %w", leg, err)
		}
		sent, m, err := c.roundTripSigned(smb2.Header{Command: smb2.CommandSessionSetup, SessionID: s.ID, Credits: 31}, &req, signer)
		if err != nil {
			return final, hash, err
		}
		hash.Update(sent)
		s.ID = m.Header.SessionID
		if st := m.Header.Status; st != ntstatus.Success && st != ntstatus.MoreProcessingRequired {
			return final, hash, st
		}
		var resp smb2.SessionSetupResponse
		if err := resp.Decode(m.Bytes); err != nil {
			return final, hash, err
		}
		if m.Header.Status == ntstatus.Success {
			s.Flags = resp.SessionFlags
			return m, hash, nil
		}
		hash.Update(m.Bytes)
		req.SecurityBuffer = resp.SecurityBuffer
	}
	return final, hash, errors.New("the server asks for a fourth leg")
}

// established derives the session's keys, checks the signature of the final reply and turns on what the
// server demands.
func (s *Session) established(key []byte, hash crypto.PreauthHash, final Message) error {
	c := s.Conn
	s.keys = crypto.DeriveKeys(uint16(c.Resp.DialectRevision), key, hash, c.Cipher, c.SigningAlgorithm)
	var err error
	if s.signer, err = crypto.NewSigner(c.SigningAlgorithm, s.keys.SigningKey); err != nil {
		return err
	}
	if c.Cipher != crypto.CipherNone {
		if s.seal, err = crypto.NewSealer(c.Cipher, s.keys.EncryptionKey); err != nil {
			return err
		}
		if s.open, err = crypto.NewSealer(c.Cipher, s.keys.DecryptionKey); err != nil {
			return err
		}
	}
	weak := s.Flags&(smb2.SessionFlagIsGuest|smb2.SessionFlagIsNull) != 0
	if !weak {
		if final.Header.Flags&smb2.FlagSigned == 0 && c.Resp.DialectRevision >= smb2.Dialect300 {
			return errors.New("the final SESSION_SETUP reply is not signed")
		}
		if final.Header.Flags&smb2.FlagSigned != 0 && !verify(final.Bytes, s.signer) {
			return errors.New("the final SESSION_SETUP reply is wrongly signed")
		}
	}
	s.Sign = !weak && c.Resp.SecurityMode&smb2.NegotiateSigningRequired != 0
	s.Seal = s.Flags&smb2.SessionFlagEncryptData != 0
	c.mu.Lock()
	c.sessions[s.ID] = s
	c.mu.Unlock()
	return nil
}

// ApplicationKey is the key that RPC over pipes uses ([MS-SMB2] 3.2.4.27).
func (s *Session) ApplicationKey() []byte { return s.keys.ApplicationKey }

// Logoff ends the session.
func (s *Session) Logoff() error {
	_, err := s.Do(smb2.Header{Command: smb2.CommandLogoff}, &smb2.LogoffRequest{})
	return err
}
