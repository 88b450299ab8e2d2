package session

import (
	"io"
	"slices"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// negotiated is what NEGOTIATE has settled (the fields of Connection in [MS-SMB2] 3.3.1.7).
type negotiated struct {
	done    bool
	dialect smb2.Dialect

	clientGUID         smb2.GUID
	clientCapabilities smb2.Capabilities
	clientSecurityMode smb2.SecurityMode

	capabilities smb2.Capabilities // ServerCapabilities
	securityMode smb2.SecurityMode // ServerSecurityMode
	multiCredit  bool
	maxTransact  uint32
	maxRead      uint32
	maxWrite     uint32

	cipher  crypto.Cipher
	signing crypto.SigningAlgorithm
	preauth crypto.PreauthHash
}

// dialects are those we speak, the newest first.
var dialects = []smb2.Dialect{smb2.Dialect311, smb2.Dialect302, smb2.Dialect300, smb2.Dialect210, smb2.Dialect202}

// knownDialect tells whether d is one of them.
func knownDialect(d smb2.Dialect) bool { return slices.Contains(dialects, d) }

// chooseDialect is the newest dialect that both sides allow, or 0.
func (cfg *Config) chooseDialect(offered []smb2.Dialect) smb2.Dialect {
	for _, d := range dialects {
		if d >= cfg.MinDialect && d <= cfg.MaxDialect && slices.Contains(offered, d) {
			return d
		}
	}
	return 0
}

// Negotiate serves NEGOTIATE ([MS-SMB2] 3.3.5.4). A connection whose NEGOTIATE has failed may try again.
func Negotiate(r *Request) {
	c := r.Connection
	var m smb2.NegotiateRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	if len(m.Dialects) == 0 {
		r.Fail(ntstatus.InvalidParameter)
		return
	}
	neg := negotiated{
		dialect:            c.cfg.chooseDialect(m.Dialects),
		clientGUID:         m.ClientGUID,
		clientCapabilities: m.Capabilities,
		clientSecurityMode: m.SecurityMode,
	}
	if neg.dialect == 0 {
		c.log.Info("no dialect in common", "offered", m.Dialects)
		r.Fail(ntstatus.NotSupported)
		return
	}
	resp := &smb2.NegotiateResponse{}
	if st := c.negotiateContexts(&neg, &m, resp); st != ntstatus.Success {
		c.log.Info("NEGOTIATE refused", "dialect", neg.dialect.String(), "status", st.Error())
		r.Fail(st)
		return
	}
	c.settle(&neg)
	c.fillNegotiate(&neg, resp)
	if neg.dialect == smb2.Dialect311 {
		neg.preauth.Update(r.Message())
	}
	neg.done = true
	c.neg = neg
	c.mu.Lock()
	c.shownDialect = neg.dialect.String()
	c.mu.Unlock()
	if neg.dialect == smb2.Dialect311 {
		r.hash = &c.neg.preauth
	}
	c.log.Debug("negotiated", "dialect", neg.dialect.String(), "cipher", neg.cipher.String(), "signing", neg.signing.String())
	r.Reply(ntstatus.Success, resp)
}

// settle decides what follows from dialect and configuration ([MS-SMB2] 3.3.5.4). Ciphers of 3.1.1 are settled by the
// contexts before.
func (c *Connection) settle(neg *negotiated) {
	cfg := c.cfg
	neg.securityMode = smb2.NegotiateSigningEnabled
	if cfg.SigningRequired {
		neg.securityMode |= smb2.NegotiateSigningRequired
	}
	allowed := smb2.GlobalCapDFS
	if neg.dialect >= smb2.Dialect210 {
		neg.multiCredit = true
		allowed |= smb2.GlobalCapLeasing
	}
	if neg.dialect >= smb2.Dialect300 {
		// Only to a client that asks for them: others take them for what they are not (impacket 0.10).
		allowed |= neg.clientCapabilities & (smb2.GlobalCapPersistentHandles | smb2.GlobalCapDirectoryLeasing)
	}
	neg.capabilities = cfg.Capabilities & allowed
	neg.maxTransact, neg.maxRead, neg.maxWrite = oneCredit, oneCredit, oneCredit
	if neg.multiCredit {
		neg.capabilities |= smb2.GlobalCapLargeMTU
		neg.maxTransact, neg.maxRead, neg.maxWrite = cfg.MaxTransactSize, cfg.MaxReadSize, cfg.MaxWriteSize
	}
	if neg.dialect >= smb2.Dialect300 && cfg.MultiChannel && neg.clientCapabilities&smb2.GlobalCapMultiChannel != 0 {
		neg.capabilities |= smb2.GlobalCapMultiChannel
	}
	switch {
	case neg.dialect == smb2.Dialect311:
	case neg.dialect >= smb2.Dialect300:
		neg.signing = crypto.SigningAESCMAC
		if cfg.Encryption != EncryptionOff && neg.clientCapabilities&smb2.GlobalCapEncryption != 0 &&
			slices.Contains(cfg.Ciphers, crypto.CipherAES128CCM) {
			neg.cipher = crypto.CipherAES128CCM
			neg.capabilities |= smb2.GlobalCapEncryption
		}
	default:
		neg.signing = crypto.SigningHMACSHA256
	}
}

// fillNegotiate fills the response but for its contexts.
func (c *Connection) fillNegotiate(neg *negotiated, resp *smb2.NegotiateResponse) {
	resp.SecurityMode = neg.securityMode
	resp.DialectRevision = neg.dialect
	resp.ServerGUID = c.cfg.ServerGUID
	resp.Capabilities = neg.capabilities
	resp.MaxTransactSize = neg.maxTransact
	resp.MaxReadSize = neg.maxRead
	resp.MaxWriteSize = neg.maxWrite
	resp.SystemTime = smb2.FiletimeOf(c.cfg.Now())
	resp.SecurityBuffer = c.cfg.Authenticator.InitialToken()
}

// salt is fresh randomness for the preauthentication context.
func (c *Connection) salt() ([]byte, error) {
	b := make([]byte, 32)
	_, err := io.ReadFull(c.cfg.Rand, b)
	return b, err
}

// Dialect is Connection.Dialect.
func (c *Connection) Dialect() smb2.Dialect { return c.neg.dialect }

// ClientGUID is Connection.ClientGuid.
func (c *Connection) ClientGUID() smb2.GUID { return c.neg.clientGUID }

// MaxSizes are Connection.MaxTransactSize, MaxReadSize and MaxWriteSize in bytes.
func (c *Connection) MaxSizes() (transact, read, write uint32) {
	return c.neg.maxTransact, c.neg.maxRead, c.neg.maxWrite
}

// Capabilities are Connection.ServerCapabilities.
func (c *Connection) Capabilities() smb2.Capabilities { return c.neg.capabilities }
