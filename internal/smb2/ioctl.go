package smb2

// IoctlRequest is the SMB2 IOCTL request, [MS-SMB2] 2.2.31.
type IoctlRequest struct {
	CtlCode           FsctlCode
	FileID            FileID
	MaxInputResponse  uint32
	MaxOutputResponse uint32
	Flags             uint32 // IoctlIsFsctl
	Input             []byte
	Output            []byte // not used by any FSCTL of [MS-SMB2]
}

// Decode reads the whole message.
func (m *IoctlRequest) Decode(msg []byte) (err error) {
	if err = fixed(CommandIoctl, msg, 57); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.CtlCode = FsctlCode(le.Uint32(b[4:]))
	m.FileID = fileIDAt(b, 8)
	m.MaxInputResponse = le.Uint32(b[32:])
	m.MaxOutputResponse = le.Uint32(b[44:])
	m.Flags = le.Uint32(b[48:])
	if m.Input, err = buffer(CommandIoctl, "Input", msg, le.Uint32(b[24:]), le.Uint32(b[28:]), 120); err != nil {
		return err
	}
	m.Output, err = buffer(CommandIoctl, "Output", msg, le.Uint32(b[36:]), le.Uint32(b[40:]), 120)
	return err
}

// Append appends the body. Offsets of what is empty are set too, as Windows does.
func (m *IoctlRequest) Append(dst []byte) []byte {
	start := len(dst)
	dst, b := grow(dst, 56)
	le.PutUint16(b, 57)
	le.PutUint32(b[4:], uint32(m.CtlCode))
	SetRawFileID(b, 8, m.FileID)
	le.PutUint32(b[24:], 120)
	le.PutUint32(b[28:], uint32(len(m.Input)))
	le.PutUint32(b[32:], m.MaxInputResponse)
	le.PutUint32(b[36:], 120)
	le.PutUint32(b[40:], uint32(len(m.Output)))
	le.PutUint32(b[44:], m.MaxOutputResponse)
	le.PutUint32(b[48:], m.Flags)
	dst = append(dst, m.Input...)
	if len(m.Output) != 0 {
		dst = pad8(dst, start)
		le.PutUint32(dst[start+36:], uint32(HeaderSize+len(dst)-start))
		dst = append(dst, m.Output...)
	}
	return dst
}

// IoctlResponse is the SMB2 IOCTL response, [MS-SMB2] 2.2.32.
type IoctlResponse struct {
	CtlCode FsctlCode
	FileID  FileID
	Flags   uint32
	Input   []byte // the input handed back, where a server does that
	Output  []byte
}

// Decode reads the whole message.
func (m *IoctlResponse) Decode(msg []byte) (err error) {
	if err = fixed(CommandIoctl, msg, 49); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.CtlCode = FsctlCode(le.Uint32(b[4:]))
	m.FileID = fileIDAt(b, 8)
	m.Flags = le.Uint32(b[40:])
	if m.Input, err = buffer(CommandIoctl, "Input", msg, le.Uint32(b[24:]), le.Uint32(b[28:]), 112); err != nil {
		return err
	}
	m.Output, err = buffer(CommandIoctl, "Output", msg, le.Uint32(b[32:]), le.Uint32(b[36:]), 112)
	return err
}

// Append appends the body: input, if any, then output, 8-byte aligned.
func (m *IoctlResponse) Append(dst []byte) []byte {
	start := len(dst)
	dst, b := grow(dst, 48)
	le.PutUint16(b, 49)
	le.PutUint32(b[4:], uint32(m.CtlCode))
	SetRawFileID(b, 8, m.FileID)
	le.PutUint32(b[24:], 112)
	le.PutUint32(b[28:], uint32(len(m.Input)))
	le.PutUint32(b[36:], uint32(len(m.Output)))
	le.PutUint32(b[40:], m.Flags)
	dst = append(dst, m.Input...)
	if len(m.Output) != 0 {
		dst = pad8(dst, start)
	}
	le.PutUint32(dst[start+32:], uint32(HeaderSize+len(dst)-start))
	return append(dst, m.Output...)
}
