package smb2

// LockElement is SMB2_LOCK_ELEMENT, [MS-SMB2] 2.2.26.1.
type LockElement struct {
	Offset uint64
	Length uint64
	Flags  uint32 // LockFlag constants
}

// lockElementSize is its length on the wire.
const lockElementSize = 24

// LockRequest is the SMB2 LOCK request, [MS-SMB2] 2.2.26.
type LockRequest struct {
	LockSequence uint32 // LockSequenceNumber (4 bits) and LockSequenceIndex (28 bits), 0 in 2.0.2
	FileID       FileID
	Locks        []LockElement
}

// LockSequenceNumber is the low four bits of LockSequence ([MS-SMB2] 3.3.5.14).
func (m *LockRequest) LockSequenceNumber() uint8 { return uint8(m.LockSequence & 0xF) }

// LockSequenceIndex is the rest of it: 1 to 64 where replay detection is wanted.
func (m *LockRequest) LockSequenceIndex() uint32 { return m.LockSequence >> 4 }

// Decode reads the whole message. A LockCount of zero decodes: its answer is the
// server's to decide.
func (m *LockRequest) Decode(msg []byte) error {
	if err := fixed(CommandLock, msg, 48); err != nil {
		// The fixed part is 24 bytes, 48 counts the one element that must be there.
		if len(msg) < HeaderSize+24 || le.Uint16(msg[HeaderSize:]) != 48 || le.Uint16(msg[HeaderSize+2:]) != 0 {
			return err
		}
	}
	b := msg[HeaderSize:]
	n := int(le.Uint16(b[2:]))
	if n*lockElementSize > len(b)-24 {
		return &DecodeError{Command: CommandLock, Field: "LockCount", Offset: HeaderSize + 2, Reason: reasonCount}
	}
	m.LockSequence = le.Uint32(b[4:])
	m.FileID = fileIDAt(b, 8)
	m.Locks = m.Locks[:0]
	for b = b[24:]; n > 0; n-- {
		m.Locks = append(m.Locks, LockElement{Offset: le.Uint64(b), Length: le.Uint64(b[8:]), Flags: le.Uint32(b[16:])})
		b = b[lockElementSize:]
	}
	return nil
}

// Append appends the body.
func (m *LockRequest) Append(dst []byte) []byte {
	dst, b := grow(dst, 24)
	le.PutUint16(b, 48)
	le.PutUint16(b[2:], uint16(len(m.Locks)))
	le.PutUint32(b[4:], m.LockSequence)
	SetRawFileID(b, 8, m.FileID)
	for _, l := range m.Locks {
		dst = le.AppendUint64(dst, l.Offset)
		dst = le.AppendUint64(dst, l.Length)
		dst = le.AppendUint32(dst, l.Flags)
		dst = le.AppendUint32(dst, 0)
	}
	return dst
}

// LockResponse is the SMB2 LOCK response, [MS-SMB2] 2.2.27. It has no fields.
type LockResponse struct{ empty }

// Decode checks the size.
func (m *LockResponse) Decode(msg []byte) error { return fixed(CommandLock, msg, 4) }
