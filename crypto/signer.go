package crypto

import (
	"crypto/subtle"
	"fmt"
)

// SigningAlgorithm is a SigningAlgorithmId of SMB2_SIGNING_CAPABILITIES,
// [MS-SMB2] 2.2.3.1.7.
type SigningAlgorithm uint16

// The signing algorithms by their values on the wire. HMAC-SHA256 serves the
// dialects 2.0.2 and 2.1, AES-CMAC 3.0 and 3.0.2; 3.1.1 negotiates.
const (
	SigningHMACSHA256 SigningAlgorithm = 0
	SigningAESCMAC    SigningAlgorithm = 1
	SigningAESGMAC    SigningAlgorithm = 2
)

// String is the algorithm's name as MS-SMB2 writes it, for logs.
func (a SigningAlgorithm) String() string {
	switch a {
	case SigningHMACSHA256:
		return "HMAC-SHA256"
	case SigningAESCMAC:
		return "AES-CMAC"
	case SigningAESGMAC:
		return "AES-GMAC"
	}
	return fmt.Sprintf("SigningAlgorithm(0x%04x)", uint16(a))
}

// Where the signature stands in a message, [MS-SMB2] 2.2.1.
const (
	signatureOffset = 48
	signatureSize   = 16
	signatureEnd    = signatureOffset + signatureSize
)

// zeros stands for the signature while it is computed.
var zeros [signatureSize]byte

// Signer computes signatures with one key. It is safe for concurrent use.
//
// One of the three is set. There is no interface between, so that the compiler
// sees that signatures and nonces on the caller's stack do not escape.
type Signer struct {
	alg  SigningAlgorithm
	hmac *hmacSHA256
	cmac *cmac
	gmac *gmac
}

// NewSigner makes a Signer from Session.SigningKey or Channel.SigningKey, which
// has 16 bytes ([MS-SMB2] 3.1.4.2).
func NewSigner(alg SigningAlgorithm, key []byte) (*Signer, error) {
	if len(key) != sessionKeySize {
		return nil, fmt.Errorf("crypto: signing key of %d bytes, want %d", len(key), sessionKeySize)
	}
	s := &Signer{alg: alg}
	var err error
	switch alg {
	case SigningHMACSHA256:
		s.hmac = newHMACSHA256(key)
	case SigningAESCMAC:
		s.cmac, err = newCMAC(key)
	case SigningAESGMAC:
		s.gmac, err = newGMAC(key)
	default:
		return nil, fmt.Errorf("crypto: unknown signing algorithm 0x%04x", uint16(alg))
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Algorithm tells what the Signer computes; GMAC needs a nonce per message.
func (s *Signer) Algorithm() SigningAlgorithm { return s.alg }

// Sum puts msg's signature into sig; the 16 signature bytes in msg count as
// zeros. msg is one whole message from its header on and at least 64 bytes long
// (Sum panics otherwise: who calls has decoded the header). GMAC writes zeros
// over the signature while it works and puts it back, so msg must not be read
// by others meanwhile. nonce may be nil except for GMAC.
func (s *Signer) Sum(sig *[16]byte, nonce *[12]byte, msg []byte) {
	_ = msg[signatureEnd-1]
	switch s.alg {
	case SigningHMACSHA256:
		s.hmac.sum(sig, msg)
	case SigningAESCMAC:
		s.cmac.sum(sig, msg)
	case SigningAESGMAC:
		s.gmac.sum(sig, nonce, msg)
	}
}

// Verify tells, in constant time, whether msg carries its right signature.
// A message too short for a header does not.
func (s *Signer) Verify(nonce *[12]byte, msg []byte) bool {
	if len(msg) < signatureEnd {
		return false
	}
	var sig [signatureSize]byte
	s.Sum(&sig, nonce, msg)
	return subtle.ConstantTimeCompare(sig[:], msg[signatureOffset:signatureEnd]) == 1
}
