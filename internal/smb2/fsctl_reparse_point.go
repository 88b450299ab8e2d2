package smb2

// ReparseTagMountPoint is the tag of a mount point ([MS-FSCC] 2.1.2.1); that of a
// symbolic link is ReparseTagSymlink.
const ReparseTagMountPoint uint32 = 0xA0000003

// ReparseDataBuffer is REPARSE_DATA_BUFFER, [MS-FSCC] 2.1.2.2, and with a GUID (a tag
// without the Microsoft bit) REPARSE_GUID_DATA_BUFFER, 2.1.2.3.
type ReparseDataBuffer struct {
	ReparseTag uint32
	GUID       GUID // only with a tag that is not Microsoft's
	Data       []byte
}

// hasGUID says which of the two forms it is.
func (r *ReparseDataBuffer) hasGUID() bool { return r.ReparseTag&0x80000000 == 0 }

// Decode reads the structure. Data aliases b.
func (r *ReparseDataBuffer) Decode(b []byte) (err error) {
	if err = need("REPARSE_DATA_BUFFER", b, 8); err != nil {
		return err
	}
	n := uint32(le.Uint16(b[4:]))
	*r = ReparseDataBuffer{ReparseTag: le.Uint32(b)}
	at := 8
	if r.hasGUID() {
		if err = need("REPARSE_GUID_DATA_BUFFER", b, 24); err != nil {
			return err
		}
		copy(r.GUID[:], b[8:])
		at = 24
	}
	r.Data, err = tail("REPARSE_DATA_BUFFER.ReparseDataLength", b, at, n)
	return err
}

// Append appends the structure.
func (r *ReparseDataBuffer) Append(dst []byte) []byte {
	dst = le.AppendUint32(dst, r.ReparseTag)
	dst = le.AppendUint32(dst, uint32(uint16(len(r.Data))))
	if r.hasGUID() {
		dst = append(dst, r.GUID[:]...)
	}
	return append(dst, r.Data...)
}

// SymbolicLinkReparseData is Data of a symbolic link, [MS-FSCC] 2.1.2.4, and without
// Flags of a mount point, 2.1.2.5.
type SymbolicLinkReparseData struct {
	MountPoint     bool // not on the wire: which of the two
	SubstituteName string
	PrintName      string
	Flags          uint32 // SymlinkFlagRelative
}

// Decode reads the structure; MountPoint says how.
func (s *SymbolicLinkReparseData) Decode(b []byte) (err error) {
	const name = "SymbolicLinkReparseDataBuffer"
	path := 12
	if s.MountPoint {
		path = 8
	}
	if err = need(name, b, path); err != nil {
		return err
	}
	s.Flags = 0
	if !s.MountPoint {
		s.Flags = le.Uint32(b[8:])
	}
	s.SubstituteName, err = text(CommandIoctl, name+".SubstituteName", b[path:], uint32(le.Uint16(b)), uint32(le.Uint16(b[2:])), 0)
	if err != nil {
		return err
	}
	s.PrintName, err = text(CommandIoctl, name+".PrintName", b[path:], uint32(le.Uint16(b[4:])), uint32(le.Uint16(b[6:])), 0)
	return err
}

// Append appends the structure. Names of a mount point end in a NUL that no length
// counts.
func (s *SymbolicLinkReparseData) Append(dst []byte) []byte {
	sub, shown := UTF16Len(s.SubstituteName), UTF16Len(s.PrintName)
	at := sub
	if s.MountPoint {
		at += 2
	}
	dst = le.AppendUint16(dst, 0)
	dst = le.AppendUint16(dst, uint16(sub))
	dst = le.AppendUint16(dst, uint16(at))
	dst = le.AppendUint16(dst, uint16(shown))
	if !s.MountPoint {
		dst = le.AppendUint32(dst, s.Flags)
		return AppendUTF16(AppendUTF16(dst, s.SubstituteName), s.PrintName)
	}
	dst = append(AppendUTF16(dst, s.SubstituteName), 0, 0)
	return append(AppendUTF16(dst, s.PrintName), 0, 0)
}
