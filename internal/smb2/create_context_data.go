package smb2

import "smbproxy/internal/ntstatus"

// The data of the create contexts that are about the file itself. ExtA carries
// FileFullEaInfo entries and SecD a SecurityDescriptor.

// contextSize is the error for data of a length that the context cannot have.
func contextSize(name string, data []byte) error {
	return &DecodeError{Command: CommandCreate, Field: name, Offset: len(data), Reason: reasonSize}
}

// exactly checks the length of data.
func exactly(name string, data []byte, n int) error {
	if len(data) != n {
		return contextSize(name, data)
	}
	return nil
}

// AllocationSize is the data of AlSi, [MS-SMB2] 2.2.13.2.6.
type AllocationSize uint64

// Decode reads the data.
func (c *AllocationSize) Decode(data []byte) error {
	if err := exactly(CreateAllocationSize, data, 8); err != nil {
		return err
	}
	*c = AllocationSize(le.Uint64(data))
	return nil
}

// Append appends the data.
func (c AllocationSize) Append(dst []byte) []byte { return le.AppendUint64(dst, uint64(c)) }

// TimewarpToken is the data of TWrp, [MS-SMB2] 2.2.13.2.7: the time of a snapshot.
type TimewarpToken struct {
	Timestamp Filetime
}

// Decode reads the data.
func (c *TimewarpToken) Decode(data []byte) error {
	if err := exactly(CreateTimewarpToken, data, 8); err != nil {
		return err
	}
	c.Timestamp = Filetime(le.Uint64(data))
	return nil
}

// Append appends the data.
func (c *TimewarpToken) Append(dst []byte) []byte { return le.AppendUint64(dst, uint64(c.Timestamp)) }

// QueryMaximalAccessRequest is the data of MxAc in a request, [MS-SMB2] 2.2.13.2.5: no
// data or a time, which asks only if the file changed since.
type QueryMaximalAccessRequest struct {
	HasTimestamp bool
	Timestamp    Filetime
}

// Decode reads the data.
func (c *QueryMaximalAccessRequest) Decode(data []byte) error {
	*c = QueryMaximalAccessRequest{}
	switch len(data) {
	case 0:
	case 8:
		*c = QueryMaximalAccessRequest{HasTimestamp: true, Timestamp: Filetime(le.Uint64(data))}
	default:
		return contextSize(CreateQueryMaximalAccessRequest, data)
	}
	return nil
}

// Append appends the data.
func (c *QueryMaximalAccessRequest) Append(dst []byte) []byte {
	if !c.HasTimestamp {
		return dst
	}
	return le.AppendUint64(dst, uint64(c.Timestamp))
}

// QueryMaximalAccessResponse is the data of MxAc in a response, [MS-SMB2] 2.2.14.2.5.
type QueryMaximalAccessResponse struct {
	QueryStatus   ntstatus.Status
	MaximalAccess AccessMask // valid if QueryStatus is Success
}

// Decode reads the data.
func (c *QueryMaximalAccessResponse) Decode(data []byte) error {
	if err := exactly(CreateQueryMaximalAccessRequest, data, 8); err != nil {
		return err
	}
	c.QueryStatus = ntstatus.Status(le.Uint32(data))
	c.MaximalAccess = AccessMask(le.Uint32(data[4:]))
	return nil
}

// Append appends the data.
func (c *QueryMaximalAccessResponse) Append(dst []byte) []byte {
	return le.AppendUint32(le.AppendUint32(dst, uint32(c.QueryStatus)), uint32(c.MaximalAccess))
}

// QueryOnDiskIDResponse is the data of QFid in a response, [MS-SMB2] 2.2.14.2.9. In a
// request the context has no data.
type QueryOnDiskIDResponse struct {
	DiskFileID uint64
	VolumeID   uint64
}

// Decode reads the data.
func (c *QueryOnDiskIDResponse) Decode(data []byte) error {
	if err := exactly(CreateQueryOnDiskID, data, 32); err != nil {
		return err
	}
	c.DiskFileID = le.Uint64(data)
	c.VolumeID = le.Uint64(data[8:])
	return nil
}

// Append appends the data.
func (c *QueryOnDiskIDResponse) Append(dst []byte) []byte {
	dst = le.AppendUint64(le.AppendUint64(dst, c.DiskFileID), c.VolumeID)
	return append(dst, zeros[:16]...)
}

// SvhdxOpenDevice is the start of the data of that context, [MS-RSVD] 2.2.4.12 and
// 2.2.4.32. Shared virtual disks are not served; the name tells the log who asks.
type SvhdxOpenDevice struct {
	Version      uint32
	HasInitiator bool
	InitiatorID  GUID
}

// Decode reads the part that both versions share.
func (c *SvhdxOpenDevice) Decode(data []byte) error {
	if len(data) < 24 {
		return contextSize("SvhdxOpenDeviceContext", data)
	}
	c.Version = le.Uint32(data)
	c.HasInitiator = data[4] != 0
	copy(c.InitiatorID[:], data[8:])
	return nil
}
