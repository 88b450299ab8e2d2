package smb2

// ACEType is AceType, [MS-DTYP] 2.4.4.1.
type ACEType uint8

// Values of ACEType that file systems use.
const (
	AccessAllowedACE               ACEType = 0x00
	AccessDeniedACE                ACEType = 0x01
	SystemAuditACE                 ACEType = 0x02
	SystemAlarmACE                 ACEType = 0x03
	AccessAllowedObjectACE         ACEType = 0x05
	AccessDeniedObjectACE          ACEType = 0x06
	SystemAuditObjectACE           ACEType = 0x07
	AccessAllowedCallbackACE       ACEType = 0x09
	AccessDeniedCallbackACE        ACEType = 0x0A
	AccessAllowedCallbackObjectACE ACEType = 0x0B
	AccessDeniedCallbackObjectACE  ACEType = 0x0C
	SystemAuditCallbackACE         ACEType = 0x0D
	SystemAuditCallbackObjectACE   ACEType = 0x0F
	SystemMandatoryLabelACE        ACEType = 0x11
	SystemResourceAttributeACE     ACEType = 0x12
	SystemScopedPolicyIDACE        ACEType = 0x13
)

// Values of ACE.Flags, [MS-DTYP] 2.4.4.1.
const (
	ObjectInheritACE        uint8 = 0x01
	ContainerInheritACE     uint8 = 0x02
	NoPropagateInheritACE   uint8 = 0x04
	InheritOnlyACE          uint8 = 0x08
	InheritedACE            uint8 = 0x10
	SuccessfulAccessACEFlag uint8 = 0x40
	FailedAccessACEFlag     uint8 = 0x80
)

// Bits of the Flags field of object ACEs: which GUIDs follow ([MS-DTYP] 2.4.4.3).
const (
	aceObjectType          = 0x00000001
	aceInheritedObjectType = 0x00000002
)

// ACE is one entry of an ACL, [MS-DTYP] 2.4.4. Of a type not listed above, Mask, Object
// and SID are zero and Data is all behind its header.
type ACE struct {
	Type   ACEType
	Flags  uint8
	Mask   AccessMask
	Object []byte // of object ACEs: Flags and the GUIDs it announces
	SID    SID
	Data   []byte // application data behind the SID
}

// hasSID says whether an ACE of the type is a mask and a SID, and whether object
// fields stand between them.
func (t ACEType) hasSID() (sid, object bool) {
	switch t {
	case AccessAllowedACE, AccessDeniedACE, SystemAuditACE, SystemAlarmACE, AccessAllowedCallbackACE, AccessDeniedCallbackACE,
		SystemAuditCallbackACE, SystemMandatoryLabelACE, SystemResourceAttributeACE, SystemScopedPolicyIDACE:
		return true, false
	case AccessAllowedObjectACE, AccessDeniedObjectACE, SystemAuditObjectACE, AccessAllowedCallbackObjectACE,
		AccessDeniedCallbackObjectACE, SystemAuditCallbackObjectACE:
		return true, true
	default:
		return false, false
	}
}

// decode reads an ACE from exactly its bytes. Data aliases b.
func (a *ACE) decode(b []byte) error {
	*a = ACE{Type: ACEType(b[0]), Flags: b[1]}
	sid, object := a.Type.hasSID()
	if !sid {
		a.Data = b[4:]
		return nil
	}
	if err := need("ACE.Mask", b, 8); err != nil {
		return err
	}
	a.Mask = AccessMask(le.Uint32(b[4:]))
	b = b[8:]
	if object {
		if err := need("ACE.Flags", b, 4); err != nil {
			return err
		}
		n := 4
		for _, bit := range []uint32{aceObjectType, aceInheritedObjectType} {
			if le.Uint32(b)&bit != 0 {
				n += 16
			}
		}
		if err := need("ACE.ObjectType", b, n); err != nil {
			return err
		}
		a.Object, b = b[:n:n], b[n:]
	}
	if err := a.SID.Decode(b); err != nil {
		return err
	}
	a.Data = b[a.SID.Size():]
	return nil
}

// append appends the ACE, 4-byte aligned as all its parts are but perhaps Data.
func (a *ACE) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, byte(a.Type), a.Flags, 0, 0)
	if sid, _ := a.Type.hasSID(); sid {
		dst = le.AppendUint32(dst, uint32(a.Mask))
		dst = append(dst, a.Object...)
		dst = a.SID.Append(dst)
	}
	dst = pad4(append(dst, a.Data...), start)
	le.PutUint16(dst[start+2:], uint16(len(dst)-start))
	return dst
}

// ACL is an access control list, [MS-DTYP] 2.4.5.
type ACL struct {
	Revision uint8 // 2, or 4 with object ACEs
	ACEs     []ACE
}

// Decode reads the ACL at the start of b.
func (l *ACL) Decode(b []byte) error {
	if err := need("ACL", b, 8); err != nil {
		return err
	}
	size, count := int(le.Uint16(b[2:])), int(le.Uint16(b[4:]))
	if size < 8 || size > len(b) {
		return &DecodeError{Command: CommandQueryInfo, Field: "ACL.AclSize", Offset: 2, Reason: reasonBounds}
	}
	l.Revision = b[0]
	l.ACEs = nil
	b = b[8:size]
	if count*4 > len(b) {
		return &DecodeError{Command: CommandQueryInfo, Field: "ACL.AceCount", Offset: 4, Reason: reasonCount}
	}
	for ; count > 0; count-- {
		if err := need("ACE", b, 4); err != nil {
			return err
		}
		n := int(le.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			return &DecodeError{Command: CommandQueryInfo, Field: "ACE.AceSize", Offset: size - len(b), Reason: reasonBounds}
		}
		var a ACE
		if err := a.decode(b[:n:n]); err != nil {
			return err
		}
		l.ACEs = append(l.ACEs, a)
		b = b[n:]
	}
	return nil
}

// Append appends the ACL.
func (l *ACL) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, l.Revision, 0, 0, 0)
	dst = le.AppendUint32(dst, uint32(uint16(len(l.ACEs))))
	for i := range l.ACEs {
		dst = l.ACEs[i].append(dst)
	}
	le.PutUint16(dst[start+2:], uint16(len(dst)-start))
	return dst
}
