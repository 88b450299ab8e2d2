package smb2

// QueryInfoRequest is the SMB2 QUERY_INFO request, [MS-SMB2] 2.2.37.
type QueryInfoRequest struct {
	InfoType              InfoType
	FileInfoClass         InfoClass
	OutputBufferLength    uint32
	AdditionalInformation uint32 // SecurityInformation, or the index of an EA
	Flags                 uint32 // QueryInfo constants
	FileID                FileID
	InputBuffer           []byte // an EA list or a quota query
}

// Decode reads the whole message. It does not allocate.
func (m *QueryInfoRequest) Decode(msg []byte) (err error) {
	if err = fixed(CommandQueryInfo, msg, 41); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.InfoType = InfoType(b[2])
	m.FileInfoClass = InfoClass(b[3])
	m.OutputBufferLength = le.Uint32(b[4:])
	m.AdditionalInformation = le.Uint32(b[16:])
	m.Flags = le.Uint32(b[20:])
	m.FileID = fileIDAt(b, 24)
	m.InputBuffer, err = buffer(CommandQueryInfo, "InputBuffer", msg, uint32(le.Uint16(b[8:])), le.Uint32(b[12:]), 104)
	return err
}

// Append appends the body. Without an input buffer its offset is the one Windows
// writes too, and no byte follows.
func (m *QueryInfoRequest) Append(dst []byte) []byte {
	dst, b := grow(dst, 40)
	le.PutUint16(b, 41)
	b[2] = uint8(m.InfoType)
	b[3] = uint8(m.FileInfoClass)
	le.PutUint32(b[4:], m.OutputBufferLength)
	le.PutUint16(b[8:], 104)
	le.PutUint32(b[12:], uint32(len(m.InputBuffer)))
	le.PutUint32(b[16:], m.AdditionalInformation)
	le.PutUint32(b[20:], m.Flags)
	SetRawFileID(b, 24, m.FileID)
	return append(dst, m.InputBuffer...)
}

// QueryInfoResponse is the SMB2 QUERY_INFO response, [MS-SMB2] 2.2.38.
type QueryInfoResponse struct {
	OutputBuffer []byte
}

// Decode reads the whole message. It does not allocate.
func (m *QueryInfoResponse) Decode(msg []byte) (err error) {
	m.OutputBuffer, err = decodeOutput(CommandQueryInfo, msg)
	return err
}

// Append appends the body.
func (m *QueryInfoResponse) Append(dst []byte) []byte { return appendOutput(dst, m.OutputBuffer) }
