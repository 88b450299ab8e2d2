package smb2

// ReadResponseDataOffset is where the data of a READ response stands in our
// encoding, from the header on: it can be read there from a file or a socket in place.
const ReadResponseDataOffset = HeaderSize + 16

// ReadRequest is the SMB2 READ request, [MS-SMB2] 2.2.19.
type ReadRequest struct {
	Padding         uint8 // requested DataOffset of the response
	Flags           uint8 // ReadFlag constants
	Length          uint32
	Offset          uint64
	FileID          FileID
	MinimumCount    uint32
	Channel         uint32 // Channel constants
	RemainingBytes  uint32
	ReadChannelInfo []byte
}

// Decode reads the whole message. It does not allocate.
func (m *ReadRequest) Decode(msg []byte) (err error) {
	if err = fixed(CommandRead, msg, 49); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.Padding = b[2]
	m.Flags = b[3]
	m.Length = le.Uint32(b[4:])
	m.Offset = le.Uint64(b[8:])
	m.FileID = fileIDAt(b, 16)
	m.MinimumCount = le.Uint32(b[32:])
	m.Channel = le.Uint32(b[36:])
	m.RemainingBytes = le.Uint32(b[40:])
	m.ReadChannelInfo, err = buffer(CommandRead, "ReadChannelInfo", msg, uint32(le.Uint16(b[44:])), uint32(le.Uint16(b[46:])), 112)
	return err
}

// Append appends the body, with the one byte of an empty buffer that Windows sends.
func (m *ReadRequest) Append(dst []byte) []byte {
	dst, b := grow(dst, 48)
	le.PutUint16(b, 49)
	b[2] = m.Padding
	b[3] = m.Flags
	le.PutUint32(b[4:], m.Length)
	le.PutUint64(b[8:], m.Offset)
	SetRawFileID(b, 16, m.FileID)
	le.PutUint32(b[32:], m.MinimumCount)
	le.PutUint32(b[36:], m.Channel)
	le.PutUint32(b[40:], m.RemainingBytes)
	if len(m.ReadChannelInfo) == 0 {
		return append(dst, 0)
	}
	le.PutUint16(b[44:], 112)
	le.PutUint16(b[46:], uint16(len(m.ReadChannelInfo)))
	return append(dst, m.ReadChannelInfo...)
}

// ReadResponse is the SMB2 READ response, [MS-SMB2] 2.2.20.
type ReadResponse struct {
	Data          []byte
	DataRemaining uint32
	Flags         uint32 // 3.1.1: 1 says that Data is an RDMA transform
}

// Decode reads the whole message. It does not allocate.
func (m *ReadResponse) Decode(msg []byte) (err error) {
	if err = fixed(CommandRead, msg, 17); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.DataRemaining = le.Uint32(b[8:])
	m.Flags = le.Uint32(b[12:])
	m.Data, err = buffer(CommandRead, "Data", msg, uint32(b[2]), le.Uint32(b[4:]), ReadResponseDataOffset)
	return err
}

// Append appends the body.
func (m *ReadResponse) Append(dst []byte) []byte {
	return append(m.AppendFixed(dst, len(m.Data)), m.Data...)
}

// AppendFixed appends the 16 bytes before the data, for n bytes of data that the
// caller puts behind them. m.Data is not looked at.
func (m *ReadResponse) AppendFixed(dst []byte, n int) []byte {
	dst, b := grow(dst, 16)
	le.PutUint16(b, 17)
	b[2] = ReadResponseDataOffset
	le.PutUint32(b[4:], uint32(n))
	le.PutUint32(b[8:], m.DataRemaining)
	le.PutUint32(b[12:], m.Flags)
	return dst
}
