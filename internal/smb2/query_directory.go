package smb2

// QueryDirectoryRequest is the SMB2 QUERY_DIRECTORY request, [MS-SMB2] 2.2.33.
type QueryDirectoryRequest struct {
	FileInformationClass InfoClass
	Flags                uint8 // QueryDirectory constants
	FileIndex            uint32
	FileID               FileID
	FileName             string // the search pattern
	OutputBufferLength   uint32
}

// Decode reads the whole message.
func (m *QueryDirectoryRequest) Decode(msg []byte) (err error) {
	if err = fixed(CommandQueryDirectory, msg, 33); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.FileInformationClass = InfoClass(b[2])
	m.Flags = b[3]
	m.FileIndex = le.Uint32(b[4:])
	m.FileID = fileIDAt(b, 8)
	m.OutputBufferLength = le.Uint32(b[28:])
	m.FileName, err = text(CommandQueryDirectory, "FileName", msg, uint32(le.Uint16(b[24:])), uint32(le.Uint16(b[26:])), 96)
	return err
}

// Append appends the body.
func (m *QueryDirectoryRequest) Append(dst []byte) []byte {
	start := len(dst)
	dst, b := grow(dst, 32)
	le.PutUint16(b, 33)
	b[2] = uint8(m.FileInformationClass)
	b[3] = m.Flags
	le.PutUint32(b[4:], m.FileIndex)
	SetRawFileID(b, 8, m.FileID)
	le.PutUint16(b[24:], 96)
	le.PutUint32(b[28:], m.OutputBufferLength)
	dst = AppendUTF16(dst, m.FileName)
	le.PutUint16(dst[start+26:], uint16(len(dst)-start-32))
	if m.FileName == "" {
		dst = append(dst, 0)
	}
	return dst
}

// QueryDirectoryResponse is the SMB2 QUERY_DIRECTORY response, [MS-SMB2] 2.2.34. Its
// buffer is a list of entries of the class asked for (DecodeDirectory).
type QueryDirectoryResponse struct {
	OutputBuffer []byte
}

// Decode reads the whole message.
func (m *QueryDirectoryResponse) Decode(msg []byte) (err error) {
	m.OutputBuffer, err = decodeOutput(CommandQueryDirectory, msg)
	return err
}

// Append appends the body.
func (m *QueryDirectoryResponse) Append(dst []byte) []byte { return appendOutput(dst, m.OutputBuffer) }
