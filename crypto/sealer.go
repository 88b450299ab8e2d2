package crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
)

// Cipher is a cipher id of SMB2_ENCRYPTION_CAPABILITIES, [MS-SMB2] 2.2.3.1.2.
type Cipher uint16

// The ciphers by their values on the wire. 3.0 and 3.0.2 have AES-128-CCM only.
const (
	CipherNone      Cipher = 0
	CipherAES128CCM Cipher = 1
	CipherAES128GCM Cipher = 2
	CipherAES256CCM Cipher = 3
	CipherAES256GCM Cipher = 4
)

// String is the cipher's name as MS-SMB2 writes it, for logs and configuration.
func (c Cipher) String() string {
	switch c {
	case CipherNone:
		return "none"
	case CipherAES128CCM:
		return "AES-128-CCM"
	case CipherAES128GCM:
		return "AES-128-GCM"
	case CipherAES256CCM:
		return "AES-256-CCM"
	case CipherAES256GCM:
		return "AES-256-GCM"
	}
	return fmt.Sprintf("Cipher(0x%04x)", uint16(c))
}

// KeySize is the key's length in bytes, 0 for CipherNone and unknown ciphers.
func (c Cipher) KeySize() int {
	switch c {
	case CipherAES128CCM, CipherAES128GCM:
		return 16
	case CipherAES256CCM, CipherAES256GCM:
		return 32
	case CipherNone:
	}
	return 0
}

// NonceSize is how many of the transform header's 16 nonce bytes count: 11 in
// CCM, 12 in GCM, [MS-SMB2] 2.2.41.
func (c Cipher) NonceSize() int {
	switch c {
	case CipherAES128CCM, CipherAES256CCM:
		return ccmNonce
	case CipherAES128GCM, CipherAES256GCM:
		return gcmNonce
	case CipherNone:
	}
	return 0
}

// TagSize is the length of the authentication tag, and of the room that Seal and
// Open want behind their buffer.
const TagSize = 16

// gcmNonce is the length of GCM's nonce.
const gcmNonce = 12

// ErrOpen says that a ciphertext is not what the key's owner sealed.
var ErrOpen = errors.New("crypto: message cannot be decrypted")

// Sealer encrypts and decrypts in one direction of one session. It is safe for
// concurrent use; the channels of a session share one, so that no nonce comes
// twice.
type Sealer struct {
	cipher Cipher
	aead   aead
	nonce  atomic.Uint64 // counter part of the next nonce
	salt   uint32        // what distinguishes two Sealers made from one key
}

// aead is one mode with its key. buf has TagSize bytes of capacity behind it,
// which are the same afterwards as before.
type aead interface {
	seal(tag *[TagSize]byte, nonce, aad, buf []byte)
	open(tag *[TagSize]byte, nonce, aad, buf []byte) bool
}

// NewSealer makes a Sealer from one of the two keys of a session.
func NewSealer(c Cipher, key []byte) (*Sealer, error) {
	if c.KeySize() == 0 {
		return nil, fmt.Errorf("crypto: unknown cipher 0x%04x", uint16(c))
	}
	if len(key) != c.KeySize() {
		return nil, fmt.Errorf("crypto: %v key of %d bytes, want %d", c, len(key), c.KeySize())
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	s := &Sealer{cipher: c}
	if c.NonceSize() == ccmNonce {
		s.aead = newCCM(block, gcm)
	} else {
		s.aead = newGCM(gcm)
	}
	var seed [4]byte
	rand.Read(seed[:])
	s.salt = binary.LittleEndian.Uint32(seed[:])
	return s, nil
}

// Cipher tells what the Sealer is.
func (s *Sealer) Cipher() Cipher { return s.cipher }

// NextNonce fills the transform header's 16 nonce bytes with one that this
// Sealer has not given out before: a counter, which cannot repeat, and some
// random bytes; the rest is zero as [MS-SMB2] 2.2.41 wants it.
func (s *Sealer) NextNonce(nonce *[16]byte) {
	binary.LittleEndian.PutUint64(nonce[:8], s.nonce.Add(1))
	binary.LittleEndian.PutUint32(nonce[8:12], s.salt)
	clear(nonce[s.cipher.NonceSize():])
}

// Seal encrypts buf in place and sets tag. aad is authenticated only: the
// transform header from its nonce on. Of nonce the first NonceSize bytes count.
// cap(buf) must be at least len(buf)+TagSize; those bytes are borrowed and put
// back. aad and tag may lie beside buf but must not overlap it or its room.
func (s *Sealer) Seal(tag *[TagSize]byte, nonce, aad, buf []byte) {
	_ = buf[:len(buf)+TagSize]
	s.aead.seal(tag, nonce[:s.cipher.NonceSize()], aad, buf)
}

// Open decrypts buf in place, with Seal's conditions. If the tag does not fit it
// returns ErrOpen and buf holds nothing of use.
func (s *Sealer) Open(tag *[TagSize]byte, nonce, aad, buf []byte) error {
	_ = buf[:len(buf)+TagSize]
	if !s.aead.open(tag, nonce[:s.cipher.NonceSize()], aad, buf) {
		return ErrOpen
	}
	return nil
}
