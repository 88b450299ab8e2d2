package session

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Logoff serves LOGOFF ([MS-SMB2] 3.3.5.6): the session ends on all its connections. The reply is still signed with
// its keys.
func Logoff(r *Request) {
	var m smb2.LogoffRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	r.Connection.log.Debug("logoff", "session", r.Session.ID)
	r.Connection.server.closeSession(r.Session)
	r.Reply(ntstatus.Success, &smb2.LogoffResponse{})
}
