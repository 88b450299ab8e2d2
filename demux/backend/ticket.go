package backend

import (
	"fmt"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	krbcrypto "github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	krbflags "github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// clockSkew is how far the clocks of two hosts may be apart: Kerberos' usual 5
// minutes. A ticket starts to be valid so much before now.
const clockSkew = 5 * time.Minute

// ticket is a service ticket made here, with no KDC: the key that it is sealed
// with is ours and the backend's, RFC 4120 5.3.
type ticket struct {
	wire  messages.Ticket     // never decrypted here: gokrb5 would marshal the plaintext with it
	key   types.EncryptionKey // the ticket's session key
	user  string
	realm string
	kvno  int
	end   time.Time
}

// mint makes a ticket that lets us act as user at the holder of k. There is no
// PAC in it on purpose: smbd then maps the principal by getpwnam and takes the
// groups from its own NSS.
func mint(k serviceKey, spn, realm, user string, now time.Time, life time.Duration) (*ticket, error) {
	etype, err := krbcrypto.GetEtype(k.key.KeyType)
	if err != nil {
		return nil, fmt.Errorf("ticket for %q: %w", user, err)
	}
	t := &ticket{user: user, realm: realm, kvno: k.kvno}
	if t.key, err = types.GenerateEncryptionKey(etype); err != nil {
		return nil, fmt.Errorf("ticket for %q: %w", user, err)
	}
	now = now.UTC().Truncate(time.Second)
	t.end = now.Add(life)
	flags := types.NewKrbFlags()
	types.SetFlag(&flags, krbflags.PreAuthent)
	part, err := asn1.Marshal(messages.EncTicketPart{
		Flags:     flags,
		Key:       t.key,
		CRealm:    realm,
		CName:     types.PrincipalName{NameType: nametype.KRB_NT_PRINCIPAL, NameString: []string{user}},
		AuthTime:  now,
		StartTime: now.Add(-clockSkew),
		EndTime:   t.end,
	})
	if err != nil {
		return nil, fmt.Errorf("ticket for %q: %w", user, err)
	}
	part = asn1tools.AddASNAppTag(part, asnAppTag.EncTicketPart)
	sealed, err := krbcrypto.GetEncryptedData(part, k.key, keyusage.KDC_REP_TICKET, k.kvno)
	if err != nil {
		return nil, fmt.Errorf("ticket for %q: %w", user, err)
	}
	service := types.NewPrincipalName(nametype.KRB_NT_SRV_INST, spn)
	t.wire = messages.Ticket{TktVNO: 5, Realm: realm, SName: service, EncPart: sealed}
	return t, nil
}
