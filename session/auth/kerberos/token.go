package kerberos

import (
	"encoding/binary"
	"errors"

	"github.com/jcmturner/gokrb5/v8/types"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"smbproxy/session/auth/spnego"
)

// Token ids, RFC 4121 4.1.
const (
	tokAPReq = "\x01\x00"
	tokAPRep = "\x02\x00"
)

// errToken is the reason when a token is not what RFC 4121 4.1 describes.
var errToken = errors.New("malformed Kerberos token")

// unframe takes the InitialContextToken apart. mech is what the client called us.
func unframe(token []byte) (mech spnego.OID, id string, msg []byte, err error) {
	mech, inner, ok := spnego.Mechanism(token)
	if !ok || mech != spnego.OIDKerberos && mech != spnego.OIDMSKerberos || len(inner) < 2 {
		return "", "", nil, errToken
	}
	return mech, string(inner[:2]), inner[2:], nil
}

// frame builds an InitialContextToken.
func frame(mech spnego.OID, id string, msg []byte) []byte {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(asn1.Tag(0x60), func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(mech)) })
		b.AddBytes([]byte(id))
		b.AddBytes(msg)
	})
	return b.BytesOrPanic() // panics only when a length overflows
}

// Flags of the context, RFC 4121 4.1.1.1.
const (
	flagMutual   = 0x02
	flagDCEStyle = 0x1000
)

// checksumGSS is the type of the authenticator's checksum, RFC 4121 4.1.1.
const checksumGSS = 0x8003

// contextFlags reads the flags out of the authenticator's checksum, RFC 4121 4.1.1. The channel
// bindings in it are not compared: SMB has none, and an acceptor without takes any. Without a
// checksum, as impacket and other tokens made by hand are, no flag is set.
//
// Samba: the same (4.17).
func contextFlags(c types.Checksum) (uint32, error) {
	if c.CksumType == 0 && len(c.Checksum) == 0 {
		return 0, nil
	}
	if c.CksumType != checksumGSS || len(c.Checksum) < 24 || binary.LittleEndian.Uint32(c.Checksum) != 16 {
		return 0, errors.New("authenticator without a GSS-API checksum")
	}
	return binary.LittleEndian.Uint32(c.Checksum[20:]), nil
}
