package session

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// TreeDisconnect serves TREE_DISCONNECT ([MS-SMB2] 3.3.5.8): requests on the tree are cancelled, its opens closed by
// Upper.
func TreeDisconnect(r *Request) {
	var m smb2.TreeDisconnectRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	r.Session.CloseTree(r.Tree)
	r.Reply(ntstatus.Success, &smb2.TreeDisconnectResponse{})
}
