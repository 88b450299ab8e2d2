package smb2

// SessionSetupRequest is the SMB2 SESSION_SETUP request, [MS-SMB2] 2.2.5.
type SessionSetupRequest struct {
	Flags             uint8 // SessionSetupFlagBinding
	SecurityMode      uint8 // the low byte of a SecurityMode
	Capabilities      Capabilities
	Channel           uint32
	PreviousSessionID uint64
	SecurityBuffer    []byte // a GSS token
}

// Decode reads the whole message.
func (m *SessionSetupRequest) Decode(msg []byte) (err error) {
	if err = fixed(CommandSessionSetup, msg, 25); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.Flags = b[2]
	m.SecurityMode = b[3]
	m.Capabilities = Capabilities(le.Uint32(b[4:]))
	m.Channel = le.Uint32(b[8:])
	m.PreviousSessionID = le.Uint64(b[16:])
	m.SecurityBuffer, err = buffer(CommandSessionSetup, "SecurityBuffer", msg, uint32(le.Uint16(b[12:])), uint32(le.Uint16(b[14:])), 88)
	return err
}

// Append appends the body.
func (m *SessionSetupRequest) Append(dst []byte) []byte {
	dst, b := grow(dst, 24)
	le.PutUint16(b, 25)
	b[2] = m.Flags
	b[3] = m.SecurityMode
	le.PutUint32(b[4:], uint32(m.Capabilities))
	le.PutUint32(b[8:], m.Channel)
	le.PutUint16(b[12:], 88)
	le.PutUint16(b[14:], uint16(len(m.SecurityBuffer)))
	le.PutUint64(b[16:], m.PreviousSessionID)
	return append(dst, m.SecurityBuffer...)
}

// SessionSetupResponse is the SMB2 SESSION_SETUP response, [MS-SMB2] 2.2.6.
type SessionSetupResponse struct {
	SessionFlags   SessionFlags
	SecurityBuffer []byte // a GSS token
}

// Decode reads the whole message.
func (m *SessionSetupResponse) Decode(msg []byte) (err error) {
	if err = fixed(CommandSessionSetup, msg, 9); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.SessionFlags = SessionFlags(le.Uint16(b[2:]))
	m.SecurityBuffer, err = buffer(CommandSessionSetup, "SecurityBuffer", msg, uint32(le.Uint16(b[4:])), uint32(le.Uint16(b[6:])), 72)
	return err
}

// Append appends the body.
func (m *SessionSetupResponse) Append(dst []byte) []byte {
	dst, b := grow(dst, 8)
	le.PutUint16(b, 9)
	le.PutUint16(b[2:], uint16(m.SessionFlags))
	le.PutUint16(b[4:], 72)
	le.PutUint16(b[6:], uint16(len(m.SecurityBuffer)))
	return append(dst, m.SecurityBuffer...)
}
