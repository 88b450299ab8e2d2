package demux

import (
	"errors"

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
	out, ok := r.Connection.ValidateNegotiate(&in)
	if !ok {
		r.Disconnect(errValidateNegotiate)
		return
	}
	replyFsctl(r, m, out.Append(nil))
}

// replyFsctl ends an IOCTL that is answered here.
func replyFsctl(r *session.Request, m *smb2.IoctlRequest, output []byte) {
	if uint64(len(output)) > uint64(m.MaxOutputResponse) {
		r.Fail(ntstatus.InvalidParameter) // [MS-SMB2] 3.3.5.15.12; Samba: the same for any (4.17)
		return
	}
	r.Reply(ntstatus.Success, &smb2.IoctlResponse{CtlCode: m.CtlCode, FileID: m.FileID, Output: output})
}
