package auth

import (
	"context"
	"strings"

	"smbproxy/internal/ntstatus"
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
		SessionKey: r.SessionKey, Protection: m.Exchange.Channel,
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
type helper struct {
	pool    *ntlmauth.Pool
	domains []string // the one domain whose users we take, in its spellings
}

// Verify implements ntlm.Verifier. winbindd would also vouch for users of trusted domains, but a
// backend is told a name without a domain: OTHER\anna would act as our own anna.
func (h helper) Verify(ctx context.Context, r *ntlm.Response) (ntlm.Account, error) {
	if !h.ours(r.Domain) {
		return ntlm.Account{}, refuse(ntstatus.LogonFailure, "logon of user %q in domain %q: not our domain %q", r.User, r.Domain, h.domains)
	}
	key, err := h.pool.Logon(ctx, &ntlmauth.Logon{User: r.User, Domain: r.Domain, Challenge: r.ServerChallenge, LM: r.LM, NT: r.NT})
	return ntlm.Account{User: r.User, Domain: r.Domain, BaseKey: key}, err
}

// ours tells whether a client's domain is the one that we are in. winbindd takes none at all for that.
func (h helper) ours(domain string) bool {
	if domain == "" {
		return true
	}
	for _, d := range h.domains {
		if d != "" && strings.EqualFold(d, domain) {
			return true
		}
	}
	return false
}
