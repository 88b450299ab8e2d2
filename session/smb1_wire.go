package session

import (
	"bytes"
	"errors"

	"smbproxy/internal/smb2"
)

// The two dialects of the multi-protocol NEGOTIATE that mean SMB2 ([MS-SMB2] 3.3.5.3).
const (
	smb1Dialect202      = "SMB 2.002"
	smb1DialectWildcard = "SMB 2.???"
)

// What little of [MS-CIFS] 2.2.3.1 and 2.2.4.52 is needed.
const (
	smb1HeaderSize   = 32
	smb1Negotiate    = 0x72
	smb1FlagReply    = 0x80
	smb1BufferFormat = 0x02 // before each dialect string, which ends in NUL
)

// smb1Dialects are the dialects of an SMB_COM_NEGOTIATE request; any other message is an error.
func smb1Dialects(msg []byte) ([]string, error) {
	const fixed = smb1HeaderSize + 3 // WordCount, ByteCount
	if len(msg) < fixed || string(msg[:4]) != smb2.ProtocolSMB1 || msg[4] != smb1Negotiate || msg[9]&smb1FlagReply != 0 || msg[32] != 0 {
		return nil, errors.New("not an SMB_COM_NEGOTIATE request")
	}
	n := int(le.Uint16(msg[33:]))
	if n > len(msg)-fixed {
		return nil, errors.New("ByteCount outside the message")
	}
	var list []string
	for b := msg[fixed : fixed+n]; len(b) > 0; {
		end := bytes.IndexByte(b, 0)
		if b[0] != smb1BufferFormat || end < 1 {
			return nil, errors.New("malformed dialect string")
		}
		list = append(list, string(b[1:end]))
		b = b[end+1:]
	}
	return list, nil
}

// appendSMB1Refusal appends the response to msg that says that no dialect fits: WordCount 1, DialectIndex 0xFFFF.
func appendSMB1Refusal(dst, msg []byte) []byte {
	start := len(dst)
	dst = append(dst, msg[:smb1HeaderSize]...)
	clear(dst[start+5 : start+9]) // Status
	dst[start+9] |= smb1FlagReply
	return append(dst, 1, 0xFF, 0xFF, 0, 0)
}
