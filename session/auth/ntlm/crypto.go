package ntlm

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"strings"
	"unicode"

	"golang.org/x/crypto/md4" //nolint:staticcheck // the NT hash is MD4, [MS-NLMP] 3.3.1
)

// Key is an NTLM key of 16 bytes.
type Key = [16]byte

// hmacMD5 is HMAC_MD5 of [MS-NLMP] 6 over the concatenation of the parts.
func hmacMD5(key []byte, parts ...[]byte) (sum Key) {
	h := hmac.New(md5.New, key)
	return sumOf(h, parts)
}

// md5Of is MD5 over the concatenation of the parts.
func md5Of(parts ...[]byte) (sum Key) { return sumOf(md5.New(), parts) }

// sumOf runs the parts through a hash of 16 bytes.
func sumOf(h hash.Hash, parts [][]byte) (sum Key) {
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}

// NTOWFv1 is the NT hash of a password, [MS-NLMP] 3.3.1.
func NTOWFv1(password string) (sum Key) {
	return sumOf(md4.New(), [][]byte{utf16le(password)})
}

// ntowfv2 is the response key, [MS-NLMP] 3.3.2: the user name in upper case, the domain as it is.
func ntowfv2(ntHash *Key, user, domain string) Key {
	return hmacMD5(ntHash[:], utf16le(strings.Map(unicode.ToUpper, user)), utf16le(domain))
}

// Response is an NTLMv2 response and what it was computed from, [MS-NLMP] 2.2.2.8.
type Response struct {
	User, Domain, Workstation string // as the client sent them
	ServerChallenge           [8]byte
	NT                        []byte // NTProofStr and NTLMv2_CLIENT_CHALLENGE
	LM                        []byte // not looked at by us; winbindd wants to see it
}

// minNTv2 is the size of the shortest NTLMv2 response: proof, 28 bytes, end marker. An NTLMv1
// response has 24 bytes.
const minNTv2 = 16 + 28 + 4

// Check compares the response with an NT hash, in constant time, and gives the session
// base key, [MS-NLMP] 3.3.2.
//
// Samba: clients that hash the domain in upper case, or none at all, are let in too (4.17,
// three attempts). All are computed always.
func (r *Response) Check(ntHash *Key) (base Key, ok bool) {
	proof, blob := r.NT[:16], r.NT[16:]
	match := 0
	for _, domain := range [...]string{r.Domain, strings.ToUpper(r.Domain), ""} {
		key := ntowfv2(ntHash, r.User, domain)
		want := hmacMD5(key[:], r.ServerChallenge[:], blob)
		this := subtle.ConstantTimeCompare(want[:], proof)
		try := hmacMD5(key[:], want[:])
		subtle.ConstantTimeCopy(this, base[:], try[:])
		match |= this
	}
	return base, match == 1
}

// rc4k is RC4K of [MS-NLMP] 6: one message under a key used once.
func rc4k(key *Key, data []byte) (out Key) {
	c, err := rc4.NewCipher(key[:])
	if err != nil {
		panic(err) // 16 bytes are a valid length
	}
	c.XORKeyStream(out[:], data)
	return out
}

// The magic constants of SIGNKEY and SEALKEY, [MS-NLMP] 3.4.5.2 and 3.4.5.3.
const (
	clientSign = "session key to client-to-server signing key magic constant\x00"
	serverSign = "session key to server-to-client signing key magic constant\x00"
	clientSeal = "session key to client-to-server sealing key magic constant\x00"
	serverSeal = "session key to server-to-client sealing key magic constant\x00"
)

// keys derives the signing and sealing key of one direction with extended session
// security, SIGNKEY and SEALKEY of [MS-NLMP] 3.4.5.
func keys(exported *Key, flags Flags, toServer bool) (sign, seal Key) {
	signMagic, sealMagic := serverSign, serverSeal
	if toServer {
		signMagic, sealMagic = clientSign, clientSeal
	}
	part := exported[:5] // 40 bits
	switch {
	case flags&Negotiate128 != 0:
		part = exported[:]
	case flags&Negotiate56 != 0:
		part = exported[:7]
	}
	return md5Of(exported[:], []byte(signMagic)), md5Of(part, []byte(sealMagic))
}

// MAC signs a message that is the first of its direction, with extended session security,
// [MS-NLMP] 3.4.4.2. toServer chooses the direction.
func MAC(exported *Key, flags Flags, toServer bool, msg []byte) (mac Key) {
	sign, seal := keys(exported, flags, toServer)
	var seq [4]byte // the first message
	sum := hmacMD5(sign[:], seq[:], msg)
	binary.LittleEndian.PutUint32(mac[:], 1)
	copy(mac[4:12], sum[:8])
	if flags&NegotiateKeyExchange != 0 {
		sealed := rc4k(&seal, mac[4:12])
		copy(mac[4:12], sealed[:8])
	}
	return mac
}
