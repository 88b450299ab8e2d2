package spnego

import (
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// NegTokenInit is the initiator's first token, RFC 4178 4.2.1. The slices alias the token.
type NegTokenInit struct {
	MechTypes   []OID
	MechListDER []byte // MechTypeList as it was sent, tag and length included: what mechListMIC covers
	MechToken   []byte // nil: absent
	MechListMIC []byte // nil: absent
}

// Decode reads a whole InitialContextToken with SPNEGO's identifier.
func (t *NegTokenInit) Decode(token []byte) error {
	mech, inner, ok := Mechanism(token)
	if !ok || mech != OIDSPNEGO {
		return ErrToken
	}
	s := cryptobyte.String(inner)
	var choice, seq, list cryptobyte.String
	if !s.ReadASN1(&choice, tag0) || !choice.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1(&list, tag0) {
		return ErrToken
	}
	*t = NegTokenInit{MechListDER: list}
	var mechs, oid cryptobyte.String
	if !list.ReadASN1(&mechs, asn1.SEQUENCE) || !list.Empty() {
		return ErrToken
	}
	for !mechs.Empty() {
		if len(t.MechTypes) == maxMechs || !mechs.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) {
			return ErrToken
		}
		t.MechTypes = append(t.MechTypes, OID(oid))
	}
	// reqFlags: RFC 4178 4.2.1 tells the acceptor to ignore it.
	if len(t.MechTypes) == 0 || !seq.SkipOptionalASN1(tag1) || !field(&seq, &t.MechToken, tag2, asn1.OCTET_STRING) {
		return ErrToken
	}
	// [3] is mechListMIC, or the negHints of a NegTokenInit2 whose mechListMIC is [4].
	if seq.PeekASN1Tag(tag3) {
		var three cryptobyte.String
		if !seq.ReadASN1(&three, tag3) {
			return ErrToken
		}
		if three.PeekASN1Tag(asn1.OCTET_STRING) {
			var mic cryptobyte.String
			if !three.ReadASN1(&mic, asn1.OCTET_STRING) {
				return ErrToken
			}
			t.MechListMIC = mic
		}
	}
	if t.MechListMIC == nil && !field(&seq, &t.MechListMIC, tag4, asn1.OCTET_STRING) {
		return ErrToken
	}
	return nil
}

// Append encodes the token as an initiator sends it. MechListDER is not looked at.
func (t *NegTokenInit) Append(dst []byte) []byte {
	b := cryptobyte.NewBuilder(dst)
	addInit(b, t, nil)
	return b.BytesOrPanic() // panics only when a length overflows
}

// Hint encodes the NegTokenInit2 that an acceptor sends before it is asked, [MS-SPNG] 2.2.1:
// the mechanisms it has, and the hint name that everyone sends.
func Hint(mechs ...OID) []byte {
	b := cryptobyte.NewBuilder(nil)
	addInit(b, &NegTokenInit{MechTypes: mechs}, func(b *cryptobyte.Builder) {
		b.AddASN1(tag3, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(tag0, func(b *cryptobyte.Builder) {
					b.AddASN1(tagGeneralString, func(b *cryptobyte.Builder) { b.AddBytes([]byte("not_defined_in_RFC4178@please_ignore")) })
				})
			})
		})
	})
	return b.BytesOrPanic()
}

// addInit builds [APPLICATION 0] { OID, [0] NegTokenInit }; hints, if any, stand where
// NegTokenInit2 has them.
func addInit(b *cryptobyte.Builder, t *NegTokenInit, hints func(*cryptobyte.Builder)) {
	b.AddASN1(tagApplication0, func(b *cryptobyte.Builder) {
		addOID(b, OIDSPNEGO)
		b.AddASN1(tag0, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddBytes(MechList(t.MechTypes...)) })
				addOctets(b, tag2, t.MechToken)
				micTag := tag3
				if hints != nil {
					hints(b)
					micTag = tag4
				}
				addOctets(b, micTag, t.MechListMIC)
			})
		})
	})
}

// MechList is the DER of a MechTypeList.
func MechList(mechs ...OID) []byte {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, m := range mechs {
			addOID(b, m)
		}
	})
	return b.BytesOrPanic()
}

// addOID adds an identifier.
func addOID(b *cryptobyte.Builder, oid OID) {
	b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(oid)) })
}

// addOctets adds an optional EXPLICIT OCTET STRING; nil is absent.
func addOctets(b *cryptobyte.Builder, tag asn1.Tag, v []byte) {
	if v != nil {
		b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddASN1OctetString(v) })
	}
}
