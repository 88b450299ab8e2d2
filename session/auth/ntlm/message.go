package ntlm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"
)

// signature begins every NTLM message, [MS-NLMP] 2.2.1.
const signature = "NTLMSSP\x00"

// Message types.
const (
	typeNegotiate    = 1
	typeChallenge    = 2
	typeAuthenticate = 3
)

// Offsets in the AUTHENTICATE_MESSAGE, [MS-NLMP] 2.2.1.3.
const (
	authFlagsOffset = 60
	authMinSize     = 64 // old clients stop behind NegotiateFlags
	micOffset       = 72 // behind the 8 bytes of Version, which are there whenever the MIC is
	micSize         = 16
	micEnd          = micOffset + micSize
)

// maxName bounds user, domain and workstation names, in bytes of UTF-16: far above what
// Windows allows, far below what costs anything.
const maxName = 1024

// ErrMessage says that a message is not what [MS-NLMP] 2.2.1 describes.
var ErrMessage = errors.New("malformed NTLM message")

// IsMessage says whether a token is an NTLM message rather than a GSS-API token.
func IsMessage(token []byte) bool { return len(token) >= 12 && string(token[:8]) == signature }

// messageType is the type of a token for which IsMessage holds.
func messageType(token []byte) uint32 { return binary.LittleEndian.Uint32(token[8:]) }

// Negotiate is what an acceptor needs of the NEGOTIATE_MESSAGE, [MS-NLMP] 2.2.1.1: the
// names in it are hints that nobody uses.
type Negotiate struct{ Flags Flags }

// Decode reads a NEGOTIATE_MESSAGE. 16 bytes are enough: not every client sends the names.
func (m *Negotiate) Decode(msg []byte) error {
	if !IsMessage(msg) || messageType(msg) != typeNegotiate || len(msg) < 16 {
		return ErrMessage
	}
	m.Flags = Flags(binary.LittleEndian.Uint32(msg[12:]))
	return nil
}

// Challenge is the CHALLENGE_MESSAGE, [MS-NLMP] 2.2.1.2.
type Challenge struct {
	Flags      Flags
	TargetName string
	Challenge  [8]byte
	TargetInfo []byte // AV pairs
}

// challengeHeader is the size of a CHALLENGE_MESSAGE with Version and before the payload.
const challengeHeader = 56

// Append encodes the message.
func (m *Challenge) Append(dst []byte) []byte {
	name := utf16le(m.TargetName)
	h := make([]byte, challengeHeader)
	copy(h, signature)
	binary.LittleEndian.PutUint32(h[8:], typeChallenge)
	putField(h[12:], len(name), challengeHeader)
	binary.LittleEndian.PutUint32(h[20:], uint32(m.Flags))
	copy(h[24:], m.Challenge[:])
	putField(h[40:], len(m.TargetInfo), challengeHeader+len(name))
	if m.Flags&NegotiateVersion != 0 {
		copy(h[48:], []byte{6, 1, 0, 0, 0, 0, 0, 15}) // Samba: 6.1 build 0, revision 15
	}
	return append(append(append(dst, h...), name...), m.TargetInfo...)
}

// Authenticate is the AUTHENTICATE_MESSAGE, [MS-NLMP] 2.2.1.3. The slices alias the message.
type Authenticate struct {
	Flags                     Flags
	LMResponse, NTResponse    []byte
	User, Domain, Workstation string
	EncryptedSessionKey       []byte
	HasMICField               bool // the payload leaves room for a MIC; whether it is one, AV_FLAGS says
	MIC                       [micSize]byte
}

// Decode reads an AUTHENTICATE_MESSAGE with Unicode strings.
func (m *Authenticate) Decode(msg []byte) error {
	if !IsMessage(msg) || messageType(msg) != typeAuthenticate || len(msg) < authMinSize {
		return ErrMessage
	}
	*m = Authenticate{Flags: Flags(binary.LittleEndian.Uint32(msg[authFlagsOffset:]))}
	payload := len(msg)
	var user, domain, workstation []byte
	for _, f := range []struct {
		at  int
		out *[]byte
		max int
	}{
		{12, &m.LMResponse, len(msg)}, {20, &m.NTResponse, len(msg)}, {28, &domain, maxName}, {36, &user, maxName},
		{44, &workstation, maxName}, {52, &m.EncryptedSessionKey, 16},
	} {
		n, off := int(binary.LittleEndian.Uint16(msg[f.at:])), binary.LittleEndian.Uint32(msg[f.at+4:])
		if n == 0 {
			continue
		}
		if n > f.max || off < authMinSize || uint64(off)+uint64(n) > uint64(len(msg)) {
			return ErrMessage
		}
		payload = min(payload, int(off))
		*f.out = msg[off : int(off)+n : int(off)+n]
	}
	var ok [3]bool
	m.User, ok[0] = fromUTF16le(user)
	m.Domain, ok[1] = fromUTF16le(domain)
	m.Workstation, ok[2] = fromUTF16le(workstation)
	if ok != [3]bool{true, true, true} {
		return ErrMessage
	}
	if payload >= micEnd {
		m.HasMICField = true
		copy(m.MIC[:], msg[micOffset:])
	}
	return nil
}

// putField writes the length, maximum length and offset of a payload field, [MS-NLMP] 2.2.
func putField(b []byte, n, off int) {
	binary.LittleEndian.PutUint16(b, uint16(n))
	binary.LittleEndian.PutUint16(b[2:], uint16(n))
	binary.LittleEndian.PutUint32(b[4:], uint32(off))
}

// utf16le encodes a string as NTLM carries it, without a terminator.
func utf16le(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// fromUTF16le decodes; false where the bytes are no UTF-16 or hold a NUL. A name that does not
// survive the way there and back would be hashed as another name.
func fromUTF16le(b []byte) (string, bool) {
	if len(b)%2 != 0 {
		return "", false
	}
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	s := string(utf16.Decode(u))
	return s, !strings.ContainsRune(s, 0) && bytes.Equal(utf16le(s), b)
}
