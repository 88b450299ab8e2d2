package smb2

// SecurityDescriptorControl are the control bits, [MS-DTYP] 2.4.6.
type SecurityDescriptorControl uint16

// Values of SecurityDescriptorControl.
const (
	SEOwnerDefaulted       SecurityDescriptorControl = 0x0001
	SEGroupDefaulted       SecurityDescriptorControl = 0x0002
	SEDaclPresent          SecurityDescriptorControl = 0x0004
	SEDaclDefaulted        SecurityDescriptorControl = 0x0008
	SESaclPresent          SecurityDescriptorControl = 0x0010
	SESaclDefaulted        SecurityDescriptorControl = 0x0020
	SEDaclAutoInheritReq   SecurityDescriptorControl = 0x0100
	SESaclAutoInheritReq   SecurityDescriptorControl = 0x0200
	SEDaclAutoInherited    SecurityDescriptorControl = 0x0400
	SESaclAutoInherited    SecurityDescriptorControl = 0x0800
	SEDaclProtected        SecurityDescriptorControl = 0x1000
	SESaclProtected        SecurityDescriptorControl = 0x2000
	SERMControlValid       SecurityDescriptorControl = 0x4000
	SESelfRelative         SecurityDescriptorControl = 0x8000
	securityDescriptorSize                           = 20
)

// SecurityDescriptor is a self-relative SECURITY_DESCRIPTOR, [MS-DTYP] 2.4.6. A nil
// Dacl with SEDaclPresent is the null DACL, which grants everything; likewise Sacl.
type SecurityDescriptor struct {
	Sbz1    uint8 // resource manager control bits if SERMControlValid
	Control SecurityDescriptorControl
	Owner   *SID
	Group   *SID
	Sacl    *ACL
	Dacl    *ACL
}

// Decode reads the structure. Parts may overlap or stand in any order; each must lie
// within b.
func (d *SecurityDescriptor) Decode(b []byte) (err error) {
	if err = need("SECURITY_DESCRIPTOR", b, securityDescriptorSize); err != nil {
		return err
	}
	if b[0] != 1 {
		return &DecodeError{Command: CommandQueryInfo, Field: "SECURITY_DESCRIPTOR.Revision", Offset: 0, Reason: reasonValue}
	}
	*d = SecurityDescriptor{Sbz1: b[1], Control: SecurityDescriptorControl(le.Uint16(b[2:]))}
	if d.Control&SESelfRelative == 0 {
		return &DecodeError{Command: CommandQueryInfo, Field: "SECURITY_DESCRIPTOR.Control", Offset: 2, Reason: reasonValue}
	}
	if d.Owner, err = sidAt(b, "OffsetOwner", 4); err != nil {
		return err
	}
	if d.Group, err = sidAt(b, "OffsetGroup", 8); err != nil {
		return err
	}
	if d.Control&SESaclPresent != 0 {
		if d.Sacl, err = aclAt(b, "OffsetSacl", 12); err != nil {
			return err
		}
	}
	if d.Control&SEDaclPresent != 0 {
		d.Dacl, err = aclAt(b, "OffsetDacl", 16)
	}
	return err
}

// partAt returns what the offset in the field at points to; nil for offset 0.
func partAt(b []byte, field string, at int) ([]byte, error) {
	off := le.Uint32(b[at:])
	if off == 0 {
		return nil, nil
	}
	if off < securityDescriptorSize || uint64(off) > uint64(len(b)) {
		return nil, &DecodeError{Command: CommandQueryInfo, Field: "SECURITY_DESCRIPTOR." + field, Offset: at, Reason: reasonBounds}
	}
	return b[off:], nil
}

// sidAt reads an owner or a group.
func sidAt(b []byte, field string, at int) (*SID, error) {
	b, err := partAt(b, field, at)
	if b == nil || err != nil {
		return nil, err
	}
	s := new(SID)
	return s, s.Decode(b)
}

// aclAt reads an ACL.
func aclAt(b []byte, field string, at int) (*ACL, error) {
	b, err := partAt(b, field, at)
	if b == nil || err != nil {
		return nil, err
	}
	a := new(ACL)
	return a, a.Decode(b)
}

// Append appends the structure, parts in the order SACL, DACL, owner, group, as Windows has it;
// SESelfRelative is set. Samba: smbd puts owner and group first, so its bytes differ.
func (d *SecurityDescriptor) Append(dst []byte) []byte {
	start := len(dst)
	dst, b := grow(dst, securityDescriptorSize)
	b[0] = 1
	b[1] = d.Sbz1
	le.PutUint16(b[2:], uint16(d.Control|SESelfRelative))
	here := func(at int) { le.PutUint32(dst[start+at:], uint32(len(dst)-start)) }
	if d.Sacl != nil && d.Control&SESaclPresent != 0 {
		here(12)
		dst = d.Sacl.Append(dst)
	}
	if d.Dacl != nil && d.Control&SEDaclPresent != 0 {
		here(16)
		dst = d.Dacl.Append(dst)
	}
	if d.Owner != nil {
		here(4)
		dst = d.Owner.Append(dst)
	}
	if d.Group != nil {
		here(8)
		dst = d.Group.Append(dst)
	}
	return dst
}
