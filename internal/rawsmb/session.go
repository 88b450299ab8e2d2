package rawsmb

import (
	"context"
	"errors"
	"fmt"

	"github.com/oiweiwei/go-msrpc/ssp/credential"
	"github.com/oiweiwei/go-msrpc/ssp/ntlm"

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
	return c.LoginWith(ctx, user, password, 0, 0)
}

// LoginWith is Login with a PreviousSessionId and, where bind is not zero, as another channel of session bind
// is left to the caller of SessionSetup.
func (c *Conn) LoginWith(ctx context.Context, user, password string, previous uint64, flags uint8) (*Session, error) {
	cfg := ntlm.NewConfig()
	cfg.Integrity, cfg.Confidentiality = true, true
	cfg.Credential = credential.NewFromPassword(user, password, credential.Workstation("RAWSMB"))
	a := &ntlm.Authentifier{Config: cfg}
	token, err := a.Negotiate(ctx)
	if err != nil {
		return nil, err
	}
	s := &Session{Conn: c}
	hash := c.preauth
	for leg := 0; leg < 3; leg++ {
		req := smb2.SessionSetupRequest{Flags: flags, SecurityMode: uint8(c.opt.SecurityMode),
			PreviousSessionID: previous, SecurityBuffer: token}
		sent, m, err := c.roundTrip(smb2.Header{Command: smb2.CommandSessionSetup, SessionID: s.ID, Credits: 31}, &req)
		if err != nil {
			return nil, err
		}
		hash.Update(sent)
		s.ID = m.Header.SessionID
		if st := m.Header.Status; st != ntstatus.Success && st != ntstatus.MoreProcessingRequired {
			return nil, st
		}
		var resp smb2.SessionSetupResponse
		if err := resp.Decode(m.Bytes); err != nil {
			return nil, err
		}
		if m.Header.Status == ntstatus.Success {
			s.Flags = resp.SessionFlags
			return s, s.established(a.SessionKey(), hash, m)
		}
		hash.Update(m.Bytes)
		if token, err = a.Authenticate(ctx, resp.SecurityBuffer); err != nil {
			return nil, fmt.Errorf("answer the server's challenge: %w", err)
		}
	}
	return nil, errors.New("the server asks for a fourth leg of NTLM")
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
