package crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"sync"
)

// cmac signs with AES-128-CMAC (RFC 4493, NIST SP800-38B), [MS-SMB2] 3.1.4.1.
type cmac struct {
	k1, k2 [aesBlock]byte // subkeys: last block full, last block padded
	states sync.Pool      // of *cbcMAC
}

func newCMAC(key []byte) (*cmac, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return newCMACBlock(block), nil
}

// newCMACBlock derives the subkeys, RFC 4493 2.3.
func newCMACBlock(block cipher.Block) *cmac {
	m := &cmac{}
	var l [aesBlock]byte
	block.Encrypt(l[:], l[:])
	m.k1 = double(l)
	m.k2 = double(m.k1)
	m.states.New = func() any { return newCBCMAC(block) }
	return m
}

// double multiplies by x in GF(2^128) as CMAC orders its bits.
func double(b [aesBlock]byte) (d [aesBlock]byte) {
	var carry byte
	for i := aesBlock - 1; i >= 0; i-- {
		d[i] = b[i]<<1 | carry
		carry = b[i] >> 7
	}
	d[aesBlock-1] ^= carry * 0x87
	return d
}

// sum puts msg's signature into sig. It skips the field in msg and only reads.
func (m *cmac) sum(sig *[16]byte, msg []byte) {
	st := m.states.Get().(*cbcMAC)
	st.start()
	st.blocks(msg[:signatureOffset])
	st.write(zeros[:])
	st.write(msg[signatureEnd:])
	m.finish(sig, st)
	m.states.Put(st)
}

// finish encrypts the last block with its subkey, RFC 4493 2.4.
func (m *cmac) finish(sig *[16]byte, st *cbcMAC) {
	k := &m.k1
	if st.n < aesBlock {
		k = &m.k2
		st.in[st.n] = 0x80
		clear(st.in[st.n+1:])
	}
	subtle.XORBytes(st.in[:], st.in[:], k[:])
	st.flush()
	*sig = st.x
	st.done()
}
