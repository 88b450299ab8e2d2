package smb2

// CancelRequest is the SMB2 CANCEL request, [MS-SMB2] 2.2.30. It has no fields.
type CancelRequest struct{ empty }

// Decode checks the size.
func (m *CancelRequest) Decode(msg []byte) error { return fixed(CommandCancel, msg, 4) }
