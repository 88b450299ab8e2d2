// Package spnego is the codec of the SPNEGO tokens, RFC 4178 4.2 with the NegTokenInit2 of
// [MS-SPNG] 2.2.1. It knows the tokens, not the negotiation.
package spnego

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// OID is the content of a DER object identifier, without tag and length.
type OID string

// The mechanisms and SPNEGO itself.
const (
	OIDSPNEGO     OID = "\x2b\x06\x01\x05\x05\x02"                 // 1.3.6.1.5.5.2
	OIDKerberos   OID = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"     // 1.2.840.113554.1.2.2
	OIDMSKerberos OID = "\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"     // 1.2.840.48018.1.2.2, [MS-SPNG] 1.9
	OIDNTLMSSP    OID = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a" // 1.3.6.1.4.1.311.2.2.10
	OIDNegoEx     OID = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e" // 1.3.6.1.4.1.311.2.2.30
)

// String names the mechanism for the log.
func (o OID) String() string {
	switch o {
	case OIDSPNEGO:
		return "SPNEGO"
	case OIDKerberos:
		return "Kerberos"
	case OIDMSKerberos:
		return "MS-Kerberos"
	case OIDNTLMSSP:
		return "NTLMSSP"
	case OIDNegoEx:
		return "NegoEx"
	}
	return fmt.Sprintf("OID %x", string(o))
}

// State is NegTokenResp.negState.
type State uint8

// The values of negState, RFC 4178 4.2.2. StateAbsent is ours: the field is optional.
const (
	AcceptCompleted  State = 0
	AcceptIncomplete State = 1
	Reject           State = 2
	RequestMIC       State = 3
	StateAbsent      State = 0xff
)

// maxMechs bounds the mechTypes that we look at; clients offer four or five.
const maxMechs = 32

// Tags of the fields; all are EXPLICIT.
var (
	tag0 = asn1.Tag(0).ContextSpecific().Constructed()
	tag1 = asn1.Tag(1).ContextSpecific().Constructed()
	tag2 = asn1.Tag(2).ContextSpecific().Constructed()
	tag3 = asn1.Tag(3).ContextSpecific().Constructed()
	tag4 = asn1.Tag(4).ContextSpecific().Constructed()

	tagApplication0  = asn1.Tag(0x60)
	tagGeneralString = asn1.Tag(27)
)

// ErrToken is the one reason why a token does not decode: it is not SPNEGO in DER.
var ErrToken = errors.New("malformed SPNEGO token")

// Mechanism says which mechanism an InitialContextToken (RFC 2743 3.1) is for, and gives
// what follows the identifier. ok is false for anything else.
func Mechanism(token []byte) (mech OID, inner []byte, ok bool) {
	s := cryptobyte.String(token)
	var body, oid cryptobyte.String
	if !s.ReadASN1(&body, tagApplication0) || !body.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) {
		return "", nil, false
	}
	return OID(oid), body, true
}

// field reads the optional EXPLICIT field tag and in it one element inner.
func field(s *cryptobyte.String, out *[]byte, tag, inner asn1.Tag) bool {
	var wrapped, value cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&wrapped, &present, tag) {
		return false
	}
	if !present {
		return true
	}
	if !wrapped.ReadASN1(&value, inner) || !wrapped.Empty() {
		return false
	}
	*out = value
	if *out == nil {
		*out = []byte{}
	}
	return true
}
