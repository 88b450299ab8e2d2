package smb2

// LeaseKey names a lease of one client ([MS-SMB2] 2.2.13.2.8).
type LeaseKey = GUID

// LeaseState is what a lease lets its client cache ([MS-SMB2] 2.2.13.2.8).
type LeaseState uint32

// Values of LeaseState.
const (
	LeaseNone          LeaseState = 0x00
	LeaseReadCaching   LeaseState = 0x01
	LeaseHandleCaching LeaseState = 0x02
	LeaseWriteCaching  LeaseState = 0x04
)

// Flags of leases in create contexts and break messages.
const (
	LeaseFlagBreakAckRequired  uint32 = 0x01 // of a break notification
	LeaseFlagBreakInProgress   uint32 = 0x02 // of a create response and of an acknowledgement's response
	LeaseFlagParentLeaseKeySet uint32 = 0x04 // of a version 2 create context
)

// Values of StructureSize of OPLOCK_BREAK messages: they tell the kinds apart.
const (
	leaseNotificationSize = 44
	leaseAckSize          = 36
)

// IsLeaseBreak says whether an OPLOCK_BREAK message is about a lease and not about an
// oplock. It looks at StructureSize only, the message may still be malformed.
func IsLeaseBreak(msg []byte) bool {
	if len(msg) < HeaderSize+2 {
		return false
	}
	n := le.Uint16(msg[HeaderSize:])
	return n == leaseNotificationSize || n == leaseAckSize
}

// LeaseBreakNotification is sent by the server, [MS-SMB2] 2.2.23.2.
type LeaseBreakNotification struct {
	NewEpoch          uint16 // 0 for a version 1 lease
	Flags             uint32 // LeaseFlagBreakAckRequired
	LeaseKey          LeaseKey
	CurrentLeaseState LeaseState
	NewLeaseState     LeaseState
}

// Decode reads the whole message.
func (m *LeaseBreakNotification) Decode(msg []byte) error {
	if err := fixed(CommandOplockBreak, msg, leaseNotificationSize); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.NewEpoch = le.Uint16(b[2:])
	m.Flags = le.Uint32(b[4:])
	copy(m.LeaseKey[:], b[8:])
	m.CurrentLeaseState = LeaseState(le.Uint32(b[24:]))
	m.NewLeaseState = LeaseState(le.Uint32(b[28:]))
	return nil
}

// Append appends the body. BreakReason and the hints are reserved.
func (m *LeaseBreakNotification) Append(dst []byte) []byte {
	dst, b := grow(dst, leaseNotificationSize)
	le.PutUint16(b, leaseNotificationSize)
	le.PutUint16(b[2:], m.NewEpoch)
	le.PutUint32(b[4:], m.Flags)
	copy(b[8:], m.LeaseKey[:])
	le.PutUint32(b[24:], uint32(m.CurrentLeaseState))
	le.PutUint32(b[28:], uint32(m.NewLeaseState))
	return dst
}

// leaseAck is the layout of acknowledgement and response. LeaseDuration is reserved.
type leaseAck struct {
	Flags      uint32
	LeaseKey   LeaseKey
	LeaseState LeaseState
}

// Decode reads the whole message.
func (m *leaseAck) Decode(msg []byte) error {
	if err := fixed(CommandOplockBreak, msg, leaseAckSize); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.Flags = le.Uint32(b[4:])
	copy(m.LeaseKey[:], b[8:])
	m.LeaseState = LeaseState(le.Uint32(b[24:]))
	return nil
}

// Append appends the body.
func (m *leaseAck) Append(dst []byte) []byte {
	dst, b := grow(dst, leaseAckSize)
	le.PutUint16(b, leaseAckSize)
	le.PutUint32(b[4:], m.Flags)
	copy(b[8:], m.LeaseKey[:])
	le.PutUint32(b[24:], uint32(m.LeaseState))
	return dst
}

// LeaseBreakRequest is the client's acknowledgement, [MS-SMB2] 2.2.24.2.
type LeaseBreakRequest struct {
	Flags      uint32
	LeaseKey   LeaseKey
	LeaseState LeaseState
}

// Decode reads the whole message.
func (m *LeaseBreakRequest) Decode(msg []byte) error { return (*leaseAck)(m).Decode(msg) }

// Append appends the body.
func (m *LeaseBreakRequest) Append(dst []byte) []byte { return (*leaseAck)(m).Append(dst) }

// LeaseBreakResponse answers the acknowledgement, [MS-SMB2] 2.2.25.2.
type LeaseBreakResponse struct {
	Flags      uint32
	LeaseKey   LeaseKey
	LeaseState LeaseState
}

// Decode reads the whole message.
func (m *LeaseBreakResponse) Decode(msg []byte) error { return (*leaseAck)(m).Decode(msg) }

// Append appends the body.
func (m *LeaseBreakResponse) Append(dst []byte) []byte { return (*leaseAck)(m).Append(dst) }
