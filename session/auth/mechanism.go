package auth

import (
	"context"

	"smbproxy/session/auth/kerberos"
	"smbproxy/session/auth/ntlm"
	"smbproxy/session/auth/ntlmauth"
)

// mechanism is one authentication mechanism in progress, under SPNEGO or alone.
type mechanism interface {
	Exchange
	MustSignMechList() bool      // the client's mechListMIC cannot be missing unless somebody took it out
	Sign(msg []byte) []byte      // mechListMIC of ours
	Verify(msg, mic []byte) bool // mechListMIC of the client
}

// ntlmMechanism gives NTLM's result our form.
type ntlmMechanism struct{ *ntlm.Exchange }

// Step implements Exchange.
func (m ntlmMechanism) Step(ctx context.Context, token []byte) ([]byte, *Result, error) {
	reply, r, err := m.Exchange.Step(ctx, token)
	if r == nil {
		return reply, nil, err
	}
	return reply, &Result{
		Identity:   Identity{User: r.User, Domain: r.Domain, Anonymous: r.Anonymous, Guest: r.Guest},
		SessionKey: r.SessionKey,
	}, nil
}

// kerberosMechanism gives Kerberos' result our form.
type kerberosMechanism struct{ *kerberos.Exchange }

// Step implements Exchange.
func (m kerberosMechanism) Step(ctx context.Context, token []byte) ([]byte, *Result, error) {
	reply, r, err := m.Exchange.Step(ctx, token)
	if r == nil {
		return reply, nil, err
	}
	return reply, &Result{Identity: Identity{User: r.User, Domain: r.Realm}, SessionKey: r.SessionKey, Expiry: r.Expiry}, nil
}

// helper is the account database of a domain: winbindd, through ntlm_auth. It does not tell how
// the domain spells a user, so the client's spelling stays.
type helper struct{ pool *ntlmauth.Pool }

// Verify implements ntlm.Verifier.
func (h helper) Verify(ctx context.Context, r *ntlm.Response) (ntlm.Account, error) {
	key, err := h.pool.Logon(ctx, &ntlmauth.Logon{User: r.User, Domain: r.Domain, Challenge: r.ServerChallenge, LM: r.LM, NT: r.NT})
	return ntlm.Account{User: r.User, Domain: r.Domain, BaseKey: key}, err
}
