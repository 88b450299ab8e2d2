package ntlm

import (
	"crypto/hmac"
	"crypto/rc4" //nolint:gosec // [MS-NLMP] 3.4.3 knows no other cipher
	"encoding/binary"
)

// Channel protects the messages of an authenticated client with the keys of the exchange, server's side, with
// extended session security ([MS-NLMP] 3.4.4.2). Messages are numbered, so each must be passed in the order of the
// wire. Not safe for concurrent use.
type Channel struct {
	exchangedKey bool
	to, from     direction
}

// direction is the state of one direction.
type direction struct {
	sign   Key
	stream *rc4.Cipher
	number uint32
}

// Channel begins the protection of messages; nil where there is no key, as of a guest. mechListMICs that were made or
// checked before count as messages, but the cipher starts anew ([MS-SPNG] 3.3.5.1).
func (x *Exchange) Channel() *Channel {
	if x.exported == (Key{}) || x.flags&NegotiateExtendedSec == 0 {
		return nil
	}
	c := &Channel{exchangedKey: x.flags&NegotiateKeyExchange != 0}
	c.to.number, c.from.number = x.signed, x.verified
	for _, d := range [...]struct {
		to *direction
		in bool
	}{{&c.to, false}, {&c.from, true}} {
		sign, seal := keys(&x.exported, x.flags, d.in)
		d.to.sign = sign
		d.to.stream, _ = rc4.NewCipher(seal[:]) // 16 bytes are a key
	}
	return c
}

// mac is the signature of the next message; sealing is left to be done with what stands before it in the stream.
func (d *direction) mac(msg []byte) (mac Key) {
	var seq [4]byte
	binary.LittleEndian.PutUint32(seq[:], d.number)
	sum := hmacMD5(d.sign[:], seq[:], msg)
	binary.LittleEndian.PutUint32(mac[:], 1)
	copy(mac[4:12], sum[:8])
	copy(mac[12:], seq[:])
	d.number++
	return mac
}

// finish seals the checksum of a signature where the client has chosen the key.
func (c *Channel) finish(d *direction, mac *Key) {
	if c.exchangedKey {
		d.stream.XORKeyStream(mac[4:12], mac[4:12])
	}
}

// Sign signs a message to the client.
func (c *Channel) Sign(msg []byte) Key {
	mac := c.to.mac(msg)
	c.finish(&c.to, &mac)
	return mac
}

// Verify checks a message of the client's.
func (c *Channel) Verify(msg, signature []byte) bool {
	mac := c.from.mac(msg)
	c.finish(&c.from, &mac)
	return hmac.Equal(mac[:], signature)
}

// Seal signs msg, which goes to the client, and encrypts data in place, which is a part of it.
func (c *Channel) Seal(data, msg []byte) Key {
	mac := c.to.mac(msg)
	c.to.stream.XORKeyStream(data, data)
	c.finish(&c.to, &mac)
	return mac
}

// Unseal decrypts data in place, which is a part of msg, and checks msg, which came from the client.
func (c *Channel) Unseal(data, msg, signature []byte) bool {
	c.from.stream.XORKeyStream(data, data)
	return c.Verify(msg, signature)
}
