package backend

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	krbcrypto "github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	krbflags "github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// The two mechanisms by their DER-encoded OIDs: 1.3.6.1.5.5.2 and
// 1.2.840.113554.1.2.2, RFC 4178 and RFC 4121.
var (
	oidSPNEGO   = asn1OID{0x2b, 0x06, 0x01, 0x05, 0x05, 0x02}
	oidKerberos = asn1OID{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}
)

// asn1OID is the content of an OBJECT IDENTIFIER.
type asn1OID []byte

// Tags of RFC 2743 3.1 (the InitialContextToken) and RFC 4178 4.2.
const (
	tagInitial   = asn1.Tag(0x60)
	tagNegInit   = asn1.Tag(0xa0)
	tagNegResp   = asn1.Tag(0xa1)
	tagMechTypes = asn1.Tag(0xa0) // in NegTokenInit
	tagMechToken = asn1.Tag(0xa2)
	tagNegState  = asn1.Tag(0xa0) // in NegTokenResp
	tagMech      = asn1.Tag(0xa1)
	tagRespToken = asn1.Tag(0xa2)
)

// GSS flags in the authenticator's checksum, RFC 4121 4.1.1.1.
const (
	gssMutual    = 0x02
	gssIntegrity = 0x20
	gssConf      = 0x10
)

// initiator is one run of the GSS-API's client side: one token out, one back.
type initiator struct {
	ticket *ticket
	subkey types.EncryptionKey
	ctime  time.Time
	cusec  int
}

// token makes the NegTokenInit with the AP-REQ, RFC 4178 4.2.1, RFC 4121 4.1.
func (g *initiator) token() ([]byte, error) {
	t := g.ticket
	auth, err := types.NewAuthenticator(t.realm, types.PrincipalName{NameType: nametype.KRB_NT_PRINCIPAL, NameString: []string{t.user}})
	if err != nil {
		return nil, fmt.Errorf("authenticator for %q: %w", t.user, err)
	}
	if err := auth.GenerateSeqNumberAndSubKey(t.key.KeyType, len(t.key.KeyValue)); err != nil {
		return nil, fmt.Errorf("authenticator for %q: %w", t.user, err)
	}
	g.subkey, g.ctime, g.cusec = auth.SubKey, auth.CTime, auth.Cusec
	sum := make([]byte, 24) // length of bindings, 16 bytes of none, flags
	binary.LittleEndian.PutUint32(sum, 16)
	binary.LittleEndian.PutUint32(sum[20:], gssMutual|gssIntegrity|gssConf)
	auth.Cksum = types.Checksum{CksumType: chksumtype.GSSAPI, Checksum: sum}
	req, err := messages.NewAPReq(t.wire, t.key, auth)
	if err != nil {
		return nil, fmt.Errorf("AP-REQ for %q: %w", t.user, err)
	}
	types.SetFlag(&req.APOptions, krbflags.APOptionMutualRequired)
	raw, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("AP-REQ for %q: %w", t.user, err)
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(tagInitial, func(b *cryptobyte.Builder) {
		addOID(b, oidSPNEGO)
		b.AddASN1(tagNegInit, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(tagMechTypes, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { addOID(b, oidKerberos) })
				})
				b.AddASN1(tagMechToken, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.OCTET_STRING, func(b *cryptobyte.Builder) {
						b.AddASN1(tagInitial, func(b *cryptobyte.Builder) {
							addOID(b, oidKerberos)
							b.AddBytes([]byte{1, 0}) // KRB_AP_REQ
							b.AddBytes(raw)
						})
					})
				})
			})
		})
	})
	return b.Bytes()
}

// addOID appends an OBJECT IDENTIFIER.
func addOID(b *cryptobyte.Builder, oid asn1OID) {
	b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(oid) })
}

// errReply says that the backend's token is not an accepting one.
var errReply = errors.New("its answer is not an AP-REP")

// finish checks the backend's NegTokenResp: that it knows the service key (its
// AP-REP repeats our time, sealed) and returns the session key, which is the
// acceptor's subkey if it has chosen one, else ours.
func (g *initiator) finish(reply []byte) ([]byte, error) {
	token, err := respToken(reply)
	if err != nil {
		return nil, err
	}
	var oid, rest cryptobyte.String
	s := cryptobyte.String(token)
	if !s.ReadASN1(&rest, tagInitial) || !rest.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) || string(oid) != string(oidKerberos) {
		return nil, errReply
	}
	var id uint16
	if !rest.ReadUint16(&id) || id != 0x0200 { // KRB_AP_REP
		return nil, errReply
	}
	var rep messages.APRep
	if err := rep.Unmarshal(rest); err != nil {
		return nil, fmt.Errorf("AP-REP: %w", err)
	}
	plain, err := krbcrypto.DecryptEncPart(rep.EncPart, g.ticket.key, keyusage.AP_REP_ENCPART)
	if err != nil {
		return nil, fmt.Errorf("AP-REP: %w", err)
	}
	var part messages.EncAPRepPart
	if err := part.Unmarshal(plain); err != nil {
		return nil, fmt.Errorf("AP-REP: %w", err)
	}
	if part.CTime.Unix() != g.ctime.Unix() || part.Cusec != g.cusec {
		return nil, errors.New("AP-REP answers another request")
	}
	if len(part.Subkey.KeyValue) > 0 {
		return part.Subkey.KeyValue, nil
	}
	return g.subkey.KeyValue, nil
}

// respToken takes the responseToken out of a NegTokenResp that accepts, RFC 4178
// 4.2.2. There is one mechanism, so no mechListMIC is due.
func respToken(reply []byte) ([]byte, error) {
	var resp, seq, field, token cryptobyte.String
	s := cryptobyte.String(reply)
	if !s.ReadASN1(&resp, tagNegResp) || !resp.ReadASN1(&seq, asn1.SEQUENCE) {
		return nil, errReply
	}
	var has bool
	if !seq.ReadOptionalASN1(&field, &has, tagNegState) {
		return nil, errReply
	}
	if has {
		var state int
		if !field.ReadASN1Enum(&state) || state != 0 { // accept-completed
			return nil, fmt.Errorf("negotiation ended in state %d", state)
		}
	}
	if !seq.SkipOptionalASN1(tagMech) || !seq.ReadASN1(&field, tagRespToken) || !field.ReadASN1(&token, asn1.OCTET_STRING) {
		return nil, errReply
	}
	return token, nil
}
