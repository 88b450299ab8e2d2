package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// dialect311 is the only dialect spoken to a backend: older ones have no
// preauthentication integrity, and VALIDATE_NEGOTIATE_INFO instead.
const dialect311 = uint16(smb2.Dialect311)

// negotiated is what NEGOTIATE gave: MS-SMB2's Connection, 3.2.1.2. Fixed
// afterwards.
type negotiated struct {
	preauth     crypto.PreauthHash
	signing     crypto.SigningAlgorithm
	cipher      crypto.Cipher
	maxRead     uint32
	maxWrite    uint32
	maxTransact uint32
}

// saltSize is the length of our preauth salt, as Windows has it.
const saltSize = 32

// errContexts says that an answer to NEGOTIATE does not keep to the question.
var errContexts = errors.New("its negotiate contexts answer something else")

// negotiate runs NEGOTIATE, [MS-SMB2] 3.2.4.2.2.2, 3.2.5.2.
func (cn *connection) negotiate(ctx context.Context) error {
	cfg := &cn.pool.cfg
	neg := &cn.neg
	w := &waiter{done: make(chan struct{})}
	w.hook = func(msg []byte) { neg.preauth.Update(msg) }
	w.Frame = NewRequest(smb2.CommandNegotiate, cfg.negotiateRequest(), smallBody)
	h, reply, err := cn.wait(ctx, w)
	if err != nil {
		return err
	}
	defer reply.Release()
	if h.Status != ntstatus.Success {
		return fmt.Errorf("NEGOTIATE: %w", h.Status)
	}
	neg.preauth.Update(reply.Bytes())
	var resp smb2.NegotiateResponse
	if err := resp.Decode(reply.Bytes()); err != nil {
		return err
	}
	if resp.DialectRevision != smb2.Dialect311 {
		return fmt.Errorf("it speaks %v, not 3.1.1", resp.DialectRevision)
	}
	if resp.Capabilities&smb2.GlobalCapLargeMTU == 0 {
		return errors.New("it has no multi-credit requests")
	}
	neg.maxRead, neg.maxWrite, neg.maxTransact = resp.MaxReadSize, resp.MaxWriteSize, resp.MaxTransactSize
	if err := neg.contexts(cfg, resp.NegotiateContexts); err != nil {
		return err
	}
	if cfg.Encrypt && neg.cipher == crypto.CipherNone {
		return fmt.Errorf("encryption is configured and it takes none of %v", cfg.Ciphers)
	}
	return nil
}

// negotiateRequest says what we speak. Ciphers are offered always: a share or
// the backend's configuration may want them. Each connection has a ClientGuid of
// its own: Samba's 4.17 with "server multi channel support" (its default) hands
// connections of one ClientGuid to one process, and lanes would be none.
func (c *Config) negotiateRequest() *smb2.NegotiateRequest {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	var guid smb2.GUID
	rand.Read(guid[:])
	preauth := smb2.PreauthIntegrityCapabilities{HashAlgorithms: []uint16{smb2.PreauthSHA512}, Salt: salt}
	var ciphers smb2.EncryptionCapabilities
	for _, x := range c.Ciphers {
		ciphers.Ciphers = append(ciphers.Ciphers, uint16(x))
	}
	var signing smb2.SigningCapabilities
	for _, a := range c.Signing {
		signing.SigningAlgorithms = append(signing.SigningAlgorithms, uint16(a))
	}
	return &smb2.NegotiateRequest{
		SecurityMode: smb2.NegotiateSigningEnabled | smb2.NegotiateSigningRequired,
		Capabilities: smb2.GlobalCapLargeMTU | smb2.GlobalCapEncryption,
		ClientGUID:   guid,
		Dialects:     []smb2.Dialect{smb2.Dialect311},
		NegotiateContexts: []smb2.NegotiateContext{
			{Type: smb2.ContextPreauthIntegrity, Data: preauth.Append(nil)},
			{Type: smb2.ContextEncryption, Data: ciphers.Append(nil)},
			{Type: smb2.ContextSigning, Data: signing.Append(nil)},
		},
	}
}

// contexts takes what the backend chose, and nothing that was not offered.
// Without SIGNING_CAPABILITIES it is AES-CMAC, without ENCRYPTION_CAPABILITIES
// nothing, [MS-SMB2] 3.2.5.2.
func (neg *negotiated) contexts(cfg *Config, list []smb2.NegotiateContext) error {
	var preauth smb2.PreauthIntegrityCapabilities
	data, n := smb2.FindNegotiateContext(list, smb2.ContextPreauthIntegrity)
	if n != 1 {
		return errContexts
	}
	if err := preauth.Decode(data); err != nil {
		return err
	}
	if len(preauth.HashAlgorithms) != 1 || preauth.HashAlgorithms[0] != smb2.PreauthSHA512 {
		return errContexts
	}

	neg.cipher = crypto.CipherNone
	if data, n = smb2.FindNegotiateContext(list, smb2.ContextEncryption); n > 0 {
		var c smb2.EncryptionCapabilities
		if err := c.Decode(data); err != nil {
			return err
		}
		if n > 1 || len(c.Ciphers) != 1 {
			return errContexts
		}
		neg.cipher = crypto.Cipher(c.Ciphers[0])
		if neg.cipher != crypto.CipherNone && !slices.Contains(cfg.Ciphers, neg.cipher) {
			return errContexts
		}
	}

	neg.signing = crypto.SigningAESCMAC
	if data, n = smb2.FindNegotiateContext(list, smb2.ContextSigning); n > 0 {
		var c smb2.SigningCapabilities
		if err := c.Decode(data); err != nil {
			return err
		}
		if n > 1 || len(c.SigningAlgorithms) != 1 {
			return errContexts
		}
		neg.signing = crypto.SigningAlgorithm(c.SigningAlgorithms[0])
		if !slices.Contains(cfg.Signing, neg.signing) {
			return errContexts
		}
	}
	return nil
}
