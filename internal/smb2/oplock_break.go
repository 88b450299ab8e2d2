package smb2

// UnsolicitedMessageID is the MessageId of a break notification, which answers no
// request ([MS-SMB2] 2.2.23.1).
const UnsolicitedMessageID = ^uint64(0)

// oplockBreak is the layout of the three oplock break messages.
type oplockBreak struct {
	OplockLevel OplockLevel
	FileID      FileID
}

// Decode reads the whole message.
func (m *oplockBreak) Decode(msg []byte) error {
	if err := fixed(CommandOplockBreak, msg, 24); err != nil {
		return err
	}
	m.OplockLevel = OplockLevel(msg[HeaderSize+2])
	m.FileID = fileIDAt(msg, HeaderSize+8)
	return nil
}

// Append appends the body.
func (m *oplockBreak) Append(dst []byte) []byte {
	dst, b := grow(dst, 24)
	le.PutUint16(b, 24)
	b[2] = uint8(m.OplockLevel)
	SetRawFileID(b, 8, m.FileID)
	return dst
}

// OplockBreakNotification is sent by the server, [MS-SMB2] 2.2.23.1.
type OplockBreakNotification struct {
	OplockLevel OplockLevel
	FileID      FileID
}

// Decode reads the whole message.
func (m *OplockBreakNotification) Decode(msg []byte) error { return (*oplockBreak)(m).Decode(msg) }

// Append appends the body.
func (m *OplockBreakNotification) Append(dst []byte) []byte { return (*oplockBreak)(m).Append(dst) }

// OplockBreakRequest is the client's acknowledgement, [MS-SMB2] 2.2.24.1.
type OplockBreakRequest struct {
	OplockLevel OplockLevel
	FileID      FileID
}

// Decode reads the whole message.
func (m *OplockBreakRequest) Decode(msg []byte) error { return (*oplockBreak)(m).Decode(msg) }

// Append appends the body.
func (m *OplockBreakRequest) Append(dst []byte) []byte { return (*oplockBreak)(m).Append(dst) }

// OplockBreakResponse answers the acknowledgement, [MS-SMB2] 2.2.25.1.
type OplockBreakResponse struct {
	OplockLevel OplockLevel
	FileID      FileID
}

// Decode reads the whole message.
func (m *OplockBreakResponse) Decode(msg []byte) error { return (*oplockBreak)(m).Decode(msg) }

// Append appends the body.
func (m *OplockBreakResponse) Append(dst []byte) []byte { return (*oplockBreak)(m).Append(dst) }
