package kerberos

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"

	"smbproxy/session/auth/spnego"
)

// Flags of a MIC token, RFC 4121 4.2.2.
const (
	micFromAcceptor   = 1
	micAcceptorSubkey = 4
)

// micHeader is the size of a MIC token before its checksum, RFC 4121 4.2.6.1.
const micHeader = 16

// MustSignMechList is false: when a Kerberos token was the client's first choice and was
// accepted, RFC 4178 5 lets both sides do without mechListMIC.
func (x *Exchange) MustSignMechList() bool { return false }

// Sign makes the mechListMIC of this side: GSS_GetMIC, RFC 4121 4.2.4 or RFC 4757 7.2.
func (x *Exchange) Sign(msg []byte) []byte {
	if x.key.KeyType == etypeRC4 {
		return x.micRC4(msg, uint32(x.sendSeq), true)
	}
	h := make([]byte, micHeader, micHeader+24)
	h[0], h[1], h[2] = 4, 4, micFromAcceptor
	if x.acceptorSubkey {
		h[2] |= micAcceptorSubkey
	}
	copy(h[3:8], "\xff\xff\xff\xff\xff")
	binary.BigEndian.PutUint64(h[8:], x.sendSeq)
	return append(h, x.checksum(msg, h, keyusage.GSSAPI_ACCEPTOR_SIGN)...)
}

// Verify checks the client's mechListMIC. Its sequence number is covered but not
// compared: the message is the only one of its context.
func (x *Exchange) Verify(msg, mic []byte) bool {
	if x.key.KeyType == etypeRC4 {
		return x.verifyRC4(msg, mic)
	}
	if len(mic) <= micHeader || mic[0] != 4 || mic[1] != 4 || mic[2]&micFromAcceptor != 0 || string(mic[3:8]) != "\xff\xff\xff\xff\xff" {
		return false
	}
	sum := x.checksum(msg, mic[:micHeader], keyusage.GSSAPI_INITIATOR_SIGN)
	return sum != nil && hmac.Equal(sum, mic[micHeader:])
}

// checksum is the keyed checksum over the message, then the token's header.
func (x *Exchange) checksum(msg, header []byte, usage uint32) []byte {
	et, err := crypto.GetEtype(x.key.KeyType)
	if err != nil {
		return nil
	}
	sum, err := et.GetChecksumHash(x.key.KeyValue, append(bytes.Clone(msg), header...), usage)
	if err != nil {
		return nil
	}
	return sum
}

// rc4Header begins a MIC token of RFC 4757 7.2: TOK_ID, SGN_ALG HMAC, filler.
const rc4Header = "\x01\x01\x11\x00\xff\xff\xff\xff"

// micRC4 makes a MIC token of RFC 4757 7.2.
func (x *Exchange) micRC4(msg []byte, seq uint32, acceptor bool) []byte {
	sum := x.sumRC4(msg)
	plain := make([]byte, 8)
	binary.BigEndian.PutUint32(plain, seq)
	if acceptor {
		copy(plain[4:], "\xff\xff\xff\xff")
	}
	return frame(spnego.OIDKerberos, rc4Header, append(x.cryptSeqRC4(plain, sum), sum...))
}

// verifyRC4 checks a MIC token of RFC 4757 7.2 from the initiator.
func (x *Exchange) verifyRC4(msg, mic []byte) bool {
	_, inner, ok := spnego.Mechanism(mic)
	if !ok || len(inner) != 24 || string(inner[:8]) != rc4Header {
		return false
	}
	sum := x.sumRC4(msg)
	seq := x.cryptSeqRC4(inner[8:16], sum)
	return hmac.Equal(sum, inner[16:]) && bytes.Equal(seq[4:], []byte{0, 0, 0, 0})
}

// sumRC4 is SGN_CKSUM: the signing key's HMAC of MD5(15, header, message), cut to 8 bytes.
func (x *Exchange) sumRC4(msg []byte) []byte {
	sign := hmacMD5(x.key.KeyValue, []byte("signaturekey\x00"))
	h := md5.New()
	h.Write([]byte{15, 0, 0, 0})
	h.Write([]byte(rc4Header))
	h.Write(msg)
	return hmacMD5(sign, h.Sum(nil))[:8]
}

// cryptSeqRC4 encrypts or decrypts SND_SEQ.
func (x *Exchange) cryptSeqRC4(seq, sum []byte) []byte {
	c, err := rc4.NewCipher(hmacMD5(hmacMD5(x.key.KeyValue, make([]byte, 4)), sum))
	if err != nil {
		panic(err) // 16 bytes are a valid length
	}
	out := make([]byte, len(seq))
	c.XORKeyStream(out, seq)
	return out
}

// hmacMD5 is HMAC-MD5.
func hmacMD5(key, msg []byte) []byte {
	h := hmac.New(md5.New, key)
	h.Write(msg)
	return h.Sum(nil)
}
