package smb2

import "smbproxy/internal/ntstatus"

// The data of an AAPL create context: Apple's extensions. There is no Microsoft
// document; the layout is Apple's published one, as smbd's vfs_fruit and
// netatalk-era clients agree on it.

// Values of CommandCode: which of two pairs of structures it is.
const (
	AAPLServerQuery uint32 = 1
	AAPLResolveID   uint32 = 2
)

// Bits of AAPLRequest.RequestBitmap: which parts the answer shall have.
const (
	AAPLServerCaps uint64 = 1
	AAPLVolumeCaps uint64 = 2
	AAPLModelInfo  uint64 = 4
)

// Bits of client and server capabilities.
const (
	AAPLSupportsReadDirAttr uint64 = 1
	AAPLSupportsOSXCopyfile uint64 = 2
	AAPLUnixBased           uint64 = 4
	AAPLSupportsNFSACE      uint64 = 8
)

// Bits of AAPLResponse.VolumeCaps.
const (
	AAPLSupportResolveID uint64 = 1
	AAPLCaseSensitive    uint64 = 2
	AAPLSupportsFullSync uint64 = 4
)

// AAPLRequest is what the client sends.
type AAPLRequest struct {
	CommandCode        uint32
	RequestBitmap      uint64 // of AAPLServerQuery, as is the next
	ClientCapabilities uint64
	FileID             uint64 // of AAPLResolveID
}

// Decode reads the data.
func (c *AAPLRequest) Decode(data []byte) error {
	if len(data) < 16 {
		return contextSize(CreateAAPL, data)
	}
	*c = AAPLRequest{CommandCode: le.Uint32(data)}
	if c.CommandCode == AAPLResolveID {
		c.FileID = le.Uint64(data[8:])
		return nil
	}
	if err := exactly(CreateAAPL, data, 24); err != nil {
		return err
	}
	c.RequestBitmap = le.Uint64(data[8:])
	c.ClientCapabilities = le.Uint64(data[16:])
	return nil
}

// Append appends the data.
func (c *AAPLRequest) Append(dst []byte) []byte {
	dst = le.AppendUint64(dst, uint64(c.CommandCode))
	if c.CommandCode == AAPLResolveID {
		return le.AppendUint64(dst, c.FileID)
	}
	dst = le.AppendUint64(dst, c.RequestBitmap)
	return le.AppendUint64(dst, c.ClientCapabilities)
}

// AAPLResponse is what the server answers. ReplyBitmap says which of the caps and the
// model stand in it, in this order.
type AAPLResponse struct {
	CommandCode uint32
	ReplyBitmap uint64 // of AAPLServerQuery, as are the next three
	ServerCaps  uint64
	VolumeCaps  uint64
	Model       string
	Status      ntstatus.Status // of AAPLResolveID, as is the next
	Name        string
}

// Decode reads the data.
func (c *AAPLResponse) Decode(data []byte) (err error) {
	if len(data) < 16 {
		return contextSize(CreateAAPL, data)
	}
	*c = AAPLResponse{CommandCode: le.Uint32(data)}
	if c.CommandCode == AAPLResolveID {
		c.Status = ntstatus.Status(le.Uint32(data[8:]))
		c.Name, err = text(CommandCreate, "AAPL.Name", data, 16, le.Uint32(data[12:]), 16)
		return err
	}
	c.ReplyBitmap = le.Uint64(data[8:])
	data = data[16:]
	for _, part := range []struct {
		bit uint64
		to  *uint64
	}{{AAPLServerCaps, &c.ServerCaps}, {AAPLVolumeCaps, &c.VolumeCaps}} {
		if c.ReplyBitmap&part.bit == 0 {
			continue
		}
		if len(data) < 8 {
			return contextSize(CreateAAPL, data)
		}
		*part.to = le.Uint64(data)
		data = data[8:]
	}
	if c.ReplyBitmap&AAPLModelInfo == 0 {
		return nil
	}
	if len(data) < 8 {
		return contextSize(CreateAAPL, data)
	}
	c.Model, err = text(CommandCreate, "AAPL.Model", data, 8, le.Uint32(data[4:]), 8)
	return err
}

// Append appends the data.
func (c *AAPLResponse) Append(dst []byte) []byte {
	dst = le.AppendUint64(dst, uint64(c.CommandCode))
	if c.CommandCode == AAPLResolveID {
		return appendText(le.AppendUint32(dst, uint32(c.Status)), c.Name)
	}
	dst = le.AppendUint64(dst, c.ReplyBitmap)
	if c.ReplyBitmap&AAPLServerCaps != 0 {
		dst = le.AppendUint64(dst, c.ServerCaps)
	}
	if c.ReplyBitmap&AAPLVolumeCaps != 0 {
		dst = le.AppendUint64(dst, c.VolumeCaps)
	}
	if c.ReplyBitmap&AAPLModelInfo != 0 {
		dst = appendText(le.AppendUint32(dst, 0), c.Model)
	}
	return dst
}
