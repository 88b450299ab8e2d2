package smb2

// TransformHeaderSize is the length of a TRANSFORM_HEADER.
const TransformHeaderSize = 52

// TransformFlagEncrypted is Flags of 3.1.1 and EncryptionAlgorithm (AES-128-CCM) of
// 3.0: the same bit in the same place ([MS-SMB2] 2.2.41).
const TransformFlagEncrypted uint16 = 0x0001

// TransformHeader is the SMB2 TRANSFORM_HEADER before an encrypted message,
// [MS-SMB2] 2.2.41.
type TransformHeader struct {
	Signature           [16]byte
	Nonce               [16]byte // 11 bytes used by CCM, 12 by GCM
	OriginalMessageSize uint32
	Flags               uint16
	SessionID           uint64
}

// Decode reads the header at the start of b. What Flags must be is the caller's check.
func (h *TransformHeader) Decode(b []byte) error {
	if len(b) < TransformHeaderSize {
		return &DecodeError{Field: "TRANSFORM_HEADER", Offset: len(b), Reason: reasonShort}
	}
	if string(b[:4]) != ProtocolTransform {
		return &DecodeError{Field: "TRANSFORM_HEADER.ProtocolId", Offset: 0, Reason: reasonProtocol}
	}
	copy(h.Signature[:], b[4:])
	copy(h.Nonce[:], b[20:])
	h.OriginalMessageSize = le.Uint32(b[36:])
	h.Flags = le.Uint16(b[42:])
	h.SessionID = le.Uint64(b[44:])
	return nil
}

// Put writes the header into the first 52 bytes of b, which must be there.
func (h *TransformHeader) Put(b []byte) {
	_ = b[TransformHeaderSize-1]
	copy(b, ProtocolTransform)
	copy(b[4:], h.Signature[:])
	copy(b[20:], h.Nonce[:])
	le.PutUint32(b[36:], h.OriginalMessageSize)
	le.PutUint16(b[40:], 0)
	le.PutUint16(b[42:], h.Flags)
	le.PutUint64(b[44:], h.SessionID)
}

// Append appends the 52 bytes.
func (h *TransformHeader) Append(dst []byte) []byte {
	dst, b := grow(dst, TransformHeaderSize)
	h.Put(b)
	return dst
}

// CompressionTransformHeaderSize is the length of both forms of the header.
const CompressionTransformHeaderSize = 16

// CompressionTransformHeader is the SMB2 COMPRESSION_TRANSFORM_HEADER, [MS-SMB2]
// 2.2.42. In the unchained form Offset is the number of bytes behind the header that
// are not compressed. In the chained form these last eight bytes are the first
// payload header: algorithm, flags, and Offset holds its Length.
type CompressionTransformHeader struct {
	OriginalCompressedSegmentSize uint32
	CompressionAlgorithm          uint16
	Flags                         uint16 // 1: chained
	Offset                        uint32
}

// Decode reads the header at the start of b. OriginalCompressedSegmentSize is what the
// peer claims: allocate by it only up to the negotiated sizes.
func (h *CompressionTransformHeader) Decode(b []byte) error {
	if len(b) < CompressionTransformHeaderSize {
		return &DecodeError{Field: "COMPRESSION_TRANSFORM_HEADER", Offset: len(b), Reason: reasonShort}
	}
	if string(b[:4]) != ProtocolCompression {
		return &DecodeError{Field: "COMPRESSION_TRANSFORM_HEADER.ProtocolId", Offset: 0, Reason: reasonProtocol}
	}
	h.OriginalCompressedSegmentSize = le.Uint32(b[4:])
	h.CompressionAlgorithm = le.Uint16(b[8:])
	h.Flags = le.Uint16(b[10:])
	h.Offset = le.Uint32(b[12:])
	return nil
}

// Append appends the 16 bytes.
func (h *CompressionTransformHeader) Append(dst []byte) []byte {
	dst = append(dst, ProtocolCompression...)
	dst = le.AppendUint32(dst, h.OriginalCompressedSegmentSize)
	dst = le.AppendUint16(dst, h.CompressionAlgorithm)
	dst = le.AppendUint16(dst, h.Flags)
	return le.AppendUint32(dst, h.Offset)
}
