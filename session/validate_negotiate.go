package session

import "smbproxy/internal/smb2"

// ValidateNegotiate compares what a client says it has offered with what arrived, and gives the answer to
// FSCTL_VALIDATE_NEGOTIATE_INFO ([MS-SMB2] 3.3.5.15.12). False: somebody has changed the NEGOTIATE on its way, and the
// connection must end without an answer.
func (c *Connection) ValidateNegotiate(in *smb2.ValidateNegotiateInfoRequest) (*smb2.ValidateNegotiateInfoResponse, bool) {
	n := &c.neg
	if c.cfg.chooseDialect(in.Dialects) != n.dialect || in.GUID != n.clientGUID ||
		in.SecurityMode != n.clientSecurityMode || in.Capabilities != n.clientCapabilities {
		return nil, false
	}
	return &smb2.ValidateNegotiateInfoResponse{
		Capabilities: n.capabilities, GUID: c.cfg.ServerGUID, SecurityMode: n.securityMode, Dialect: n.dialect,
	}, true
}
