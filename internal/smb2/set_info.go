package smb2

// SetInfoRequest is the SMB2 SET_INFO request, [MS-SMB2] 2.2.39.
type SetInfoRequest struct {
	InfoType              InfoType
	FileInfoClass         InfoClass
	AdditionalInformation uint32 // SecurityInformation
	FileID                FileID
	Buffer                []byte
}

// Decode reads the whole message.
func (m *SetInfoRequest) Decode(msg []byte) (err error) {
	if err = fixed(CommandSetInfo, msg, 33); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.InfoType = InfoType(b[2])
	m.FileInfoClass = InfoClass(b[3])
	m.AdditionalInformation = le.Uint32(b[12:])
	m.FileID = fileIDAt(b, 16)
	m.Buffer, err = buffer(CommandSetInfo, "Buffer", msg, uint32(le.Uint16(b[8:])), le.Uint32(b[4:]), 96)
	return err
}

// Append appends the body.
func (m *SetInfoRequest) Append(dst []byte) []byte {
	dst, b := grow(dst, 32)
	le.PutUint16(b, 33)
	b[2] = uint8(m.InfoType)
	b[3] = uint8(m.FileInfoClass)
	le.PutUint32(b[4:], uint32(len(m.Buffer)))
	le.PutUint16(b[8:], 96)
	le.PutUint32(b[12:], m.AdditionalInformation)
	SetRawFileID(b, 16, m.FileID)
	return append(dst, m.Buffer...)
}

// SetInfoResponse is the SMB2 SET_INFO response, [MS-SMB2] 2.2.40: StructureSize and
// nothing else.
type SetInfoResponse struct{}

// Decode checks the size.
func (m *SetInfoResponse) Decode(msg []byte) error { return fixed(CommandSetInfo, msg, 2) }

// Append appends the two bytes.
func (m *SetInfoResponse) Append(dst []byte) []byte { return append(dst, 2, 0) }
