package rawsmb

import (
	"crypto/rand"
	"fmt"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// negotiate sends NEGOTIATE as the options say and keeps what the server chose.
func (c *Conn) negotiate() error {
	req := smb2.NegotiateRequest{SecurityMode: c.opt.SecurityMode, Capabilities: c.opt.Capabilities,
		ClientGUID: c.opt.ClientGUID, Dialects: c.opt.Dialects}
	if req.Capabilities == 0 {
		req.Capabilities = smb2.GlobalCapDFS | smb2.GlobalCapLeasing | smb2.GlobalCapLargeMTU | smb2.GlobalCapMultiChannel |
			smb2.GlobalCapPersistentHandles | smb2.GlobalCapDirectoryLeasing | smb2.GlobalCapEncryption
	}
	for _, d := range c.opt.Dialects {
		if d == smb2.Dialect311 {
			req.NegotiateContexts = c.contexts()
		}
	}
	sent, m, err := c.roundTrip(smb2.Header{Command: smb2.CommandNegotiate, Credits: 31}, &req)
	if err != nil {
		return err
	}
	if m.Header.Status != ntstatus.Success {
		return m.Header.Status
	}
	if err := c.Resp.Decode(m.Bytes); err != nil {
		return err
	}
	return c.chosen(sent, m.Bytes)
}

// contexts are the 3.1.1 negotiate contexts offered ([MS-SMB2] 2.2.3.1).
func (c *Conn) contexts() []smb2.NegotiateContext {
	salt := make([]byte, 32)
	rand.Read(salt)
	ciphers, algs := c.opt.Ciphers, c.opt.Signing
	if ciphers == nil {
		ciphers = []crypto.Cipher{crypto.CipherAES128GCM, crypto.CipherAES128CCM, crypto.CipherAES256GCM, crypto.CipherAES256CCM}
	}
	if algs == nil {
		algs = []crypto.SigningAlgorithm{crypto.SigningAESGMAC, crypto.SigningAESCMAC, crypto.SigningHMACSHA256}
	}
	enc := smb2.EncryptionCapabilities{}
	for _, x := range ciphers {
		enc.Ciphers = append(enc.Ciphers, uint16(x))
	}
	sig := smb2.SigningCapabilities{}
	for _, x := range algs {
		sig.SigningAlgorithms = append(sig.SigningAlgorithms, uint16(x))
	}
	pre := smb2.PreauthIntegrityCapabilities{HashAlgorithms: []uint16{1}, Salt: salt}
	return []smb2.NegotiateContext{pre.Context(), enc.Context(), sig.Context()}
}

// chosen reads the server's contexts and starts the preauthentication hash of a 3.1.1 connection.
func (c *Conn) chosen(sent, received []byte) error {
	c.SigningAlgorithm = crypto.SigningHMACSHA256
	switch c.Resp.DialectRevision {
	default: // signs with HMAC-SHA256, does not encrypt
	case smb2.Dialect300, smb2.Dialect302:
		c.SigningAlgorithm = crypto.SigningAESCMAC
		if c.Resp.Capabilities&smb2.GlobalCapEncryption != 0 {
			c.Cipher = crypto.CipherAES128CCM
		}
	case smb2.Dialect311:
		c.SigningAlgorithm = crypto.SigningAESCMAC
		c.preauth.Update(sent)
		c.preauth.Update(received)
		for _, x := range c.Resp.NegotiateContexts {
			switch x.Type {
			default: // nothing to choose
			case smb2.ContextEncryption:
				var e smb2.EncryptionCapabilities
				if err := e.Decode(x.Data); err != nil {
					return err
				}
				if len(e.Ciphers) != 1 {
					return fmt.Errorf("the server chose the ciphers %v, want one", e.Ciphers)
				}
				c.Cipher = crypto.Cipher(e.Ciphers[0])
			case smb2.ContextSigning:
				var e smb2.SigningCapabilities
				if err := e.Decode(x.Data); err != nil {
					return err
				}
				if len(e.SigningAlgorithms) != 1 {
					return fmt.Errorf("the server chose the signing algorithms %v, want one", e.SigningAlgorithms)
				}
				c.SigningAlgorithm = crypto.SigningAlgorithm(e.SigningAlgorithms[0])
			}
		}
	}
	return nil
}
