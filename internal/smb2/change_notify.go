package smb2

// ChangeNotifyRequest is the SMB2 CHANGE_NOTIFY request, [MS-SMB2] 2.2.35.
type ChangeNotifyRequest struct {
	Flags              uint16 // ChangeNotifyWatchTree
	OutputBufferLength uint32
	FileID             FileID
	CompletionFilter   CompletionFilter
}

// Decode reads the whole message.
func (m *ChangeNotifyRequest) Decode(msg []byte) error {
	if err := fixed(CommandChangeNotify, msg, 32); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.Flags = le.Uint16(b[2:])
	m.OutputBufferLength = le.Uint32(b[4:])
	m.FileID = fileIDAt(b, 8)
	m.CompletionFilter = CompletionFilter(le.Uint32(b[24:]))
	return nil
}

// Append appends the body.
func (m *ChangeNotifyRequest) Append(dst []byte) []byte {
	dst, b := grow(dst, 32)
	le.PutUint16(b, 32)
	le.PutUint16(b[2:], m.Flags)
	le.PutUint32(b[4:], m.OutputBufferLength)
	SetRawFileID(b, 8, m.FileID)
	le.PutUint32(b[24:], uint32(m.CompletionFilter))
	return dst
}

// ChangeNotifyResponse is the SMB2 CHANGE_NOTIFY response, [MS-SMB2] 2.2.36. Its
// buffer is a list for DecodeNotifyInformation.
type ChangeNotifyResponse struct {
	OutputBuffer []byte
}

// Decode reads the whole message.
func (m *ChangeNotifyResponse) Decode(msg []byte) (err error) {
	m.OutputBuffer, err = decodeOutput(CommandChangeNotify, msg)
	return err
}

// Append appends the body.
func (m *ChangeNotifyResponse) Append(dst []byte) []byte { return appendOutput(dst, m.OutputBuffer) }
