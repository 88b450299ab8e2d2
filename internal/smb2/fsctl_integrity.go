package smb2

// GetIntegrityInformation is the output of FSCTL_GET_INTEGRITY_INFORMATION, [MS-FSCC]
// 2.3.23 (FSCTL_GET_INTEGRITY_INFORMATION_BUFFER).
type GetIntegrityInformation struct {
	ChecksumAlgorithm        uint16
	Flags                    uint32
	ChecksumChunkSizeInBytes uint32
	ClusterSizeInBytes       uint32
}

// Decode reads the structure.
func (g *GetIntegrityInformation) Decode(b []byte) error {
	if err := need("FSCTL_GET_INTEGRITY_INFORMATION_BUFFER", b, 16); err != nil {
		return err
	}
	g.ChecksumAlgorithm = le.Uint16(b)
	g.Flags = le.Uint32(b[4:])
	g.ChecksumChunkSizeInBytes = le.Uint32(b[8:])
	g.ClusterSizeInBytes = le.Uint32(b[12:])
	return nil
}

// Append appends the structure.
func (g *GetIntegrityInformation) Append(dst []byte) []byte {
	dst = le.AppendUint32(dst, uint32(g.ChecksumAlgorithm))
	dst = le.AppendUint32(dst, g.Flags)
	dst = le.AppendUint32(dst, g.ChecksumChunkSizeInBytes)
	return le.AppendUint32(dst, g.ClusterSizeInBytes)
}

// SetIntegrityInformation is the input of FSCTL_SET_INTEGRITY_INFORMATION, [MS-FSCC]
// 2.3.73 (FSCTL_SET_INTEGRITY_INFORMATION_BUFFER).
type SetIntegrityInformation struct {
	ChecksumAlgorithm uint16
	Flags             uint32
}

// Decode reads the structure.
func (s *SetIntegrityInformation) Decode(b []byte) error {
	if err := need("FSCTL_SET_INTEGRITY_INFORMATION_BUFFER", b, 8); err != nil {
		return err
	}
	s.ChecksumAlgorithm = le.Uint16(b)
	s.Flags = le.Uint32(b[4:])
	return nil
}

// Append appends the structure.
func (s *SetIntegrityInformation) Append(dst []byte) []byte {
	return le.AppendUint32(le.AppendUint32(dst, uint32(s.ChecksumAlgorithm)), s.Flags)
}

// CompressionState is the output of FSCTL_GET_COMPRESSION and the input of
// FSCTL_SET_COMPRESSION, [MS-FSCC] 2.3.18, 2.3.67.
type CompressionState uint16

// Values of CompressionState.
const (
	CompressionFormatNone    CompressionState = 0
	CompressionFormatDefault CompressionState = 1
	CompressionFormatLZNT1   CompressionState = 2
)

// Decode reads the structure.
func (c *CompressionState) Decode(b []byte) error {
	if err := need("CompressionState", b, 2); err != nil {
		return err
	}
	*c = CompressionState(le.Uint16(b))
	return nil
}

// Append appends the structure.
func (c CompressionState) Append(dst []byte) []byte { return le.AppendUint16(dst, uint16(c)) }
