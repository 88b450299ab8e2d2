package smb2

// DurableFlagPersistent in the version 2 contexts asks for, or grants, a handle that
// survives the server ([MS-SMB2] 2.2.13.2.11).
const DurableFlagPersistent uint32 = 0x00000002

// DurableHandleRequest is the data of DHnQ in a request, [MS-SMB2] 2.2.13.2.3: sixteen
// reserved bytes.
type DurableHandleRequest struct{}

// Decode checks the length.
func (DurableHandleRequest) Decode(data []byte) error {
	return exactly(CreateDurableHandleRequest, data, 16)
}

// Append appends the data.
func (DurableHandleRequest) Append(dst []byte) []byte { return append(dst, zeros[:16]...) }

// DurableHandleResponse is the data of DHnQ in a response, [MS-SMB2] 2.2.14.2.3: eight
// reserved bytes.
type DurableHandleResponse struct{}

// Decode checks the length.
func (DurableHandleResponse) Decode(data []byte) error {
	return exactly(CreateDurableHandleRequest, data, 8)
}

// Append appends the data.
func (DurableHandleResponse) Append(dst []byte) []byte { return append(dst, zeros[:8]...) }

// DurableHandleReconnect is the data of DHnC, [MS-SMB2] 2.2.13.2.4.
type DurableHandleReconnect struct {
	FileID FileID
}

// Decode reads the data.
func (c *DurableHandleReconnect) Decode(data []byte) error {
	if err := exactly(CreateDurableHandleReconnect, data, 16); err != nil {
		return err
	}
	c.FileID = fileIDAt(data, 0)
	return nil
}

// Append appends the data.
func (c *DurableHandleReconnect) Append(dst []byte) []byte { return c.FileID.appendTo(dst) }

// DurableHandleRequestV2 is the data of DH2Q in a request, [MS-SMB2] 2.2.13.2.11.
type DurableHandleRequestV2 struct {
	Timeout    uint32 // milliseconds, 0: the server chooses
	Flags      uint32 // DurableFlagPersistent
	CreateGUID GUID
}

// Decode reads the data.
func (c *DurableHandleRequestV2) Decode(data []byte) error {
	if err := exactly(CreateDurableHandleRequestV2, data, 32); err != nil {
		return err
	}
	c.Timeout = le.Uint32(data)
	c.Flags = le.Uint32(data[4:])
	copy(c.CreateGUID[:], data[16:])
	return nil
}

// Append appends the data.
func (c *DurableHandleRequestV2) Append(dst []byte) []byte {
	dst, b := grow(dst, 32)
	le.PutUint32(b, c.Timeout)
	le.PutUint32(b[4:], c.Flags)
	copy(b[16:], c.CreateGUID[:])
	return dst
}

// DurableHandleResponseV2 is the data of DH2Q in a response, [MS-SMB2] 2.2.14.2.12.
type DurableHandleResponseV2 struct {
	Timeout uint32 // milliseconds
	Flags   uint32 // DurableFlagPersistent
}

// Decode reads the data.
func (c *DurableHandleResponseV2) Decode(data []byte) error {
	if err := exactly(CreateDurableHandleRequestV2, data, 8); err != nil {
		return err
	}
	c.Timeout = le.Uint32(data)
	c.Flags = le.Uint32(data[4:])
	return nil
}

// Append appends the data.
func (c *DurableHandleResponseV2) Append(dst []byte) []byte {
	return le.AppendUint32(le.AppendUint32(dst, c.Timeout), c.Flags)
}

// DurableHandleReconnectV2 is the data of DH2C, [MS-SMB2] 2.2.13.2.12.
type DurableHandleReconnectV2 struct {
	FileID     FileID
	CreateGUID GUID
	Flags      uint32 // DurableFlagPersistent
}

// Decode reads the data.
func (c *DurableHandleReconnectV2) Decode(data []byte) error {
	if err := exactly(CreateDurableHandleReconnectV2, data, 36); err != nil {
		return err
	}
	c.FileID = fileIDAt(data, 0)
	copy(c.CreateGUID[:], data[16:])
	c.Flags = le.Uint32(data[32:])
	return nil
}

// Append appends the data.
func (c *DurableHandleReconnectV2) Append(dst []byte) []byte {
	dst = c.FileID.appendTo(dst)
	dst = append(dst, c.CreateGUID[:]...)
	return le.AppendUint32(dst, c.Flags)
}

// AppInstanceID is the data of that context, [MS-SMB2] 2.2.13.2.13.
type AppInstanceID struct {
	ID GUID
}

// Decode reads the data.
func (c *AppInstanceID) Decode(data []byte) error {
	if err := exactly("AppInstanceId", data, 20); err != nil {
		return err
	}
	if le.Uint16(data) != 20 {
		return contextSize("AppInstanceId", data)
	}
	copy(c.ID[:], data[4:])
	return nil
}

// Append appends the data.
func (c *AppInstanceID) Append(dst []byte) []byte {
	dst = append(dst, 20, 0, 0, 0)
	return append(dst, c.ID[:]...)
}

// AppInstanceVersion is the data of that context, [MS-SMB2] 2.2.13.2.15.
type AppInstanceVersion struct {
	High, Low uint64
}

// Decode reads the data.
func (c *AppInstanceVersion) Decode(data []byte) error {
	if err := exactly("AppInstanceVersion", data, 24); err != nil {
		return err
	}
	if le.Uint16(data) != 24 {
		return contextSize("AppInstanceVersion", data)
	}
	c.High = le.Uint64(data[8:])
	c.Low = le.Uint64(data[16:])
	return nil
}

// Append appends the data.
func (c *AppInstanceVersion) Append(dst []byte) []byte {
	dst = append(dst, 24, 0, 0, 0, 0, 0, 0, 0)
	return le.AppendUint64(le.AppendUint64(dst, c.High), c.Low)
}
