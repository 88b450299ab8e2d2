package demux

import (
	"errors"
	"slices"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// errValidateNegotiate ends the connection: somebody on the way has changed NEGOTIATE.
var errValidateNegotiate = errors.New("NEGOTIATE was not what the client says it was")

// validateNegotiateInfo serves FSCTL_VALIDATE_NEGOTIATE_INFO ([MS-SMB2] 3.3.5.15.12): the client
// says, signed, what it has sent in NEGOTIATE, and is told what it was answered.
func validateNegotiateInfo(_ *Demux, r *session.Request, _ *open, m *smb2.IoctlRequest) {
	var in smb2.ValidateNegotiateInfoRequest
	if err := in.Decode(m.Input); err != nil {
		r.FailErr(err)
		return
	}
	client, server := r.Connection.Negotiated()
	if !sameNegotiation(&in, &client, &server) {
		r.Disconnect(errValidateNegotiate)
		return
	}
	out := smb2.ValidateNegotiateInfoResponse{
		Capabilities: server.Capabilities, GUID: server.GUID, SecurityMode: server.SecurityMode, Dialect: server.Dialects[0],
	}
	replyFsctl(r, m, out.Append(nil))
}

// sameNegotiation compares what the client says with what we got. Whoever began with SMB1 has
// offered his dialects as names, of which only the chosen one is known.
func sameNegotiation(in *smb2.ValidateNegotiateInfoRequest, client, server *session.NegotiateInfo) bool {
	dialects := slices.Equal(in.Dialects, client.Dialects)
	if len(client.Dialects) == 0 {
		dialects = slices.Contains(in.Dialects, server.Dialects[0])
	}
	return dialects && in.Capabilities == client.Capabilities && in.GUID == client.GUID && in.SecurityMode == client.SecurityMode
}

// replyFsctl ends an IOCTL that is answered here.
func replyFsctl(r *session.Request, m *smb2.IoctlRequest, output []byte) {
	if uint64(len(output)) > uint64(m.MaxOutputResponse) {
		r.Fail(ntstatus.InvalidParameter) // [MS-SMB2] 3.3.5.15.12; Samba: the same for any (4.17)
		return
	}
	r.Reply(ntstatus.Success, &smb2.IoctlResponse{CtlCode: m.CtlCode, FileID: m.FileID, Output: output})
}
