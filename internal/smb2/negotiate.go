package smb2

// NegotiateRequest is the SMB2 NEGOTIATE request, [MS-SMB2] 2.2.3.
type NegotiateRequest struct {
	SecurityMode      SecurityMode
	Capabilities      Capabilities
	ClientGUID        GUID
	ClientStartTime   uint64 // not with Dialect311
	Dialects          []Dialect
	NegotiateContexts []NegotiateContext // only with Dialect311
}

// has311 says whether the contexts are there.
func (m *NegotiateRequest) has311() bool {
	for _, d := range m.Dialects {
		if d == Dialect311 {
			return true
		}
	}
	return false
}

// Decode reads the whole message. A DialectCount of zero decodes: what to answer is
// the server's to decide.
func (m *NegotiateRequest) Decode(msg []byte) (err error) {
	if err = fixed(CommandNegotiate, msg, 36); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	n := int(le.Uint16(b[2:]))
	if n*2 > len(b)-36 {
		return &DecodeError{Command: CommandNegotiate, Field: "DialectCount", Offset: HeaderSize + 2, Reason: reasonCount}
	}
	m.SecurityMode = SecurityMode(le.Uint16(b[4:]))
	m.Capabilities = Capabilities(le.Uint32(b[8:]))
	copy(m.ClientGUID[:], b[12:])
	m.ClientStartTime = 0
	m.Dialects = m.Dialects[:0]
	for i := range n {
		m.Dialects = append(m.Dialects, Dialect(le.Uint16(b[36+2*i:])))
	}
	m.NegotiateContexts = m.NegotiateContexts[:0]
	if !m.has311() {
		m.ClientStartTime = le.Uint64(b[28:])
		return nil
	}
	m.NegotiateContexts, err = decodeNegotiateContexts(m.NegotiateContexts, msg, le.Uint32(b[28:]), le.Uint16(b[32:]), HeaderSize+36+2*n)
	return err
}

// Append appends the body.
func (m *NegotiateRequest) Append(dst []byte) []byte {
	start := len(dst)
	dst, b := grow(dst, 36)
	le.PutUint16(b, 36)
	le.PutUint16(b[2:], uint16(len(m.Dialects)))
	le.PutUint16(b[4:], uint16(m.SecurityMode))
	le.PutUint32(b[8:], uint32(m.Capabilities))
	copy(b[12:], m.ClientGUID[:])
	for _, d := range m.Dialects {
		dst = le.AppendUint16(dst, uint16(d))
	}
	if !m.has311() {
		le.PutUint64(dst[start+28:], m.ClientStartTime)
		return dst
	}
	if len(m.NegotiateContexts) != 0 {
		dst = pad8(dst, start)
		le.PutUint32(dst[start+28:], uint32(HeaderSize+len(dst)-start))
		le.PutUint16(dst[start+32:], uint16(len(m.NegotiateContexts)))
		dst = appendNegotiateContexts(dst, m.NegotiateContexts)
	}
	return dst
}

// NegotiateResponse is the SMB2 NEGOTIATE response, [MS-SMB2] 2.2.4.
type NegotiateResponse struct {
	SecurityMode      SecurityMode
	DialectRevision   Dialect
	ServerGUID        GUID
	Capabilities      Capabilities
	MaxTransactSize   uint32
	MaxReadSize       uint32
	MaxWriteSize      uint32
	SystemTime        Filetime
	ServerStartTime   Filetime
	SecurityBuffer    []byte             // a GSS token
	NegotiateContexts []NegotiateContext // only with Dialect311
}

// Decode reads the whole message.
func (m *NegotiateResponse) Decode(msg []byte) (err error) {
	if err = fixed(CommandNegotiate, msg, 65); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.SecurityMode = SecurityMode(le.Uint16(b[2:]))
	m.DialectRevision = Dialect(le.Uint16(b[4:]))
	copy(m.ServerGUID[:], b[8:])
	m.Capabilities = Capabilities(le.Uint32(b[24:]))
	m.MaxTransactSize = le.Uint32(b[28:])
	m.MaxReadSize = le.Uint32(b[32:])
	m.MaxWriteSize = le.Uint32(b[36:])
	m.SystemTime = Filetime(le.Uint64(b[40:]))
	m.ServerStartTime = Filetime(le.Uint64(b[48:]))
	m.SecurityBuffer, err = buffer(CommandNegotiate, "SecurityBuffer", msg, uint32(le.Uint16(b[56:])), uint32(le.Uint16(b[58:])), 128)
	if err != nil {
		return err
	}
	m.NegotiateContexts = m.NegotiateContexts[:0]
	if m.DialectRevision == Dialect311 {
		m.NegotiateContexts, err = decodeNegotiateContexts(m.NegotiateContexts, msg, le.Uint32(b[60:]), le.Uint16(b[6:]), 128)
	}
	return err
}

// Append appends the body.
func (m *NegotiateResponse) Append(dst []byte) []byte {
	start := len(dst)
	dst, b := grow(dst, 64)
	le.PutUint16(b, 65)
	le.PutUint16(b[2:], uint16(m.SecurityMode))
	le.PutUint16(b[4:], uint16(m.DialectRevision))
	copy(b[8:], m.ServerGUID[:])
	le.PutUint32(b[24:], uint32(m.Capabilities))
	le.PutUint32(b[28:], m.MaxTransactSize)
	le.PutUint32(b[32:], m.MaxReadSize)
	le.PutUint32(b[36:], m.MaxWriteSize)
	le.PutUint64(b[40:], uint64(m.SystemTime))
	le.PutUint64(b[48:], uint64(m.ServerStartTime))
	le.PutUint16(b[56:], 128)
	le.PutUint16(b[58:], uint16(len(m.SecurityBuffer)))
	dst = append(dst, m.SecurityBuffer...)
	if m.DialectRevision == Dialect311 && len(m.NegotiateContexts) != 0 {
		dst = pad8(dst, start)
		le.PutUint16(dst[start+6:], uint16(len(m.NegotiateContexts)))
		le.PutUint32(dst[start+60:], uint32(HeaderSize+len(dst)-start))
		dst = appendNegotiateContexts(dst, m.NegotiateContexts)
	}
	return dst
}
