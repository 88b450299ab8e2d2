package smb2

// WriteRequestDataOffset is where the data of a WRITE request stands in our
// encoding, from the header on.
const WriteRequestDataOffset = HeaderSize + 48

// WriteRequest is the SMB2 WRITE request, [MS-SMB2] 2.2.21. Its Length field is the
// length of Data.
type WriteRequest struct {
	Offset           uint64
	FileID           FileID
	Channel          uint32 // Channel constants
	RemainingBytes   uint32
	Flags            uint32 // WriteFlag constants
	Data             []byte
	WriteChannelInfo []byte
}

// Decode reads the whole message. It does not allocate.
func (m *WriteRequest) Decode(msg []byte) (err error) {
	if err = fixed(CommandWrite, msg, 49); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.Offset = le.Uint64(b[8:])
	m.FileID = fileIDAt(b, 16)
	m.Channel = le.Uint32(b[32:])
	m.RemainingBytes = le.Uint32(b[36:])
	m.Flags = le.Uint32(b[44:])
	m.WriteChannelInfo, err = buffer(CommandWrite, "WriteChannelInfo", msg, uint32(le.Uint16(b[40:])), uint32(le.Uint16(b[42:])), WriteRequestDataOffset)
	if err != nil {
		return err
	}
	m.Data, err = buffer(CommandWrite, "Data", msg, uint32(le.Uint16(b[2:])), le.Uint32(b[4:]), WriteRequestDataOffset)
	return err
}

// Append appends the body: the data first, the channel information behind it, as the
// offset of the data has 16 bits.
func (m *WriteRequest) Append(dst []byte) []byte {
	start := len(dst)
	dst = m.AppendFixed(dst, len(m.Data))
	dst = append(dst, m.Data...)
	if len(m.WriteChannelInfo) == 0 {
		return dst
	}
	at := len(dst) - start + HeaderSize
	if len(m.Data) == 0 || at > 0xFFFF {
		// Only one of the two is ever in use ([MS-SMB2] 3.2.4.7): no room for both.
		at = WriteRequestDataOffset
		dst = dst[:start+48]
		le.PutUint32(dst[start+4:], 0)
	}
	le.PutUint16(dst[start+40:], uint16(at))
	le.PutUint16(dst[start+42:], uint16(len(m.WriteChannelInfo)))
	return append(dst, m.WriteChannelInfo...)
}

// AppendFixed appends the 48 bytes before the data, for n bytes of data that the
// caller puts behind them. m.Data and m.WriteChannelInfo are not looked at.
func (m *WriteRequest) AppendFixed(dst []byte, n int) []byte {
	dst, b := grow(dst, 48)
	le.PutUint16(b, 49)
	le.PutUint16(b[2:], WriteRequestDataOffset)
	le.PutUint32(b[4:], uint32(n))
	le.PutUint64(b[8:], m.Offset)
	SetRawFileID(b, 16, m.FileID)
	le.PutUint32(b[32:], m.Channel)
	le.PutUint32(b[36:], m.RemainingBytes)
	le.PutUint32(b[44:], m.Flags)
	return dst
}

// WriteResponse is the SMB2 WRITE response, [MS-SMB2] 2.2.22. The rest of its fields
// is unused and zero.
type WriteResponse struct {
	Count uint32
}

// Decode reads the whole message.
func (m *WriteResponse) Decode(msg []byte) error {
	if err := fixed(CommandWrite, msg, 17); err != nil {
		return err
	}
	m.Count = le.Uint32(msg[HeaderSize+4:])
	return nil
}

// Append appends the body.
func (m *WriteResponse) Append(dst []byte) []byte {
	dst, b := grow(dst, 16)
	le.PutUint16(b, 17)
	le.PutUint32(b[4:], m.Count)
	return dst
}
