package smb2

import "bytes"

// Dialect strings by which a client of SMB1's NEGOTIATE says that it speaks SMB2
// ([MS-SMB2] 2.2.3, 3.3.5.3).
const (
	SMB1Dialect202      = "SMB 2.002"
	SMB1DialectWildcard = "SMB 2.???"
)

// smb1HeaderSize is the length of an SMB1 header and smb1Negotiate its command code
// ([MS-CIFS] 2.2.3.1, 2.2.4.52).
const (
	smb1HeaderSize = 32
	smb1Negotiate  = 0x72
)

// SMB1NegotiateRequest is the SMB_COM_NEGOTIATE with which a multi-protocol client
// begins ([MS-CIFS] 2.2.4.52.1). It is the only SMB1 message that is decoded.
type SMB1NegotiateRequest struct {
	Header   [smb1HeaderSize]byte // for AppendRefusal; zero: Append writes one like smbclient's
	Dialects []string
}

// Decode reads the whole SMB1 message, its 32-byte header first.
func (m *SMB1NegotiateRequest) Decode(msg []byte) error {
	bad := func(field string, at int, reason string) error {
		return &DecodeError{Command: CommandNegotiate, Field: "SMB_COM_NEGOTIATE." + field, Offset: at, Reason: reason}
	}
	if len(msg) < smb1HeaderSize+3 {
		return bad("Header", len(msg), reasonShort)
	}
	if string(msg[:4]) != ProtocolSMB1 {
		return bad("Protocol", 0, reasonProtocol)
	}
	if msg[4] != smb1Negotiate {
		return bad("Command", 4, reasonValue)
	}
	at := smb1HeaderSize
	if msg[at] != 0 {
		return bad("WordCount", at, reasonValue)
	}
	n := int(le.Uint16(msg[at+1:]))
	at += 3
	if n > len(msg)-at {
		return bad("ByteCount", at-2, reasonBounds)
	}
	copy(m.Header[:], msg)
	m.Dialects = m.Dialects[:0]
	for b := msg[at : at+n]; len(b) > 0; {
		end := bytes.IndexByte(b, 0)
		if b[0] != 2 || end < 0 {
			return bad("Dialects", at+n-len(b), reasonValue)
		}
		m.Dialects = append(m.Dialects, string(b[1:end]))
		b = b[end+1:]
	}
	return nil
}

// Append appends the whole message.
func (m *SMB1NegotiateRequest) Append(dst []byte) []byte {
	h := m.Header
	if h == [smb1HeaderSize]byte{} {
		copy(h[:], ProtocolSMB1)
		h[4] = smb1Negotiate
		h[9] = 0x18                  // FLAGS_CASE_INSENSITIVE, FLAGS_CANONICALIZED_PATHS
		le.PutUint16(h[10:], 0xC853) // FLAGS2: Unicode, NT status, extended security, long names
		le.PutUint16(h[24:], 0xFFFF) // TID
	}
	dst = append(dst, h[:]...)
	start := len(dst)
	dst = append(dst, 0, 0, 0)
	for _, d := range m.Dialects {
		dst = append(dst, 2)
		dst = append(dst, d...)
		dst = append(dst, 0)
	}
	le.PutUint16(dst[start+1:], uint16(len(dst)-start-3))
	return dst
}

// smb1FlagReply in Flags of the header marks a response ([MS-CIFS] 2.2.3.1).
const smb1FlagReply = 0x80

// AppendRefusal appends the whole SMB1 response that says that no dialect fits:
// DialectIndex 0xFFFF and nothing else ([MS-CIFS] 2.2.4.52.2). m was decoded.
func (m *SMB1NegotiateRequest) AppendRefusal(dst []byte) []byte {
	h := m.Header
	h[9] |= smb1FlagReply
	clear(h[5:9])   // Status
	clear(h[14:22]) // SecurityFeatures: not signed
	dst = append(dst, h[:]...)
	return append(dst, 1, 0xFF, 0xFF, 0, 0)
}
