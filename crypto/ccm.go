package crypto

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"sync"
)

// ccmNonce is the nonce's length, which leaves L = 4 bytes for counter and
// message length.
const ccmNonce = 11

// Flag bytes of the blocks B0 and Ai, RFC 3610 2.2 and 2.3, for L = 4, M = 16.
const (
	ccmFlagsA = 4 - 1
	ccmFlagsB = (TagSize-2)/2<<3 | ccmFlagsA
	ccmHasAAD = 0x40
)

// ccm is AES-CCM (RFC 3610, NIST SP800-38C) with an 11-byte nonce and a 16-byte
// tag.
//
// The counter mode half goes through GCM, whose keystream for the 12-byte nonce
// (flags, CCM nonce) is CCM's from the second block on: that is the one way to
// the library's fast CTR code that allocates nothing. GCM's tag is thrown away,
// which costs 5 % beside the serial CBC-MAC.
type ccm struct {
	block  cipher.Block
	gcm    cipher.AEAD
	states sync.Pool // of *ccmState
}

// ccmState is one computation and all that would escape.
type ccmState struct {
	mac *cbcMAC
	a   [aesBlock]byte // counter block Ai
	s0  [aesBlock]byte // its encryption for i = 0: masks the tag
	s1  [aesBlock]byte // for i = 1: masks the first block
	b   [aesBlock]byte // B0, then the length of the additional data
}

func newCCM(block cipher.Block, g cipher.AEAD) *ccm {
	c := &ccm{block: block, gcm: g}
	c.states.New = func() any { return &ccmState{mac: newCBCMAC(block)} }
	return c
}

// seal implements aead.
func (c *ccm) seal(tag *[TagSize]byte, nonce, aad, buf []byte) {
	st := c.states.Get().(*ccmState)
	c.tag(st, nonce, aad, buf)
	subtle.XORBytes(tag[:], st.mac.x[:], st.s0[:])
	c.stream(st, buf)
	c.states.Put(st)
}

// open implements aead. A wrong plaintext is wiped.
func (c *ccm) open(tag *[TagSize]byte, nonce, aad, buf []byte) bool {
	st := c.states.Get().(*ccmState)
	defer c.states.Put(st)
	c.counter(st, nonce)
	c.stream(st, buf)
	c.tag(st, nonce, aad, buf)
	subtle.XORBytes(st.b[:], st.mac.x[:], st.s0[:])
	if subtle.ConstantTimeCompare(st.b[:], tag[:]) != 1 {
		clear(buf)
		return false
	}
	return true
}

// counter computes the first two keystream blocks.
func (c *ccm) counter(st *ccmState, nonce []byte) {
	st.a[0] = ccmFlagsA
	copy(st.a[1:], nonce)
	binary.BigEndian.PutUint32(st.a[12:], 0)
	c.block.Encrypt(st.s0[:], st.a[:])
	st.a[15] = 1
	c.block.Encrypt(st.s1[:], st.a[:])
}

// tag computes the CBC-MAC over B0, aad and the plaintext, RFC 3610 2.2, into
// st.mac.x, and the keystream's start. aad is shorter than 0xFF00 bytes (SMB2's
// has 32).
func (c *ccm) tag(st *ccmState, nonce, aad, plain []byte) {
	c.counter(st, nonce)
	st.b[0] = ccmFlagsB
	copy(st.b[1:], nonce)
	binary.BigEndian.PutUint32(st.b[12:], uint32(len(plain)))
	if len(aad) > 0 {
		st.b[0] |= ccmHasAAD
	}
	m := st.mac
	m.start()
	m.write(st.b[:])
	if len(aad) > 0 {
		binary.BigEndian.PutUint16(st.b[:2], uint16(len(aad)))
		m.write(st.b[:2])
		m.write(aad)
	}
	m.pad()
	m.write(plain)
	m.pad()
	m.done()
}

// stream XORs the keystream from counter 1 on over buf.
func (c *ccm) stream(st *ccmState, buf []byte) {
	n := subtle.XORBytes(buf, buf, st.s1[:])
	rest := buf[n:]
	if len(rest) == 0 {
		return
	}
	room := (*[TagSize]byte)(rest[len(rest) : len(rest)+TagSize])
	saved := *room
	c.gcm.Seal(rest[:0], st.a[:gcmNonce], rest, nil)
	*room = saved
}
