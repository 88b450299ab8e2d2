package smb2

// NegotiateContextType is the type of a negotiate context, [MS-SMB2] 2.2.3.1.
type NegotiateContextType uint16

// Values of NegotiateContextType.
const (
	ContextPreauthIntegrity NegotiateContextType = 0x0001
	ContextEncryption       NegotiateContextType = 0x0002
	ContextCompression      NegotiateContextType = 0x0003
	ContextNetname          NegotiateContextType = 0x0005
	ContextTransport        NegotiateContextType = 0x0006
	ContextRDMATransform    NegotiateContextType = 0x0007
	ContextSigning          NegotiateContextType = 0x0008
)

// Values inside the contexts.
const (
	PreauthSHA512 uint16 = 0x0001 // [MS-SMB2] 2.2.3.1.1

	EncryptionAES128CCM uint16 = 0x0001 // 2.2.3.1.2
	EncryptionAES128GCM uint16 = 0x0002
	EncryptionAES256CCM uint16 = 0x0003
	EncryptionAES256GCM uint16 = 0x0004

	CompressionNone        uint16 = 0x0000 // 2.2.3.1.3
	CompressionLZNT1       uint16 = 0x0001
	CompressionLZ77        uint16 = 0x0002
	CompressionLZ77Huffman uint16 = 0x0003
	CompressionPatternV1   uint16 = 0x0004
	CompressionLZ4         uint16 = 0x0005
	CompressionChained     uint32 = 0x00000001 // its Flags

	TransportAcceptTransportLevelSecurity uint32 = 0x00000001 // 2.2.3.1.5

	RDMATransformNone       uint16 = 0x0000 // 2.2.3.1.6
	RDMATransformEncryption uint16 = 0x0001
	RDMATransformSigning    uint16 = 0x0002

	SigningHMACSHA256 uint16 = 0x0000 // 2.2.3.1.7
	SigningAESCMAC    uint16 = 0x0001
	SigningAESGMAC    uint16 = 0x0002
)

// NegotiateContext is one context, [MS-SMB2] 2.2.3.1. Data is decoded by the type
// below that fits.
type NegotiateContext struct {
	Type NegotiateContextType
	Data []byte
}

// negotiateContextHeader is the length of what stands before Data.
const negotiateContextHeader = 8

// decodeNegotiateContexts appends the count contexts at off of msg to list.
func decodeNegotiateContexts(list []NegotiateContext, msg []byte, off uint32, count uint16, min int) ([]NegotiateContext, error) {
	bad := func(field, reason string) error {
		return &DecodeError{Command: CommandNegotiate, Field: field, Offset: int(off), Reason: reason}
	}
	if count == 0 {
		return list, nil
	}
	if int64(off) < int64(min) || int64(off) > int64(len(msg)) {
		return list, bad("NegotiateContextOffset", reasonBounds)
	}
	if off%8 != 0 {
		return list, bad("NegotiateContextOffset", reasonAlignment)
	}
	if int(count)*negotiateContextHeader > len(msg)-int(off) {
		return list, bad("NegotiateContextCount", reasonCount)
	}
	for i := uint16(0); i < count; i++ {
		if i != 0 {
			off = (off + 7) &^ 7
		}
		if int64(off)+negotiateContextHeader > int64(len(msg)) {
			return list, bad("NegotiateContext", reasonShort)
		}
		n := int(le.Uint16(msg[off+2:]))
		typ := NegotiateContextType(le.Uint16(msg[off:]))
		off += negotiateContextHeader
		if int(off)+n > len(msg) {
			return list, bad("NegotiateContext.DataLength", reasonBounds)
		}
		list = append(list, NegotiateContext{Type: typ, Data: msg[off : int(off)+n : int(off)+n]})
		off += uint32(n)
	}
	return list, nil
}

// appendNegotiateContexts appends the list; all but the last are padded to 8 bytes.
func appendNegotiateContexts(dst []byte, list []NegotiateContext) []byte {
	start := len(dst)
	for _, c := range list {
		dst = pad8(dst, start)
		dst = le.AppendUint16(dst, uint16(c.Type))
		dst = le.AppendUint16(dst, uint16(len(c.Data)))
		dst = le.AppendUint32(dst, 0)
		dst = append(dst, c.Data...)
	}
	return dst
}

// FindNegotiateContext returns the data of the first context of the type, and how many
// there are: most types may stand only once.
func FindNegotiateContext(list []NegotiateContext, typ NegotiateContextType) (data []byte, count int) {
	for _, c := range list {
		if c.Type == typ {
			if count == 0 {
				data = c.Data
			}
			count++
		}
	}
	return data, count
}

// decodeUint16s reads n numbers at off of the data of a context.
func decodeUint16s(field string, data []byte, off, n int) ([]uint16, error) {
	if off+2*n > len(data) {
		return nil, &DecodeError{Command: CommandNegotiate, Field: field, Offset: 0, Reason: reasonCount}
	}
	list := make([]uint16, n)
	for i := range list {
		list[i] = le.Uint16(data[off+2*i:])
	}
	return list, nil
}

// appendUint16s appends the numbers.
func appendUint16s(dst []byte, list []uint16) []byte {
	for _, n := range list {
		dst = le.AppendUint16(dst, n)
	}
	return dst
}

// contextShort is the error for data that ends before its fixed part does.
func contextShort(field string, data []byte) error {
	return &DecodeError{Command: CommandNegotiate, Field: field, Offset: len(data), Reason: reasonShort}
}

// PreauthIntegrityCapabilities is [MS-SMB2] 2.2.3.1.1.
type PreauthIntegrityCapabilities struct {
	HashAlgorithms []uint16
	Salt           []byte
}

// Decode reads the data of a context.
func (c *PreauthIntegrityCapabilities) Decode(data []byte) (err error) {
	if len(data) < 4 {
		return contextShort("PREAUTH_INTEGRITY", data)
	}
	n, salt := int(le.Uint16(data)), int(le.Uint16(data[2:]))
	if c.HashAlgorithms, err = decodeUint16s("PREAUTH_INTEGRITY.HashAlgorithmCount", data, 4, n); err != nil {
		return err
	}
	at := 4 + 2*n
	if at+salt > len(data) {
		return &DecodeError{Command: CommandNegotiate, Field: "PREAUTH_INTEGRITY.SaltLength", Offset: 2, Reason: reasonBounds}
	}
	c.Salt = data[at : at+salt : at+salt]
	return nil
}

// Append appends the data of a context.
func (c *PreauthIntegrityCapabilities) Append(dst []byte) []byte {
	dst = le.AppendUint16(dst, uint16(len(c.HashAlgorithms)))
	dst = le.AppendUint16(dst, uint16(len(c.Salt)))
	dst = appendUint16s(dst, c.HashAlgorithms)
	return append(dst, c.Salt...)
}

// Context wraps the data.
func (c *PreauthIntegrityCapabilities) Context() NegotiateContext {
	return NegotiateContext{Type: ContextPreauthIntegrity, Data: c.Append(nil)}
}

// EncryptionCapabilities is [MS-SMB2] 2.2.3.1.2.
type EncryptionCapabilities struct {
	Ciphers []uint16 // in the client's order of preference
}

// Decode reads the data of a context.
func (c *EncryptionCapabilities) Decode(data []byte) (err error) {
	if len(data) < 2 {
		return contextShort("ENCRYPTION", data)
	}
	c.Ciphers, err = decodeUint16s("ENCRYPTION.CipherCount", data, 2, int(le.Uint16(data)))
	return err
}

// Append appends the data of a context.
func (c *EncryptionCapabilities) Append(dst []byte) []byte {
	return appendUint16s(le.AppendUint16(dst, uint16(len(c.Ciphers))), c.Ciphers)
}

// Context wraps the data.
func (c *EncryptionCapabilities) Context() NegotiateContext {
	return NegotiateContext{Type: ContextEncryption, Data: c.Append(nil)}
}

// CompressionCapabilities is [MS-SMB2] 2.2.3.1.3.
type CompressionCapabilities struct {
	Flags                 uint32 // CompressionChained
	CompressionAlgorithms []uint16
}

// Decode reads the data of a context.
func (c *CompressionCapabilities) Decode(data []byte) (err error) {
	if len(data) < 8 {
		return contextShort("COMPRESSION", data)
	}
	c.Flags = le.Uint32(data[4:])
	c.CompressionAlgorithms, err = decodeUint16s("COMPRESSION.CompressionAlgorithmCount", data, 8, int(le.Uint16(data)))
	return err
}

// Append appends the data of a context.
func (c *CompressionCapabilities) Append(dst []byte) []byte {
	dst = le.AppendUint32(dst, uint32(uint16(len(c.CompressionAlgorithms))))
	dst = le.AppendUint32(dst, c.Flags)
	return appendUint16s(dst, c.CompressionAlgorithms)
}

// Context wraps the data.
func (c *CompressionCapabilities) Context() NegotiateContext {
	return NegotiateContext{Type: ContextCompression, Data: c.Append(nil)}
}

// NetnameNegotiateContextID is [MS-SMB2] 2.2.3.1.4: the name the client dialled.
type NetnameNegotiateContextID struct {
	NetName string
}

// Decode reads the data of a context.
func (c *NetnameNegotiateContextID) Decode(data []byte) (err error) {
	if c.NetName, err = DecodeUTF16(data); err != nil {
		return &DecodeError{Command: CommandNegotiate, Field: "NETNAME", Offset: 0, Reason: reasonOdd}
	}
	return nil
}

// Append appends the data of a context.
func (c *NetnameNegotiateContextID) Append(dst []byte) []byte { return AppendUTF16(dst, c.NetName) }

// Context wraps the data.
func (c *NetnameNegotiateContextID) Context() NegotiateContext {
	return NegotiateContext{Type: ContextNetname, Data: c.Append(nil)}
}

// TransportCapabilities is [MS-SMB2] 2.2.3.1.5.
type TransportCapabilities struct {
	Flags uint32 // TransportAcceptTransportLevelSecurity
}

// Decode reads the data of a context.
func (c *TransportCapabilities) Decode(data []byte) error {
	if len(data) < 4 {
		return contextShort("TRANSPORT", data)
	}
	c.Flags = le.Uint32(data)
	return nil
}

// Append appends the data of a context.
func (c *TransportCapabilities) Append(dst []byte) []byte { return le.AppendUint32(dst, c.Flags) }

// Context wraps the data.
func (c *TransportCapabilities) Context() NegotiateContext {
	return NegotiateContext{Type: ContextTransport, Data: c.Append(nil)}
}

// RDMATransformCapabilities is [MS-SMB2] 2.2.3.1.6.
type RDMATransformCapabilities struct {
	RDMATransformIDs []uint16
}

// Decode reads the data of a context.
func (c *RDMATransformCapabilities) Decode(data []byte) (err error) {
	if len(data) < 8 {
		return contextShort("RDMA_TRANSFORM", data)
	}
	c.RDMATransformIDs, err = decodeUint16s("RDMA_TRANSFORM.TransformCount", data, 8, int(le.Uint16(data)))
	return err
}

// Append appends the data of a context.
func (c *RDMATransformCapabilities) Append(dst []byte) []byte {
	dst = le.AppendUint64(dst, uint64(uint16(len(c.RDMATransformIDs))))
	return appendUint16s(dst, c.RDMATransformIDs)
}

// Context wraps the data.
func (c *RDMATransformCapabilities) Context() NegotiateContext {
	return NegotiateContext{Type: ContextRDMATransform, Data: c.Append(nil)}
}

// SigningCapabilities is [MS-SMB2] 2.2.3.1.7.
type SigningCapabilities struct {
	SigningAlgorithms []uint16 // in the client's order of preference
}

// Decode reads the data of a context.
func (c *SigningCapabilities) Decode(data []byte) (err error) {
	if len(data) < 2 {
		return contextShort("SIGNING", data)
	}
	c.SigningAlgorithms, err = decodeUint16s("SIGNING.SigningAlgorithmCount", data, 2, int(le.Uint16(data)))
	return err
}

// Append appends the data of a context.
func (c *SigningCapabilities) Append(dst []byte) []byte {
	return appendUint16s(le.AppendUint16(dst, uint16(len(c.SigningAlgorithms))), c.SigningAlgorithms)
}

// Context wraps the data.
func (c *SigningCapabilities) Context() NegotiateContext {
	return NegotiateContext{Type: ContextSigning, Data: c.Append(nil)}
}
