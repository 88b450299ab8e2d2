// Package kerberos is the acceptor of the Kerberos 5 mechanism of GSS-API, RFC 4121 and RFC
// 4120 3.2, as SMB uses it: one AP-REQ, one AP-REP.
//
// The messages and ciphers are gokrb5's. Its verification is not used: it keeps its replay
// cache in the process, finds keys by exact name, and takes the time from the wall.
package kerberos

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"smbproxy/internal/ntstatus"
)

// Config is what the acceptor needs to know.
type Config struct {
	Keys  func() *Keys
	Realm string        // of the users; empty: the realm of the keytab's first entry
	Skew  time.Duration // how far clocks may differ
	Now   func() time.Time
}

// Acceptor holds what all exchanges share: the configuration and the replay cache. Safe for
// concurrent use.
type Acceptor struct {
	cfg  Config
	seen replays
}

// New makes an acceptor.
func New(cfg Config) *Acceptor {
	return &Acceptor{cfg: cfg, seen: replays{window: 2 * cfg.Skew}}
}

// Result is a finished authentication.
type Result struct {
	User, Realm string
	SessionKey  []byte
	Expiry      time.Time // the end of the ticket
}

// Exchange is one authentication. Not safe for concurrent use.
type Exchange struct {
	a    *Acceptor
	over bool

	// For mechListMIC, once over.
	key            types.EncryptionKey
	acceptorSubkey bool
	sendSeq        uint64
}

// Begin starts an exchange.
func (a *Acceptor) Begin() *Exchange { return &Exchange{a: a} }

// Step takes the AP-REQ and returns the AP-REP, if the client wants one, and the result. Errors
// wrap an ntstatus.Status.
func (x *Exchange) Step(_ context.Context, token []byte) (reply []byte, done *Result, err error) {
	if x.over {
		return nil, nil, fmt.Errorf("token of Kerberos after the end of the exchange: %w", ntstatus.InvalidParameter)
	}
	x.over = true
	mech, id, msg, err := unframe(token)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", err, ntstatus.InvalidParameter)
	}
	if id != tokAPReq {
		return nil, nil, fmt.Errorf("token %x of Kerberos where an AP-REQ was expected: %w", id, ntstatus.InvalidParameter)
	}
	req, err := x.a.verify(msg)
	if err != nil {
		return nil, nil, err
	}
	ticket, auth := &req.Ticket.DecryptedEncPart, &req.Authenticator
	cksumFlags, err := contextFlags(auth.Cksum)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", err, ntstatus.LogonFailure)
	}
	if cksumFlags&flagDCEStyle != 0 {
		return nil, nil, fmt.Errorf("token of Kerberos in DCE style, which SMB does not use: %w", ntstatus.InvalidParameter)
	}
	realm := x.a.cfg.Realm
	if realm == "" {
		realm = x.a.cfg.Keys().Realm()
	}
	user, err := userOf(ticket.CName, ticket.CRealm, realm)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", err, ntstatus.LogonFailure)
	}
	x.key, x.sendSeq = ticket.Key, uint64(auth.SeqNumber)
	if len(auth.SubKey.KeyValue) > 0 {
		x.key = auth.SubKey
	}
	if cksumFlags&flagMutual != 0 || types.IsFlagSet(&req.APOptions, flags.APOptionMutualRequired) {
		rep, err := x.answer(ticket.Key, auth)
		if err != nil {
			return nil, nil, err
		}
		reply = frame(mech, tokAPRep, rep)
	}
	done = &Result{User: user, Realm: realm, SessionKey: x.key.KeyValue, Expiry: ticket.EndTime}
	if now := x.a.cfg.Now(); !now.Before(done.Expiry) {
		done.Expiry = done.Expiry.Add(x.a.cfg.Skew) // let in within the skew, so not expired at once
	}
	return reply, done, nil
}

// verify decodes and checks an AP-REQ, RFC 4120 3.2.3, in its order. Addresses in the ticket are not
// compared, as in MIT's GSS-API: they do not survive NAT.
func (a *Acceptor) verify(msg []byte) (req *messages.APReq, err error) {
	defer func() {
		if recover() != nil { // gokrb5's decoder has panicked on hostile input before
			req, err = nil, fmt.Errorf("%w: %w", errToken, ntstatus.InvalidParameter)
		}
	}()
	req = new(messages.APReq)
	if err := req.Unmarshal(msg); err != nil || req.PVNO != 5 || len(req.Ticket.SName.NameString) == 0 {
		return nil, fmt.Errorf("AP-REQ: %w: %w", errToken, ntstatus.InvalidParameter)
	}
	if types.IsFlagSet(&req.APOptions, flags.APOptionUseSessionKey) {
		return nil, fmt.Errorf("AP-REQ of user-to-user authentication: %w", ntstatus.LogonFailure)
	}
	if err := a.openTicket(&req.Ticket); err != nil {
		return nil, err
	}
	ticket := &req.Ticket.DecryptedEncPart
	now := a.cfg.Now()
	client := strings.Join(ticket.CName.NameString, "/") + "@" + ticket.CRealm
	start := ticket.StartTime
	if start.IsZero() {
		start = ticket.AuthTime
	}
	switch {
	case types.IsFlagSet(&ticket.Flags, flags.Invalid):
		return nil, fmt.Errorf("ticket of %q is marked invalid: %w", client, ntstatus.LogonFailure)
	case start.Sub(now) > a.cfg.Skew:
		return nil, fmt.Errorf("ticket of %q begins %s from now: %w", client, start.Sub(now).Round(time.Second), ntstatus.TimeDifferenceAtDc)
	case now.Sub(ticket.EndTime) > a.cfg.Skew:
		return nil, fmt.Errorf("ticket of %q expired at %s: %w", client, ticket.EndTime.Format(time.RFC3339), ntstatus.LogonFailure)
	}
	if err := a.openAuthenticator(req, client, now); err != nil {
		return nil, err
	}
	return req, nil
}

// openTicket decrypts the ticket with the first key of the keytab that fits.
func (a *Acceptor) openTicket(t *messages.Ticket) error {
	service := strings.Join(t.SName.NameString, "/")
	enc := t.EncPart
	if n, ok := minCipher[enc.EType]; !ok || len(enc.Cipher) < n {
		return fmt.Errorf("ticket for %q of encryption type %d: %w", service, enc.EType, ntstatus.LogonFailure)
	}
	keys := a.cfg.Keys().candidates(enc.EType, service, enc.KVNO)
	if len(keys) == 0 {
		return fmt.Errorf("ticket for %q: the keytab has no key of encryption type %d: %w", service, enc.EType, ntstatus.LogonFailure)
	}
	for _, key := range keys {
		if t.Decrypt(key) == nil {
			k := t.DecryptedEncPart.Key
			if n, ok := keySizes[k.KeyType]; !ok || n != len(k.KeyValue) {
				return fmt.Errorf("ticket for %q has a session key of encryption type %d: %w", service, k.KeyType, ntstatus.LogonFailure)
			}
			return nil
		}
	}
	return fmt.Errorf("ticket for %q kvno %d encryption type %d does not decrypt with any key of the keytab: %w",
		service, enc.KVNO, enc.EType, ntstatus.LogonFailure)
}

// openAuthenticator decrypts and checks the authenticator, last of all for a replay.
func (a *Acceptor) openAuthenticator(req *messages.APReq, client string, now time.Time) error {
	ticket := &req.Ticket.DecryptedEncPart
	fail := func(reason string) error {
		return fmt.Errorf("authenticator of %q %s: %w", client, reason, ntstatus.LogonFailure)
	}
	enc := req.EncryptedAuthenticator
	if n := minCipher[ticket.Key.KeyType]; enc.EType != ticket.Key.KeyType || len(enc.Cipher) < n {
		return fail("is not encrypted with the ticket's key")
	}
	// Not APReq.DecryptAuthenticator: it takes the key usage from the ticket's unprotected name.
	plain, err := crypto.DecryptEncPart(enc, ticket.Key, keyusage.AP_REQ_AUTHENTICATOR)
	if err != nil {
		return fail("does not decrypt")
	}
	if err := req.Authenticator.Unmarshal(plain); err != nil {
		return fail("is malformed")
	}
	auth := &req.Authenticator
	if !auth.CName.Equal(ticket.CName) || auth.CRealm != ticket.CRealm {
		return fail("is of another principal")
	}
	if auth.Cusec < 0 || auth.Cusec > 999999 {
		return fail("has no valid time")
	}
	if k := auth.SubKey; len(k.KeyValue) > 0 && keySizes[k.KeyType] != len(k.KeyValue) {
		return fail(fmt.Sprintf("has a subkey of encryption type %d and %d bytes", k.KeyType, len(k.KeyValue)))
	}
	at := auth.CTime.Add(time.Duration(auth.Cusec) * time.Microsecond)
	if d := now.Sub(at); d > a.cfg.Skew || d < -a.cfg.Skew {
		return fmt.Errorf("clock of the client of %q differs by %s: %w", client, d.Round(time.Second), ntstatus.TimeDifferenceAtDc)
	}
	if !a.seen.fresh(sha256.Sum256(enc.Cipher), now) {
		return fail("is a replay")
	}
	return nil
}
