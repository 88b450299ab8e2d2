package crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"sync"
)

// gmac signs with AES-128-GMAC: GCM's tag over the message as additional data
// and no plaintext, [MS-SMB2] 3.1.4.1.
type gmac struct {
	aead cipher.AEAD
}

// gmacScratch is what crosses the cipher.AEAD interface and would escape.
type gmacScratch struct {
	nonce [12]byte
	out   [TagSize]byte
}

// gmacScratches serves all signers: nothing in it depends on the key.
var gmacScratches = sync.Pool{New: func() any { return new(gmacScratch) }}

func newGMAC(key []byte) (*gmac, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &gmac{aead: aead}, nil
}

// sum puts msg's signature into sig. The additional data has to be one piece, so the signature
// in msg is zeroed meanwhile.
func (m *gmac) sum(sig *[16]byte, nonce *[12]byte, msg []byte) {
	field := (*[signatureSize]byte)(msg[signatureOffset:signatureEnd])
	saved := *field
	*field = zeros

	s := gmacScratches.Get().(*gmacScratch)
	s.nonce = *nonce
	m.aead.Seal(s.out[:0], s.nonce[:], nil, msg)
	*field = saved
	*sig = s.out
	gmacScratches.Put(s)
}
