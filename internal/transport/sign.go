package transport

import (
	"encoding/binary"

	"smbproxy/crypto"
	"smbproxy/internal/smb2"
)

// SignMessage signs one message: it sets SMB2_FLAGS_SIGNED and fills in the
// signature, [MS-SMB2] 3.1.4.1. msg is the whole message with the padding up to
// the next one of the compound.
func SignMessage(msg []byte, s *crypto.Signer) {
	smb2.SetRawFlags(msg, smb2.RawFlags(msg)|smb2.FlagSigned)
	nonce := signingNonce(msg)
	var sig [16]byte
	s.Sum(&sig, &nonce, msg)
	copy(smb2.RawSignature(msg), sig[:])
}

// VerifyMessage tells in constant time whether one message, of a size as for
// SignMessage, is signed by the key's owner, [MS-SMB2] 3.1.5.1. Whether it had
// to be signed is the caller's question. The message is the same afterwards but
// must not be read by others meanwhile.
func VerifyMessage(msg []byte, s *crypto.Signer) bool {
	if len(msg) < smb2.HeaderSize {
		return false
	}
	nonce := signingNonce(msg)
	return s.Verify(&nonce, msg)
}

// signingNonce is AES-GMAC's nonce: MessageId, then bit 0 set for a server's
// message and bit 1 for a CANCEL, [MS-SMB2] 3.1.4.1. The other algorithms have
// none.
func signingNonce(msg []byte) (nonce [12]byte) {
	binary.LittleEndian.PutUint64(nonce[:], smb2.RawMessageID(msg))
	if smb2.RawFlags(msg)&smb2.FlagServerToRedir != 0 {
		nonce[8] |= 1
	}
	if smb2.RawCommand(msg) == smb2.CommandCancel {
		nonce[8] |= 2
	}
	return nonce
}
