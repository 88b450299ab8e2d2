// Package ntlmclient is an NTLM client for tests: the right thing by default, and each wrong thing
// that a server must refuse on request.
package ntlmclient

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"smbproxy/session/auth/ntlm"
)

// DefaultFlags are what clients of today ask for.
const DefaultFlags = ntlm.NegotiateUnicode | ntlm.RequestTarget | ntlm.NegotiateSign | ntlm.NegotiateNTLM | ntlm.NegotiateAlwaysSign |
	ntlm.NegotiateExtendedSec | ntlm.NegotiateTargetInfo | ntlm.NegotiateVersion | ntlm.Negotiate128 | ntlm.NegotiateKeyExchange | ntlm.Negotiate56

// Client is one logon.
type Client struct {
	User, Password, Domain string
	Flags                  ntlm.Flags // 0: DefaultFlags

	HashDomain *string // domain that goes into the hash, if not Domain
	OldClient  bool    // neither announce nor send a MIC
	StripMIC   bool    // announce a MIC, send none
	WrongMIC   bool    // send a MIC of something else
	V1, LMOnly bool    // responses that must be refused
	Anonymous  bool
	EditBlob   func([]byte) []byte // the NTLMv2_CLIENT_CHALLENGE before it is hashed

	Exported         ntlm.Key // session key, after Authenticate
	Challenge        []byte
	negotiateMessage []byte
}

// Negotiate makes the NEGOTIATE_MESSAGE.
func (c *Client) Negotiate() []byte {
	if c.Flags == 0 {
		c.Flags = DefaultFlags
	}
	m := append([]byte("NTLMSSP\x00"), 1, 0, 0, 0)
	m = binary.LittleEndian.AppendUint32(m, uint32(c.Flags))
	c.negotiateMessage = append(m, make([]byte, 24)...)
	return c.negotiateMessage
}

// Authenticate answers a CHALLENGE_MESSAGE.
func (c *Client) Authenticate(challenge []byte) []byte {
	c.Challenge = challenge
	n, off := binary.LittleEndian.Uint16(challenge[40:]), binary.LittleEndian.Uint32(challenge[44:])
	info := challenge[off : off+uint32(n)]
	blob := append([]byte{1, 1, 0, 0, 0, 0, 0, 0}, make([]byte, 8)...)
	blob = append(blob, "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\x00\x00\x00\x00"...)
	blob = append(blob, info[:len(info)-4]...)
	if !c.OldClient {
		blob = append(blob, 6, 0, 4, 0, 2, 0, 0, 0)
	}
	blob = append(blob, 0, 0, 0, 0, 0, 0, 0, 0)
	if c.EditBlob != nil {
		blob = c.EditBlob(blob)
	}
	domain := c.Domain
	if c.HashDomain != nil {
		domain = *c.HashDomain
	}
	hash := ntlm.NTOWFv1(c.Password)
	response := mac(hash[:], UTF16(strings.ToUpper(c.User)), UTF16(domain))
	proof := mac(response, challenge[24:32], blob)
	base := mac(response, proof)
	nt, lm := append(proof, blob...), make([]byte, 24)
	switch {
	case c.V1:
		nt = make([]byte, 24)
	case c.LMOnly:
		nt = nil
	case c.Anonymous:
		nt, lm, base = nil, []byte{0}, make([]byte, 16)
	}
	return c.encode(nt, lm, base)
}

// encode builds the AUTHENTICATE_MESSAGE and its MIC.
func (c *Client) encode(nt, lm, base []byte) []byte {
	header := 88
	if c.OldClient || c.StripMIC {
		header = 72
	}
	var encrypted []byte
	copy(c.Exported[:], base)
	if c.Flags&ntlm.NegotiateKeyExchange != 0 {
		copy(c.Exported[:], "random session k")
		rc, err := rc4.NewCipher(base)
		if err != nil {
			panic(err)
		}
		encrypted = make([]byte, 16)
		rc.XORKeyStream(encrypted, c.Exported[:])
	}
	m := make([]byte, header)
	copy(m, "NTLMSSP\x00\x03")
	user, dom := UTF16(c.User), UTF16(c.Domain)
	if c.Anonymous {
		user, dom = nil, nil
	}
	for i, f := range [][]byte{lm, nt, dom, user, UTF16("WS"), encrypted} {
		binary.LittleEndian.PutUint16(m[12+8*i:], uint16(len(f)))
		binary.LittleEndian.PutUint16(m[14+8*i:], uint16(len(f)))
		binary.LittleEndian.PutUint32(m[16+8*i:], uint32(len(m)))
		m = append(m, f...)
	}
	binary.LittleEndian.PutUint32(m[60:], uint32(c.Flags))
	if header == 88 {
		copy(m[72:], mac(c.Exported[:], c.negotiateMessage, c.Challenge, m))
		if c.WrongMIC {
			m[72] ^= 1
		}
	}
	return m
}

// UTF16 encodes as NTLM does.
func UTF16(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// mac is HMAC-MD5 over the parts.
func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
