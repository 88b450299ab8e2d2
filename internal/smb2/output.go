package smb2

// The responses of QUERY_DIRECTORY, CHANGE_NOTIFY and QUERY_INFO have one layout:
// StructureSize 9, a 16-bit offset, a 32-bit length, the buffer at 72.

// decodeOutput reads it.
func decodeOutput(cmd Command, msg []byte) ([]byte, error) {
	if err := fixed(cmd, msg, 9); err != nil {
		return nil, err
	}
	return buffer(cmd, "OutputBuffer", msg, uint32(le.Uint16(msg[66:])), le.Uint32(msg[68:]), 72)
}

// appendOutput writes it.
func appendOutput(dst, out []byte) []byte {
	dst, b := grow(dst, 8)
	le.PutUint16(b, 9)
	le.PutUint16(b[2:], 72)
	le.PutUint32(b[4:], uint32(len(out)))
	return append(dst, out...)
}
