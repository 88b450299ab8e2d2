package smb2

// EchoRequest is the SMB2 ECHO request, [MS-SMB2] 2.2.28. It has no fields.
type EchoRequest struct{ empty }

// Decode checks the size.
func (m *EchoRequest) Decode(msg []byte) error { return fixed(CommandEcho, msg, 4) }

// EchoResponse is the SMB2 ECHO response, [MS-SMB2] 2.2.29. It has no fields.
type EchoResponse struct{ empty }

// Decode checks the size.
func (m *EchoResponse) Decode(msg []byte) error { return fixed(CommandEcho, msg, 4) }
