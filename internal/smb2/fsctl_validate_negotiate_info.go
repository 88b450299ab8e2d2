package smb2

// ValidateNegotiateInfoRequest is the input of FSCTL_VALIDATE_NEGOTIATE_INFO,
// [MS-SMB2] 2.2.31.4.
type ValidateNegotiateInfoRequest struct {
	Capabilities Capabilities
	GUID         GUID
	SecurityMode SecurityMode
	Dialects     []Dialect
}

// Decode reads the structure.
func (v *ValidateNegotiateInfoRequest) Decode(b []byte) error {
	if err := need("VALIDATE_NEGOTIATE_INFO", b, 24); err != nil {
		return err
	}
	n := int(le.Uint16(b[22:]))
	if 24+2*n > len(b) {
		return &DecodeError{Command: CommandIoctl, Field: "VALIDATE_NEGOTIATE_INFO.DialectCount", Offset: 22, Reason: reasonCount}
	}
	v.Capabilities = Capabilities(le.Uint32(b))
	copy(v.GUID[:], b[4:])
	v.SecurityMode = SecurityMode(le.Uint16(b[20:]))
	v.Dialects = v.Dialects[:0]
	for i := range n {
		v.Dialects = append(v.Dialects, Dialect(le.Uint16(b[24+2*i:])))
	}
	return nil
}

// Append appends the structure.
func (v *ValidateNegotiateInfoRequest) Append(dst []byte) []byte {
	dst = le.AppendUint32(dst, uint32(v.Capabilities))
	dst = append(dst, v.GUID[:]...)
	dst = le.AppendUint16(dst, uint16(v.SecurityMode))
	dst = le.AppendUint16(dst, uint16(len(v.Dialects)))
	for _, d := range v.Dialects {
		dst = le.AppendUint16(dst, uint16(d))
	}
	return dst
}

// ValidateNegotiateInfoResponse is its output, [MS-SMB2] 2.2.32.6.
type ValidateNegotiateInfoResponse struct {
	Capabilities Capabilities
	GUID         GUID
	SecurityMode SecurityMode
	Dialect      Dialect
}

// Decode reads the structure.
func (v *ValidateNegotiateInfoResponse) Decode(b []byte) error {
	if err := need("VALIDATE_NEGOTIATE_INFO", b, 24); err != nil {
		return err
	}
	v.Capabilities = Capabilities(le.Uint32(b))
	copy(v.GUID[:], b[4:])
	v.SecurityMode = SecurityMode(le.Uint16(b[20:]))
	v.Dialect = Dialect(le.Uint16(b[22:]))
	return nil
}

// Append appends the structure.
func (v *ValidateNegotiateInfoResponse) Append(dst []byte) []byte {
	dst = le.AppendUint32(dst, uint32(v.Capabilities))
	dst = append(dst, v.GUID[:]...)
	dst = le.AppendUint16(dst, uint16(v.SecurityMode))
	return le.AppendUint16(dst, uint16(v.Dialect))
}
