package smb2

// FlushRequest is the SMB2 FLUSH request, [MS-SMB2] 2.2.17.
type FlushRequest struct {
	Reserved1 uint16 // Samba: smbd leaves it, macOS sets 0xFFFF for a full sync (F_FULLFSYNC)
	FileID    FileID
}

// Decode reads the whole message.
func (m *FlushRequest) Decode(msg []byte) error {
	if err := fixed(CommandFlush, msg, 24); err != nil {
		return err
	}
	m.Reserved1 = le.Uint16(msg[HeaderSize+2:])
	m.FileID = fileIDAt(msg, HeaderSize+8)
	return nil
}

// Append appends the body.
func (m *FlushRequest) Append(dst []byte) []byte {
	dst, b := grow(dst, 24)
	le.PutUint16(b, 24)
	le.PutUint16(b[2:], m.Reserved1)
	SetRawFileID(b, 8, m.FileID)
	return dst
}

// FlushResponse is the SMB2 FLUSH response, [MS-SMB2] 2.2.18. It has no fields.
type FlushResponse struct{ empty }

// Decode checks the size.
func (m *FlushResponse) Decode(msg []byte) error { return fixed(CommandFlush, msg, 4) }
