package smb2

// ErrorContext is one SMB2 ERROR context, [MS-SMB2] 2.2.2.1; 3.1.1 only.
type ErrorContext struct {
	ErrorID   uint32 // ErrorID constants
	ErrorData []byte
}

// Values of ErrorContext.ErrorID.
const (
	ErrorIDDefault       uint32 = 0x00000000
	ErrorIDShareRedirect uint32 = 0x72645253
)

// ErrorResponse is the SMB2 ERROR response, [MS-SMB2] 2.2.2. With ErrorContexts
// (3.1.1), ErrorData is what they were decoded from and is not encoded.
type ErrorResponse struct {
	ErrorData     []byte
	ErrorContexts []ErrorContext
}

// IsErrorResponse says whether the body of a response is an ERROR response by its
// StructureSize and length. SESSION_SETUP, QUERY_DIRECTORY, QUERY_INFO and
// CHANGE_NOTIFY responses also have StructureSize 9: Status decides which is meant
// ([MS-SMB2] 3.3.4.4).
func IsErrorResponse(msg []byte) bool {
	return len(msg) >= HeaderSize+8 && le.Uint16(msg[HeaderSize:]) == 9
}

// Decode reads the whole message.
func (m *ErrorResponse) Decode(msg []byte) error {
	cmd := Command(0)
	if len(msg) >= HeaderSize {
		cmd = RawCommand(msg)
	}
	if err := fixed(cmd, msg, 9); err != nil {
		return err
	}
	count, n := int(msg[HeaderSize+2]), le.Uint32(msg[HeaderSize+4:])
	b, err := buffer(cmd, "ErrorData", msg, HeaderSize+8, n, HeaderSize+8)
	if err != nil {
		return err
	}
	m.ErrorData = b
	m.ErrorContexts = m.ErrorContexts[:0]
	for at := 0; count > 0; count-- {
		at = (at + 7) &^ 7
		if at+8 > len(b) {
			return &DecodeError{Command: cmd, Field: "ErrorContextCount", Offset: HeaderSize + 2, Reason: reasonCount}
		}
		n, id := le.Uint32(b[at:]), le.Uint32(b[at+4:])
		at += 8
		if uint64(n) > uint64(len(b)-at) {
			return &DecodeError{Command: cmd, Field: "ErrorContext.ErrorDataLength", Offset: HeaderSize + at, Reason: reasonBounds}
		}
		m.ErrorContexts = append(m.ErrorContexts, ErrorContext{ErrorID: id, ErrorData: b[at : at+int(n) : at+int(n)]})
		at += int(n)
	}
	return nil
}

// Append appends the body, with the one byte of an empty buffer.
func (m *ErrorResponse) Append(dst []byte) []byte {
	start := len(dst)
	dst, b := grow(dst, 8)
	le.PutUint16(b, 9)
	b[2] = uint8(len(m.ErrorContexts))
	if len(m.ErrorContexts) == 0 {
		dst = append(dst, m.ErrorData...)
	}
	for _, c := range m.ErrorContexts {
		dst = pad8(dst, start)
		dst = le.AppendUint32(dst, uint32(len(c.ErrorData)))
		dst = le.AppendUint32(dst, c.ErrorID)
		dst = append(dst, c.ErrorData...)
	}
	n := len(dst) - start - 8
	le.PutUint32(dst[start+4:], uint32(n))
	if n == 0 {
		dst = append(dst, 0)
	}
	return dst
}

// Tags of a symbolic link error.
const (
	symlinkErrorTag   uint32 = 0x4C4D5953
	ReparseTagSymlink uint32 = 0xA000000C
)

// SymlinkFlagRelative says that the target of a link is relative to its directory.
const SymlinkFlagRelative uint32 = 0x00000001

// SymbolicLinkErrorResponse is the ErrorData of STATUS_STOPPED_ON_SYMLINK,
// [MS-SMB2] 2.2.2.2.1.
type SymbolicLinkErrorResponse struct {
	UnparsedPathLength uint16 // bytes of UTF-16 behind the link in the name asked for
	Flags              uint32 // SymlinkFlagRelative
	SubstituteName     string
	PrintName          string
}

// Decode reads ErrorData.
func (m *SymbolicLinkErrorResponse) Decode(b []byte) (err error) {
	if len(b) < 28 {
		return &DecodeError{Command: CommandCreate, Field: "SymbolicLinkErrorResponse", Offset: len(b), Reason: reasonShort}
	}
	if le.Uint32(b[4:]) != symlinkErrorTag {
		return &DecodeError{Command: CommandCreate, Field: "SymLinkErrorTag", Offset: 4, Reason: reasonValue}
	}
	if le.Uint32(b[8:]) != ReparseTagSymlink {
		return &DecodeError{Command: CommandCreate, Field: "ReparseTag", Offset: 8, Reason: reasonValue}
	}
	m.UnparsedPathLength = le.Uint16(b[14:])
	m.Flags = le.Uint32(b[24:])
	path := b[28:]
	if m.SubstituteName, err = text(CommandCreate, "SubstituteName", path, uint32(le.Uint16(b[16:])), uint32(le.Uint16(b[18:])), 0); err != nil {
		return err
	}
	m.PrintName, err = text(CommandCreate, "PrintName", path, uint32(le.Uint16(b[20:])), uint32(le.Uint16(b[22:])), 0)
	return err
}

// Append appends ErrorData. Samba: the substitute name comes first.
func (m *SymbolicLinkErrorResponse) Append(dst []byte) []byte {
	start := len(dst)
	dst, _ = grow(dst, 28)
	dst = AppendUTF16(dst, m.SubstituteName)
	sub := len(dst) - start - 28
	dst = AppendUTF16(dst, m.PrintName)
	b := dst[start:]
	le.PutUint32(b, uint32(len(b)-4))
	le.PutUint32(b[4:], symlinkErrorTag)
	le.PutUint32(b[8:], ReparseTagSymlink)
	le.PutUint16(b[12:], uint16(len(b)-16))
	le.PutUint16(b[14:], m.UnparsedPathLength)
	le.PutUint16(b[18:], uint16(sub))
	le.PutUint16(b[20:], uint16(sub))
	le.PutUint16(b[22:], uint16(len(b)-28-sub))
	le.PutUint32(b[24:], m.Flags)
	return dst
}
