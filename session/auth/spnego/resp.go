package spnego

import (
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// NegTokenResp is every token after the first, either direction, RFC 4178 4.2.2. The
// slices alias the token.
type NegTokenResp struct {
	State         State  // StateAbsent: absent
	SupportedMech OID    // "": absent
	ResponseToken []byte // nil: absent
	MechListMIC   []byte // nil: absent
}

// Decode reads a whole token.
func (t *NegTokenResp) Decode(token []byte) error {
	s := cryptobyte.String(token)
	var choice, seq cryptobyte.String
	if !s.ReadASN1(&choice, tag1) || !choice.ReadASN1(&seq, asn1.SEQUENCE) {
		return ErrToken
	}
	*t = NegTokenResp{State: StateAbsent}
	var state, mech []byte
	if !field(&seq, &state, tag0, asn1.ENUM) || !field(&seq, &mech, tag1, asn1.OBJECT_IDENTIFIER) ||
		!field(&seq, &t.ResponseToken, tag2, asn1.OCTET_STRING) || !field(&seq, &t.MechListMIC, tag3, asn1.OCTET_STRING) {
		return ErrToken
	}
	t.SupportedMech = OID(mech)
	if state != nil {
		if len(state) != 1 || State(state[0]) > RequestMIC {
			return ErrToken
		}
		t.State = State(state[0])
	}
	return nil
}

// Append encodes the token.
func (t *NegTokenResp) Append(dst []byte) []byte {
	b := cryptobyte.NewBuilder(dst)
	b.AddASN1(tag1, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			if t.State != StateAbsent {
				b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(t.State)) })
			}
			if t.SupportedMech != "" {
				b.AddASN1(tag1, func(b *cryptobyte.Builder) { addOID(b, t.SupportedMech) })
			}
			addOctets(b, tag2, t.ResponseToken)
			addOctets(b, tag3, t.MechListMIC)
		})
	})
	return b.BytesOrPanic() // panics only when a length overflows
}
