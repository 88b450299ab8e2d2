package crypto

import "crypto/cipher"

// gcm is AES-GCM with SMB2's place for the tag.
type gcm struct {
	aead cipher.AEAD
}

func newGCM(a cipher.AEAD) *gcm { return &gcm{aead: a} }

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
