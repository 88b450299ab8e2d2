package rawsmb

import (
	"context"

	"github.com/oiweiwei/go-msrpc/ssp/credential"
	"github.com/oiweiwei/go-msrpc/ssp/ntlm"
)

// Mechanism is the client's side of one authentication, to be used once.
type Mechanism interface {
	// Token gives the first token for nil, then the answer to each of the server's.
	Token(ctx context.Context, challenge []byte) ([]byte, error)
	// SessionKey is the mechanism's key, once the server has accepted.
	SessionKey() []byte
}

// NTLM authenticates with NTLMv2, without SPNEGO around it.
func NTLM(user, password string) Mechanism {
	cfg := ntlm.NewConfig()
	cfg.Integrity, cfg.Confidentiality = true, true
	cfg.Credential = credential.NewFromPassword(user, password, credential.Workstation("RAWSMB"))
	return ntlmMechanism{&ntlm.Authentifier{Config: cfg}}
}

type ntlmMechanism struct{ *ntlm.Authentifier }

// Token implements Mechanism.
func (m ntlmMechanism) Token(ctx context.Context, challenge []byte) ([]byte, error) {
	if challenge == nil {
		return m.Negotiate(ctx)
	}
	return m.Authenticate(ctx, challenge)
}
