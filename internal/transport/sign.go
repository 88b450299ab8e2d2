package transport

import (
	"encoding/binary"

	"smbproxy/crypto"
)

// Values in the header that signing has to do with, [MS-SMB2] 2.2.1.2.
const (
	flagServerToRedir = 0x00000001
	flagSigned        = 0x00000008
	commandCancel     = 0x000C
)

// SignMessage signs one message: it sets SMB2_FLAGS_SIGNED and fills in the
// signature, [MS-SMB2] 3.1.4.1. msg is the whole message with the padding up to
// the next one of the compound.
func SignMessage(msg []byte, s *crypto.Signer) {
	flags := binary.LittleEndian.Uint32(msg[headerFlags:])
	binary.LittleEndian.PutUint32(msg[headerFlags:], flags|flagSigned)
	nonce := signingNonce(msg)
	var sig [16]byte
	s.Sum(&sig, &nonce, msg)
	copy(msg[headerSignature:headerSize], sig[:])
}

// VerifyMessage tells in constant time whether one message, of a size as for
// SignMessage, is signed by the key's owner, [MS-SMB2] 3.1.5.1. Whether it had
// to be signed is the caller's question. The message is the same afterwards but
// must not be read by others meanwhile.
func VerifyMessage(msg []byte, s *crypto.Signer) bool {
	if len(msg) < headerSize {
		return false
	}
	nonce := signingNonce(msg)
	return s.Verify(&nonce, msg)
}

// signingNonce is AES-GMAC's nonce: MessageId, then bit 0 set for a server's
// message and bit 1 for a CANCEL, [MS-SMB2] 3.1.4.1. The other algorithms have
// none.
func signingNonce(msg []byte) (nonce [12]byte) {
	copy(nonce[:8], msg[headerMessageID:])
	if binary.LittleEndian.Uint32(msg[headerFlags:])&flagServerToRedir != 0 {
		nonce[8] |= 1
	}
	if binary.LittleEndian.Uint16(msg[headerCommand:]) == commandCancel {
		nonce[8] |= 2
	}
	return nonce
}
