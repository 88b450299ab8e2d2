package transport

import (
	"encoding/binary"

	"smbproxy/crypto"
)

// The SMB2 TRANSFORM_HEADER, [MS-SMB2] 2.2.41, by offsets.
const (
	transformSize      = 52
	transformSignature = 4
	transformNonce     = 20
	transformLength    = 36
	transformFlags     = 42
	transformSession   = 44

	// transformEncrypted is Flags in 3.1.1 and EncryptionAlgorithm before; the
	// value is the same.
	transformEncrypted = 1
)

// ProtocolIds as little-endian numbers, [MS-SMB2] 2.2.1, 2.2.41, 2.2.42;
// protocolSMB1 is what a multi-protocol NEGOTIATE starts with (3.3.5.3).
const (
	protocolSMB1       = 0x424D53FF
	protocolSMB2       = 0x424D53FE
	protocolTransform  = 0x424D53FD
	protocolCompressed = 0x424D53FC
)

// headerSize is the SMB2 header's.
const headerSize = 64

// prefixSize is the length of the stream protocol's prefix: a zero and three
// bytes of length, [MS-SMB2] 2.1.
const prefixSize = 4

// maxStream is the largest length the prefix can say.
const maxStream = 1<<24 - 1

// wire puts prefix and, if seal is not nil, TRANSFORM_HEADER before the message,
// encrypts it in place and returns the bytes to be written, or nil if the
// prefix cannot say their length.
func (f *Frame) wire(seal *crypto.Sealer, sessionID uint64) []byte {
	data, start := f.buf.data, f.off
	if seal != nil {
		start -= transformSize
		putTransform(data[start:f.off], data[f.off:f.end], seal, sessionID)
	}
	n := f.end - start
	if n > maxStream || n == 0 {
		return nil
	}
	start -= prefixSize
	binary.BigEndian.PutUint32(data[start:], uint32(n))
	return data[start:f.end]
}

// putTransform fills the header h and encrypts msg, which has TailRoom behind.
func putTransform(h, msg []byte, seal *crypto.Sealer, sessionID uint64) {
	binary.LittleEndian.PutUint32(h, protocolTransform)
	seal.NextNonce((*[16]byte)(h[transformNonce:]))
	binary.LittleEndian.PutUint32(h[transformLength:], uint32(len(msg)))
	binary.LittleEndian.PutUint16(h[transformLength+4:], 0)
	binary.LittleEndian.PutUint16(h[transformFlags:], transformEncrypted)
	binary.LittleEndian.PutUint64(h[transformSession:], sessionID)
	tag := (*[crypto.TagSize]byte)(h[transformSignature:])
	seal.Seal(tag, h[transformNonce:], h[transformNonce:transformSize], msg)
}

// open checks what a frame starts with and unseals it, [MS-SMB2] 3.3.5.2 and
// 3.3.5.2.1.1: whatever is wrong ends the connection.
func (c *Conn) open(f *Frame) error {
	b := f.Bytes()
	if len(b) < 4 {
		return ErrProtocol
	}
	switch binary.LittleEndian.Uint32(b) {
	case protocolSMB2, protocolSMB1, protocolCompressed:
		if len(b) > int(c.maxFrame.Load()) {
			return ErrFrameTooLarge
		}
		return nil
	case protocolTransform:
	default:
		return ErrProtocol
	}

	if len(b) < transformSize+headerSize ||
		binary.LittleEndian.Uint16(b[transformFlags:]) != transformEncrypted ||
		uint64(binary.LittleEndian.Uint32(b[transformLength:])) != uint64(len(b)-transformSize) {
		return ErrProtocol
	}
	sessionID := binary.LittleEndian.Uint64(b[transformSession:])
	var key *crypto.Sealer
	if c.opt.Opener != nil {
		key = c.opt.Opener(sessionID)
	}
	if key == nil {
		return ErrNoKey
	}
	tag := (*[crypto.TagSize]byte)(b[transformSignature:])
	msg := f.buf.data[f.off+transformSize : f.end]
	if err := key.Open(tag, b[transformNonce:], b[transformNonce:transformSize], msg); err != nil {
		return err
	}
	switch binary.LittleEndian.Uint32(msg) {
	case protocolSMB2, protocolCompressed:
	default:
		return ErrProtocol
	}
	f.off += transformSize
	f.sealed, f.sessionID = true, sessionID
	return nil
}
