package kerberos

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"smbproxy/internal/ntstatus"
	"smbproxy/session/auth/spnego"
)

const realm = "EXAMPLE.TEST"

// clock is the time of all tests.
var clock = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// makeKeytab makes a keytab of cifs/srv with a key of each enctype.
func makeKeytab(t testing.TB, password string) *keytab.Keytab {
	t.Helper()
	kt := keytab.New()
	for _, etype := range []int32{17, 18, 19, 20, 23} {
		if err := kt.AddEntry("cifs/srv", realm, password, time.Unix(1, 0), 3, etype); err != nil {
			t.Fatal(err)
		}
	}
	return kt
}

// newAcceptor makes an acceptor on that keytab, through a file.
func newAcceptor(t testing.TB, kt *keytab.Keytab, now func() time.Time) *Acceptor {
	t.Helper()
	b, err := kt.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keytab")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := OpenKeytab(path, now, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Get().Realm(); got != realm {
		t.Fatalf("realm of the keytab: got %q", got)
	}
	return New(Config{Keys: f.Get, Skew: 5 * time.Minute, Now: now})
}

// initiator is a client with a ticket that the test minted itself.
type initiator struct {
	t           testing.TB
	kt          *keytab.Keytab
	user, realm string
	etype       int32 // of the ticket and the session key; 0: 18
	start, end  time.Time
	at          time.Time // the client's clock
	service     string
	mutual      bool
	subkey      bool
	flags       uint32
	authUser    string // in the authenticator, if not user
	authRealm   string // likewise
	editTicket  func(*messages.EncTicketPart)
	editReq     func(*messages.APReq)
	noChecksum  bool

	checksumType int32 // 0: the GSS-API's

	session, key types.EncryptionKey
	auth         types.Authenticator
}

// token makes the AP-REQ.
func (i *initiator) token() []byte {
	i.t.Helper()
	must := func(err error) {
		if err != nil {
			i.t.Fatal(err)
		}
	}
	if i.etype == 0 {
		i.etype = 18
	}
	if i.user == "" {
		i.user = "alice"
	}
	if i.realm == "" {
		i.realm = realm
	}
	if i.service == "" {
		i.service = "cifs/srv"
	}
	if i.start.IsZero() {
		i.start, i.end = clock.Add(-time.Hour), clock.Add(time.Hour)
	}
	if i.at.IsZero() {
		i.at = clock
	}
	i.session = types.EncryptionKey{KeyType: i.etype, KeyValue: bytes.Repeat([]byte{7}, keySizes[i.etype])}
	part := messages.EncTicketPart{
		Flags: types.NewKrbFlags(), Key: i.session, CRealm: i.realm, CName: types.NewPrincipalName(1, i.user),
		AuthTime: i.start, StartTime: i.start, EndTime: i.end,
	}
	if i.editTicket != nil {
		i.editTicket(&part)
	}
	plain, err := asn1.Marshal(part)
	must(err)
	key, kvno, err := i.kt.GetEncryptionKey(types.NewPrincipalName(2, "cifs/srv"), realm, 0, i.etype)
	must(err)
	enc, err := crypto.GetEncryptedData(asn1tools.AddASNAppTag(plain, asnAppTag.EncTicketPart), key, keyusage.KDC_REP_TICKET, kvno)
	must(err)
	ticket := messages.Ticket{TktVNO: 5, Realm: realm, SName: types.NewPrincipalName(2, i.service), EncPart: enc}

	if i.authUser == "" {
		i.authUser = i.user
	}
	if i.authRealm == "" {
		i.authRealm = i.realm
	}
	i.auth = types.Authenticator{AVNO: 5, CRealm: i.authRealm, CName: types.NewPrincipalName(1, i.authUser), CTime: i.at.UTC().Truncate(time.Second), Cusec: 17, SeqNumber: 99}
	i.key = i.session
	if i.subkey {
		i.auth.SubKey = types.EncryptionKey{KeyType: i.etype, KeyValue: bytes.Repeat([]byte{9}, keySizes[i.etype])}
		i.key = i.auth.SubKey
	}
	sum := make([]byte, 24)
	binary.LittleEndian.PutUint32(sum, 16)
	if i.mutual {
		i.flags |= flagMutual
	}
	binary.LittleEndian.PutUint32(sum[20:], i.flags)
	if !i.noChecksum {
		if i.checksumType == 0 {
			i.checksumType = checksumGSS
		}
		i.auth.Cksum = types.Checksum{CksumType: i.checksumType, Checksum: sum}
	}
	req, err := messages.NewAPReq(ticket, i.session, i.auth)
	must(err)
	if i.editReq != nil {
		i.editReq(&req)
	}
	b, err := req.Marshal()
	must(err)
	return frame(spnego.OIDKerberos, tokAPReq, b)
}

// finish reads the AP-REP and takes the acceptor's subkey.
func (i *initiator) finish(reply []byte) error {
	mech, id, msg, err := unframe(reply)
	if err != nil || mech != spnego.OIDKerberos || id != tokAPRep {
		return fmt.Errorf("no AP-REP: %x, %w", reply, err)
	}
	var rep messages.APRep
	if err := rep.Unmarshal(msg); err != nil {
		return err
	}
	plain, err := crypto.DecryptEncPart(rep.EncPart, i.session, keyusage.AP_REP_ENCPART)
	if err != nil {
		return err
	}
	var part messages.EncAPRepPart
	if err := part.Unmarshal(plain); err != nil {
		return err
	}
	if !part.CTime.Equal(i.auth.CTime) || part.Cusec != i.auth.Cusec {
		return fmt.Errorf("AP-REP has time %v.%06d, want the authenticator's", part.CTime, part.Cusec)
	}
	if len(part.Subkey.KeyValue) > 0 {
		i.key = part.Subkey
	}
	return nil
}

// TestAccept lets a user in with each enctype, and agrees on the key.
func TestAccept(t *testing.T) {
	kt := makeKeytab(t, "pw")
	a := newAcceptor(t, kt, func() time.Time { return clock })
	for _, etype := range []int32{17, 18, 19, 20, 23} {
		for _, mutual := range []bool{false, true} {
			for _, subkey := range []bool{false, true} {
				name := fmt.Sprintf("enctype %d mutual %v subkey %v", etype, mutual, subkey)
				i := &initiator{t: t, kt: kt, etype: etype, mutual: mutual, subkey: subkey, service: "CIFS/Alias.Example"}
				x := a.Begin()
				reply, r, err := x.Step(context.Background(), i.token())
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				if mutual != (reply != nil) {
					t.Errorf("%s: reply of %d bytes", name, len(reply))
				}
				if mutual {
					if err := i.finish(reply); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				if r.User != "alice" || r.Realm != realm || !r.Expiry.Equal(i.end) || !bytes.Equal(r.SessionKey, i.key.KeyValue) {
					t.Errorf("%s: got %q %q %v, key equal %v", name, r.User, r.Realm, r.Expiry, bytes.Equal(r.SessionKey, i.key.KeyValue))
				}
				if own := !bytes.Equal(r.SessionKey, i.session.KeyValue) && !bytes.Equal(r.SessionKey, i.auth.SubKey.KeyValue); own != (mutual && etype != etypeRC4) {
					t.Errorf("%s: key is a subkey of the acceptor: %v", name, own)
				}
				checkMIC(t, name, x, i, mutual && etype != etypeRC4)
				if _, _, err := x.Step(context.Background(), i.token()); !errors.Is(err, ntstatus.InvalidParameter) {
					t.Errorf("%s: token after the end: got %v", name, err)
				}
			}
		}
	}
}

// checkMIC holds Sign and Verify against gokrb5's own MIC tokens.
func checkMIC(t *testing.T, name string, x *Exchange, i *initiator, acceptorSubkey bool) {
	t.Helper()
	msg := []byte("mechs")
	if i.etype == etypeRC4 { // gokrb5 has none of RFC 4757; MIT's are tried with a real KDC
		client := &Exchange{key: i.key}
		if mic := client.micRC4(msg, 99, false); !x.Verify(msg, mic) || x.Verify([]byte("mech"), mic) || x.Verify(msg, mic[:len(mic)-1]) || x.Verify(msg, x.Sign(msg)) {
			t.Errorf("%s: RC4 MIC is not checked right", name)
		}
		return
	}
	mic := gssapi.MICToken{SndSeqNum: 99, Payload: msg}
	if acceptorSubkey {
		mic.Flags = gssapi.MICTokenFlagAcceptorSubkey
	}
	if err := mic.SetChecksum(i.key, keyusage.GSSAPI_INITIATOR_SIGN); err != nil {
		t.Fatal(err)
	}
	raw, err := mic.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if !x.Verify(msg, raw) || x.Verify([]byte("mech"), raw) || x.Verify(msg, raw[:len(raw)-1]) || x.Verify(msg, nil) {
		t.Errorf("%s: MIC of the initiator is not checked right", name)
	}
	ours := x.Sign(msg)
	if x.Verify(msg, ours) {
		t.Errorf("%s: own MIC reflected was accepted", name)
	}
	var theirs gssapi.MICToken
	if err := theirs.Unmarshal(ours, true); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	theirs.Payload = msg
	if ok, err := theirs.Verify(i.key, keyusage.GSSAPI_ACCEPTOR_SIGN); !ok {
		t.Errorf("%s: our MIC: %v", name, err)
	}
}

// TestRefused names what must not get in.
func TestRefused(t *testing.T) {
	kt := makeKeytab(t, "pw")
	a := newAcceptor(t, kt, func() time.Time { return clock })
	for _, c := range []struct {
		name   string
		i      initiator
		want   ntstatus.Status
		reason string
	}{
		{"wrong key", initiator{kt: makeKeytab(t, "other")}, ntstatus.LogonFailure, "does not decrypt with any key"},
		{"expired", initiator{start: clock.Add(-2 * time.Hour), end: clock.Add(-6 * time.Minute)}, ntstatus.LogonFailure, "expired"},
		{"from the future", initiator{start: clock.Add(6 * time.Minute), end: clock.Add(time.Hour)}, ntstatus.TimeDifferenceAtDc, "begins"},
		{"client's clock behind", initiator{at: clock.Add(-6 * time.Minute)}, ntstatus.TimeDifferenceAtDc, "clock"},
		{"client's clock ahead", initiator{at: clock.Add(6 * time.Minute)}, ntstatus.TimeDifferenceAtDc, "clock"},
		{"other realm", initiator{realm: "OTHER"}, ntstatus.LogonFailure, "another realm"},
		{"host principal", initiator{user: "host/ws"}, ntstatus.LogonFailure, "not a user"},
		{"machine", initiator{user: "ws$"}, ntstatus.LogonFailure, "machine"},
		{"name with @", initiator{user: "alice@X"}, ntstatus.LogonFailure, "no user name"},
		{"name with backslash", initiator{user: `X\alice`}, ntstatus.LogonFailure, "no user name"},
		{"name with NUL", initiator{user: "alice\x00"}, ntstatus.LogonFailure, "no user name"},
		{"authenticator of another", initiator{authUser: "root"}, ntstatus.LogonFailure, "another principal"},
		{"authenticator of another realm", initiator{authRealm: "OTHER"}, ntstatus.LogonFailure, "another principal"},
		{"ticket marked invalid", initiator{editTicket: func(p *messages.EncTicketPart) { types.SetFlag(&p.Flags, 7) }}, ntstatus.LogonFailure, "invalid"},
		{"other checksum", initiator{checksumType: 16}, ntstatus.LogonFailure, "checksum"},
		{"DCE style", initiator{flags: flagDCEStyle}, ntstatus.InvalidParameter, "DCE"},
		{"user to user", initiator{editReq: func(r *messages.APReq) { types.SetFlag(&r.APOptions, 1) }}, ntstatus.LogonFailure, "user-to-user"},
		{"changed authenticator", initiator{editReq: func(r *messages.APReq) { r.EncryptedAuthenticator.Cipher[20] ^= 1 }}, ntstatus.LogonFailure, "does not decrypt"},
		{"short authenticator", initiator{editReq: func(r *messages.APReq) { r.EncryptedAuthenticator.Cipher = r.EncryptedAuthenticator.Cipher[:5] }}, ntstatus.LogonFailure, "not encrypted"},
		{"short ticket", initiator{editReq: func(r *messages.APReq) { r.Ticket.EncPart.Cipher = r.Ticket.EncPart.Cipher[:5] }}, ntstatus.LogonFailure, "encryption type 18"},
		{"DES ticket", initiator{editReq: func(r *messages.APReq) { r.Ticket.EncPart.EType = 3 }}, ntstatus.LogonFailure, "encryption type 3"},
		{"no service name", initiator{editReq: func(r *messages.APReq) { r.Ticket.SName.NameString = nil }}, ntstatus.InvalidParameter, "malformed"},
	} {
		c.i.t = t
		if c.i.kt == nil {
			c.i.kt = kt
		}
		reply, r, err := a.Begin().Step(context.Background(), c.i.token())
		if r != nil || reply != nil || !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.reason) {
			t.Errorf("%s: got %v, %v; want %v with %q", c.name, r, err, c.want, c.reason)
		}
	}
	// No checksum at all is no flags, and no reply.
	if reply, r, err := a.Begin().Step(context.Background(), (&initiator{t: t, kt: kt, noChecksum: true}).token()); err != nil || r == nil || reply != nil {
		t.Errorf("no checksum: got %x, %v, %v", reply, r, err)
	}
	// Within the skew an expired ticket still works, and not for ever.
	i := initiator{t: t, kt: kt, start: clock.Add(-time.Hour), end: clock.Add(-4 * time.Minute)}
	if _, r, err := a.Begin().Step(context.Background(), i.token()); err != nil || !r.Expiry.Equal(i.end.Add(5*time.Minute)) {
		t.Errorf("expired within the skew: got %+v, %v", r, err)
	}
}

// TestReplay takes every authenticator once, for as long as its time would let it pass.
func TestReplay(t *testing.T) {
	kt, now := makeKeytab(t, "pw"), clock
	a := newAcceptor(t, kt, func() time.Time { return now })
	i := &initiator{t: t, kt: kt, at: clock.Add(4 * time.Minute)}
	token := i.token()
	for n, want := range []error{nil, ntstatus.LogonFailure, ntstatus.LogonFailure} {
		now = clock.Add(time.Duration(n) * 4 * time.Minute)
		if _, _, err := a.Begin().Step(context.Background(), token); !errors.Is(err, want) || want != nil && !strings.Contains(err.Error(), "replay") {
			t.Errorf("after %v: got %v, want %v", now.Sub(clock), err, want)
		}
	}
}

// TestKeytabFaults says why, and never shows bytes of the file.
func TestKeytabFaults(t *testing.T) {
	good, err := makeKeytab(t, "pw").Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if keys, err := parseKeytab("f", good[:n]); err != nil && strings.Contains(err.Error(), string(good[40:60])) {
			t.Errorf("cut to %d bytes: the error shows the file: %q, %v", n, err, keys)
		}
	}
	for name, b := range map[string][]byte{"empty": nil, "text": []byte("text"), "no entries": good[:2], "negative length": append(good[:2:2], 0, 0, 0, 40, 0, 1, 0xff, 0xff, 0, 0, 0, 0)} {
		if _, err := parseKeytab("/k", b); err == nil || !strings.HasPrefix(err.Error(), "/k: ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestTruncations cuts the token everywhere.
func TestTruncations(t *testing.T) {
	kt := makeKeytab(t, "pw")
	a := newAcceptor(t, kt, func() time.Time { return clock })
	token := (&initiator{t: t, kt: kt}).token()
	for n := range token {
		if _, r, err := a.Begin().Step(context.Background(), token[:n]); r != nil || err == nil {
			t.Errorf("cut to %d bytes: accepted", n)
		}
	}
}

// FuzzStep feeds tokens. The seed is good in all but its age, so nothing is a logon.
func FuzzStep(f *testing.F) {
	kt := makeKeytab(f, "pw")
	a := newAcceptor(f, kt, func() time.Time { return clock })
	f.Add((&initiator{t: f, kt: kt, at: clock.Add(-time.Hour)}).token())
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, r, err := a.Begin().Step(context.Background(), b); r != nil || err == nil {
			t.Fatalf("got %+v, %v", r, err)
		}
	})
}

// FuzzKeytab parses anything.
func FuzzKeytab(f *testing.F) {
	good, err := makeKeytab(f, "pw").Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		if keys, err := parseKeytab("f", b); (keys == nil) == (err == nil) {
			t.Fatalf("got %v, %v", keys, err)
		}
	})
}
