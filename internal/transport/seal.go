package transport

import (
	"encoding/binary"

	"smbproxy/crypto"
	"smbproxy/internal/smb2"
)

// Where the fields of a TRANSFORM_HEADER lie that are not copied out,
// [MS-SMB2] 2.2.41. What follows the signature is authenticated with the message.
const (
	transformSize      = smb2.TransformHeaderSize
	transformSignature = 4
	transformNonce     = 20
)

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
	fields := smb2.TransformHeader{
		OriginalMessageSize: uint32(len(msg)),
		Flags:               smb2.TransformFlagEncrypted,
		SessionID:           sessionID,
	}
	seal.NextNonce(&fields.Nonce)
	fields.Put(h)
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
	switch string(b[:4]) {
	case smb2.ProtocolSMB2, smb2.ProtocolCompression, smb2.ProtocolSMB1:
		if len(b) > int(c.maxFrame.Load()) {
			return ErrFrameTooLarge
		}
		return nil
	case smb2.ProtocolTransform:
	default:
		return ErrProtocol
	}

	var fields smb2.TransformHeader
	if fields.Decode(b) != nil || len(b) < transformSize+smb2.HeaderSize ||
		fields.Flags != smb2.TransformFlagEncrypted ||
		uint64(fields.OriginalMessageSize) != uint64(len(b)-transformSize) {
		return ErrProtocol
	}
	var key *crypto.Sealer
	if c.opt.Opener != nil {
		key = c.opt.Opener(fields.SessionID)
	}
	if key == nil {
		return ErrNoKey
	}
	tag := (*[crypto.TagSize]byte)(b[transformSignature:])
	msg := f.buf.data[f.off+transformSize : f.end]
	if err := key.Open(tag, b[transformNonce:], b[transformNonce:transformSize], msg); err != nil {
		return err
	}
	switch string(msg[:4]) {
	case smb2.ProtocolSMB2, smb2.ProtocolCompression:
	default:
		return ErrProtocol
	}
	f.off += transformSize
	f.sealed, f.sessionID = true, fields.SessionID
	return nil
}
