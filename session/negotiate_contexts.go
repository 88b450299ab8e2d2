package session

import (
	"slices"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// negotiateContexts goes through the contexts of a 3.1.1 NEGOTIATE and appends their answers to resp ([MS-SMB2]
// 3.3.5.4). Compression, transport and RDMA are things we do not have, netname and unknown types are nothing to
// answer.
func (c *Connection) negotiateContexts(neg *negotiated, m *smb2.NegotiateRequest, resp *smb2.NegotiateResponse) ntstatus.Status {
	if neg.dialect != smb2.Dialect311 {
		return ntstatus.Success
	}
	for _, step := range []func(*negotiated, *smb2.NegotiateRequest, *smb2.NegotiateResponse) ntstatus.Status{
		c.contextPreauth, c.contextEncryption, c.contextSigning, c.contextCompression,
	} {
		if st := step(neg, m, resp); st != ntstatus.Success {
			return st
		}
	}
	return ntstatus.Success
}

// answer appends a context to the response.
func answer(resp *smb2.NegotiateResponse, body interface{ Context() smb2.NegotiateContext }) {
	resp.NegotiateContexts = append(resp.NegotiateContexts, body.Context())
}

// contextPreauth wants SMB2_PREAUTH_INTEGRITY_CAPABILITIES exactly once, with SHA-512.
func (c *Connection) contextPreauth(_ *negotiated, m *smb2.NegotiateRequest, resp *smb2.NegotiateResponse) ntstatus.Status {
	data, count := smb2.FindNegotiateContext(m.NegotiateContexts, smb2.ContextPreauthIntegrity)
	var caps smb2.PreauthIntegrityCapabilities
	if count != 1 || caps.Decode(data) != nil || len(caps.HashAlgorithms) == 0 {
		return ntstatus.InvalidParameter
	}
	if !slices.Contains(caps.HashAlgorithms, smb2.PreauthSHA512) {
		return ntstatus.SmbNoPreauthIntegrityHashOverlap
	}
	salt, err := c.salt()
	if err != nil {
		c.log.Error("no salt", "error", err)
		return ntstatus.InsufficientResources
	}
	answer(resp, &smb2.PreauthIntegrityCapabilities{
		HashAlgorithms: []uint16{smb2.PreauthSHA512}, Salt: salt,
	})
	return ntstatus.Success
}

// contextEncryption settles Connection.CipherId: the first of ours that the client has. With none in common the answer
// names 0.
func (c *Connection) contextEncryption(neg *negotiated, m *smb2.NegotiateRequest, resp *smb2.NegotiateResponse) ntstatus.Status {
	data, count := smb2.FindNegotiateContext(m.NegotiateContexts, smb2.ContextEncryption)
	if count == 0 {
		return ntstatus.Success
	}
	var caps smb2.EncryptionCapabilities
	if count > 1 || caps.Decode(data) != nil || len(caps.Ciphers) == 0 {
		return ntstatus.InvalidParameter
	}
	if c.cfg.Encryption == EncryptionOff {
		return ntstatus.Success
	}
	for _, cipher := range c.cfg.Ciphers {
		if slices.Contains(caps.Ciphers, uint16(cipher)) {
			neg.cipher = cipher
			break
		}
	}
	answer(resp, &smb2.EncryptionCapabilities{Ciphers: []uint16{uint16(neg.cipher)}})
	return ntstatus.Success
}

// contextSigning settles Connection.SigningAlgorithmId: the first of ours that the client has, else AES-CMAC.
func (c *Connection) contextSigning(neg *negotiated, m *smb2.NegotiateRequest, resp *smb2.NegotiateResponse) ntstatus.Status {
	neg.signing = crypto.SigningAESCMAC
	data, count := smb2.FindNegotiateContext(m.NegotiateContexts, smb2.ContextSigning)
	if count == 0 {
		return ntstatus.Success
	}
	var caps smb2.SigningCapabilities
	if count > 1 || caps.Decode(data) != nil || len(caps.SigningAlgorithms) == 0 {
		return ntstatus.InvalidParameter
	}
	for _, alg := range c.cfg.SigningAlgorithms {
		if slices.Contains(caps.SigningAlgorithms, uint16(alg)) {
			neg.signing = alg
			answer(resp, &smb2.SigningCapabilities{SigningAlgorithms: []uint16{uint16(alg)}})
			break
		}
	}
	return ntstatus.Success
}

// contextCompression only sees that the context is sound: without an answer nothing is compressed.
func (c *Connection) contextCompression(_ *negotiated, m *smb2.NegotiateRequest, _ *smb2.NegotiateResponse) ntstatus.Status {
	data, count := smb2.FindNegotiateContext(m.NegotiateContexts, smb2.ContextCompression)
	if count == 0 {
		return ntstatus.Success
	}
	var caps smb2.CompressionCapabilities
	if count > 1 || caps.Decode(data) != nil || len(caps.CompressionAlgorithms) == 0 {
		return ntstatus.InvalidParameter
	}
	return ntstatus.Success
}
