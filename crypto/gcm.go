package crypto

import (
	"crypto/cipher"
	"crypto/subtle"
)

// gcm is AES-GCM with SMB2's place for the tag.
type gcm struct {
	aead cipher.AEAD
}

func newGCM(a cipher.AEAD) *gcm { return &gcm{aead: a} }

// gcmWide is gcm by wideGCM.
type gcmWide struct{ *wideGCM }

// seal implements aead.
func (g gcmWide) seal(tag *[TagSize]byte, nonce, aad, buf []byte) {
	g.crypt(nonce, buf)
	g.tag(tag, nonce, aad, buf)
}

// open implements aead. Nothing is decrypted before the tag has been checked.
func (g gcmWide) open(tag *[TagSize]byte, nonce, aad, buf []byte) bool {
	var want [TagSize]byte
	g.tag(&want, nonce, aad, buf)
	if subtle.ConstantTimeCompare(want[:], tag[:]) != 1 {
		return false
	}
	g.crypt(nonce, buf)
	return true
}

// seal implements aead.
func (g *gcm) seal(tag *[TagSize]byte, nonce, aad, buf []byte) {
	room := (*[TagSize]byte)(buf[len(buf) : len(buf)+TagSize])
	saved := *room
	g.aead.Seal(buf[:0], nonce, buf, aad)
	*tag = *room
	*room = saved
}

// open implements aead.
func (g *gcm) open(tag *[TagSize]byte, nonce, aad, buf []byte) bool {
	room := (*[TagSize]byte)(buf[len(buf) : len(buf)+TagSize])
	saved := *room
	*room = *tag
	_, err := g.aead.Open(buf[:0], nonce, buf[:len(buf)+TagSize], aad)
	*room = saved
	return err == nil
}
