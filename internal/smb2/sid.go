package smb2

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxSubAuthorities is the bound of [MS-DTYP] 2.4.2.2.
const maxSubAuthorities = 15

// SID is a security identifier, [MS-DTYP] 2.4.2.2. Its revision is always 1.
type SID struct {
	IdentifierAuthority uint64 // 48 bits
	SubAuthority        []uint32
}

// Size is its length on the wire.
func (s *SID) Size() int { return 8 + 4*len(s.SubAuthority) }

// Decode reads the SID at the start of b.
func (s *SID) Decode(b []byte) error {
	if err := need("SID", b, 8); err != nil {
		return err
	}
	n := int(b[1])
	if b[0] != 1 || n > maxSubAuthorities {
		return &DecodeError{Command: CommandQueryInfo, Field: "SID.Revision", Offset: 0, Reason: reasonValue}
	}
	if 8+4*n > len(b) {
		return &DecodeError{Command: CommandQueryInfo, Field: "SID.SubAuthorityCount", Offset: 1, Reason: reasonCount}
	}
	s.IdentifierAuthority = 0
	for _, c := range b[2:8] {
		s.IdentifierAuthority = s.IdentifierAuthority<<8 | uint64(c)
	}
	s.SubAuthority = make([]uint32, n)
	for i := range s.SubAuthority {
		s.SubAuthority[i] = le.Uint32(b[8+4*i:])
	}
	return nil
}

// Append appends the SID.
func (s *SID) Append(dst []byte) []byte {
	dst = append(dst, 1, byte(len(s.SubAuthority)))
	for shift := 40; shift >= 0; shift -= 8 {
		dst = append(dst, byte(s.IdentifierAuthority>>shift))
	}
	for _, a := range s.SubAuthority {
		dst = le.AppendUint32(dst, a)
	}
	return dst
}

// Equal compares two SIDs.
func (s *SID) Equal(o *SID) bool {
	return s.IdentifierAuthority == o.IdentifierAuthority && slices.Equal(s.SubAuthority, o.SubAuthority)
}

// String is the S-1-... form of [MS-DTYP] 2.4.2.1.
func (s *SID) String() string {
	var b strings.Builder
	if s.IdentifierAuthority < 1<<32 {
		fmt.Fprintf(&b, "S-1-%d", s.IdentifierAuthority)
	} else {
		fmt.Fprintf(&b, "S-1-0x%012x", s.IdentifierAuthority)
	}
	for _, a := range s.SubAuthority {
		fmt.Fprintf(&b, "-%d", a)
	}
	return b.String()
}

// ParseSID reads the S-1-... form.
func ParseSID(text string) (SID, error) {
	parts := strings.Split(text, "-")
	bad := fmt.Errorf("smb2: %q is not a SID", text)
	if len(parts) < 3 || len(parts) > 3+maxSubAuthorities || (parts[0] != "S" && parts[0] != "s") || parts[1] != "1" {
		return SID{}, bad
	}
	authority, err := strconv.ParseUint(parts[2], 0, 48)
	if err != nil {
		return SID{}, bad
	}
	s := SID{IdentifierAuthority: authority, SubAuthority: make([]uint32, 0, len(parts)-3)}
	for _, p := range parts[3:] {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return SID{}, bad
		}
		s.SubAuthority = append(s.SubAuthority, uint32(n))
	}
	return s, nil
}
