package smb2

// LogoffRequest is the SMB2 LOGOFF request, [MS-SMB2] 2.2.7. It has no fields.
type LogoffRequest struct{ empty }

// Decode checks the size.
func (m *LogoffRequest) Decode(msg []byte) error { return fixed(CommandLogoff, msg, 4) }

// LogoffResponse is the SMB2 LOGOFF response, [MS-SMB2] 2.2.8. It has no fields.
type LogoffResponse struct{ empty }

// Decode checks the size.
func (m *LogoffResponse) Decode(msg []byte) error { return fixed(CommandLogoff, msg, 4) }
