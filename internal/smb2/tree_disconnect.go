package smb2

// TreeDisconnectRequest is the SMB2 TREE_DISCONNECT request, [MS-SMB2] 2.2.11. It has no fields.
type TreeDisconnectRequest struct{ empty }

// Decode checks the size.
func (m *TreeDisconnectRequest) Decode(msg []byte) error { return fixed(CommandTreeDisconnect, msg, 4) }

// TreeDisconnectResponse is the SMB2 TREE_DISCONNECT response, [MS-SMB2] 2.2.12. It has no fields.
type TreeDisconnectResponse struct{ empty }

// Decode checks the size.
func (m *TreeDisconnectResponse) Decode(msg []byte) error {
	return fixed(CommandTreeDisconnect, msg, 4)
}
