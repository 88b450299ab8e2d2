package smb2

// Lengths of the data of a lease context: they tell the versions apart.
const (
	leaseV1Size = 32
	leaseV2Size = 52
)

// RequestLease is the data of an RqLs context in both versions, and in request and
// response alike: SMB2_CREATE_REQUEST_LEASE(_V2) [MS-SMB2] 2.2.13.2.8, 2.2.13.2.10,
// SMB2_CREATE_RESPONSE_LEASE(_V2) 2.2.14.2.10, 2.2.14.2.11.
type RequestLease struct {
	V2             bool // ParentLeaseKey and Epoch are on the wire
	LeaseKey       LeaseKey
	LeaseState     LeaseState
	LeaseFlags     uint32 // LeaseFlagBreakInProgress, LeaseFlagParentLeaseKeySet
	ParentLeaseKey LeaseKey
	Epoch          uint16
}

// Decode reads the data; other lengths than the two are a fault ([MS-SMB2] 3.3.5.9.8).
func (l *RequestLease) Decode(data []byte) error {
	if len(data) != leaseV1Size && len(data) != leaseV2Size {
		return contextSize(CreateRequestLease, data)
	}
	*l = RequestLease{V2: len(data) == leaseV2Size, LeaseState: LeaseState(le.Uint32(data[16:])), LeaseFlags: le.Uint32(data[20:])}
	copy(l.LeaseKey[:], data)
	if l.V2 {
		copy(l.ParentLeaseKey[:], data[32:])
		l.Epoch = le.Uint16(data[48:])
	}
	return nil
}

// Append appends the data.
func (l *RequestLease) Append(dst []byte) []byte {
	n := leaseV1Size
	if l.V2 {
		n = leaseV2Size
	}
	dst, b := grow(dst, n)
	copy(b, l.LeaseKey[:])
	le.PutUint32(b[16:], uint32(l.LeaseState))
	le.PutUint32(b[20:], l.LeaseFlags)
	if l.V2 {
		copy(b[32:], l.ParentLeaseKey[:])
		le.PutUint16(b[48:], l.Epoch)
	}
	return dst
}
