package smb2

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// ErrOddUTF16 is what DecodeUTF16 answers to half a code unit.
var ErrOddUTF16 = errors.New("smb2: odd number of bytes of UTF-16")

// Bounds of the two halves of a surrogate pair.
const (
	surrogateHigh = 0xD800
	surrogateLow  = 0xDC00
	surrogateEnd  = 0xE000
)

// AppendUTF16 appends s as UTF-16LE. s is WTF-8: an unpaired surrogate is the three
// bytes that UTF-8 would use if it could, and comes out as it went in. A byte that
// is neither becomes U+FFFD.
func AppendUTF16(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			dst = append(dst, c, 0)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			if u, ok := surrogateAt(s[i:]); ok {
				dst = le.AppendUint16(dst, u)
				i += 3
				continue
			}
		}
		i += n
		if r >= 0x10000 {
			r -= 0x10000
			dst = le.AppendUint16(dst, uint16(surrogateHigh+r>>10))
			dst = le.AppendUint16(dst, uint16(surrogateLow+r&0x3FF))
			continue
		}
		dst = le.AppendUint16(dst, uint16(r))
	}
	return dst
}

// surrogateAt reads the WTF-8 form of one surrogate at the start of s.
func surrogateAt(s string) (uint16, bool) {
	if len(s) < 3 || s[0] != 0xED || s[1]&0xE0 != 0xA0 || s[2]&0xC0 != 0x80 {
		return 0, false
	}
	return 0xD000 | uint16(s[1]&0x3F)<<6 | uint16(s[2]&0x3F), true
}

// UTF16Len is the number of bytes that AppendUTF16 appends.
func UTF16Len(s string) int {
	n := 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			i++
			n += 2
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			if _, ok := surrogateAt(s[i:]); ok {
				size = 3
			}
		}
		i += size
		n += 2
		if r >= 0x10000 {
			n += 2
		}
	}
	return n
}

// DecodeUTF16 is the inverse of AppendUTF16. The only fault is an odd length: every
// sequence of 16-bit units is a name to Windows.
func DecodeUTF16(b []byte) (string, error) {
	if len(b)%2 != 0 {
		return "", ErrOddUTF16
	}
	if len(b) == 0 {
		return "", nil
	}
	var sb strings.Builder
	sb.Grow(len(b)/2 + len(b)/8)
	for i := 0; i < len(b); i += 2 {
		u := le.Uint16(b[i:])
		switch {
		case u < utf8.RuneSelf:
			sb.WriteByte(byte(u))
		case u < surrogateHigh || u >= surrogateEnd:
			sb.WriteRune(rune(u))
		default:
			if u < surrogateLow && i+4 <= len(b) {
				if v := le.Uint16(b[i+2:]); v >= surrogateLow && v < surrogateEnd {
					sb.WriteRune(0x10000 + (rune(u)-surrogateHigh)<<10 + rune(v) - surrogateLow)
					i += 2
					continue
				}
			}
			sb.WriteByte(0xED)
			sb.WriteByte(0x80 | byte(u>>6)&0x3F)
			sb.WriteByte(0x80 | byte(u)&0x3F)
		}
	}
	return sb.String(), nil
}
