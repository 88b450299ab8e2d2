package smb2

import "encoding/binary"

// le is the byte order of everything in SMB2.
var le = binary.LittleEndian

// zeros is what fixed parts and padding are appended from.
var zeros [128]byte

// fixed checks that msg holds its header, size&^1 bytes of body and the right
// StructureSize. An odd size counts one byte of a buffer that may be missing.
func fixed(cmd Command, msg []byte, size uint16) error {
	if len(msg) < HeaderSize+int(size&^1) {
		return &DecodeError{Command: cmd, Field: "Body", Offset: len(msg), Reason: reasonShort}
	}
	if le.Uint16(msg[HeaderSize:]) != size {
		return &DecodeError{Command: cmd, Field: "StructureSize", Offset: HeaderSize, Reason: reasonSize}
	}
	return nil
}

// buffer returns n bytes at off of msg, which must lie behind the first min bytes.
// An empty buffer may have any offset: senders leave there what they like.
func buffer(cmd Command, field string, msg []byte, off, n uint32, min int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	if int64(off) < int64(min) || uint64(off)+uint64(n) > uint64(len(msg)) {
		return nil, &DecodeError{Command: cmd, Field: field, Offset: int(off), Reason: reasonBounds}
	}
	return msg[off : off+n : off+n], nil
}

// text is buffer for a UTF-16 string.
func text(cmd Command, field string, msg []byte, off, n uint32, min int) (string, error) {
	b, err := buffer(cmd, field, msg, off, n, min)
	if err != nil {
		return "", err
	}
	s, err := DecodeUTF16(b)
	if err != nil {
		return "", &DecodeError{Command: cmd, Field: field, Offset: int(off), Reason: reasonOdd}
	}
	return s, nil
}

// grow appends n zero bytes for a fixed part and returns it for filling in.
func grow(dst []byte, n int) (all, part []byte) {
	at := len(dst)
	for n > len(zeros) {
		dst = append(dst, zeros[:]...)
		n -= len(zeros)
	}
	dst = append(dst, zeros[:n]...)
	return dst, dst[at:]
}

// pad8 appends zeros until the length counted from start is a multiple of 8.
func pad8(dst []byte, start int) []byte {
	return append(dst, zeros[:-(len(dst)-start)&7]...)
}

// pad4 is pad8 for 4-byte alignment.
func pad4(dst []byte, start int) []byte {
	return append(dst, zeros[:-(len(dst)-start)&3]...)
}

// GUID is a GUID in wire order ([MS-DTYP] 2.3.4.2).
type GUID [16]byte
