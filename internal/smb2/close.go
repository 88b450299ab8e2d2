package smb2

// CloseRequest is the SMB2 CLOSE request, [MS-SMB2] 2.2.15.
type CloseRequest struct {
	Flags  uint16 // CloseFlagPostqueryAttrib
	FileID FileID
}

// Decode reads the whole message.
func (m *CloseRequest) Decode(msg []byte) error {
	if err := fixed(CommandClose, msg, 24); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.Flags = le.Uint16(b[2:])
	m.FileID = fileIDAt(b, 8)
	return nil
}

// Append appends the body.
func (m *CloseRequest) Append(dst []byte) []byte {
	dst, b := grow(dst, 24)
	le.PutUint16(b, 24)
	le.PutUint16(b[2:], m.Flags)
	SetRawFileID(b, 8, m.FileID)
	return dst
}

// CloseResponse is the SMB2 CLOSE response, [MS-SMB2] 2.2.16. All but Flags is zero
// unless Flags has CloseFlagPostqueryAttrib.
type CloseResponse struct {
	Flags          uint16
	CreationTime   Filetime
	LastAccessTime Filetime
	LastWriteTime  Filetime
	ChangeTime     Filetime
	AllocationSize uint64
	EndofFile      uint64
	FileAttributes FileAttributes
}

// Decode reads the whole message.
func (m *CloseResponse) Decode(msg []byte) error {
	if err := fixed(CommandClose, msg, 60); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.Flags = le.Uint16(b[2:])
	m.CreationTime = Filetime(le.Uint64(b[8:]))
	m.LastAccessTime = Filetime(le.Uint64(b[16:]))
	m.LastWriteTime = Filetime(le.Uint64(b[24:]))
	m.ChangeTime = Filetime(le.Uint64(b[32:]))
	m.AllocationSize = le.Uint64(b[40:])
	m.EndofFile = le.Uint64(b[48:])
	m.FileAttributes = FileAttributes(le.Uint32(b[56:]))
	return nil
}

// Append appends the body.
func (m *CloseResponse) Append(dst []byte) []byte {
	dst, b := grow(dst, 60)
	le.PutUint16(b, 60)
	le.PutUint16(b[2:], m.Flags)
	le.PutUint64(b[8:], uint64(m.CreationTime))
	le.PutUint64(b[16:], uint64(m.LastAccessTime))
	le.PutUint64(b[24:], uint64(m.LastWriteTime))
	le.PutUint64(b[32:], uint64(m.ChangeTime))
	le.PutUint64(b[40:], m.AllocationSize)
	le.PutUint64(b[48:], m.EndofFile)
	le.PutUint32(b[56:], uint32(m.FileAttributes))
	return dst
}
