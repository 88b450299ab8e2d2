package ntlm

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"smbproxy/internal/ntstatus"
)

// Account is whom a response was found to belong to.
type Account struct {
	User, Domain string // in the account database's spelling
	BaseKey      Key    // session base key; meaningless for a guest
	Guest        bool   // mapped to the guest account: nobody checked the password
}

// Verifier checks NTLMv2 responses against an account database. Its errors wrap an
// ntstatus.Status and take as long for an unknown user as for a wrong password.
type Verifier interface {
	Verify(ctx context.Context, r *Response) (Account, error)
}

// Config is what the acceptor says of itself and whom it asks.
type Config struct {
	Target    string // TargetName of the challenge
	Domain    bool   // Target is a domain, not a server
	Info      TargetInfo
	Anonymous bool // let null sessions in
	Verifier  Verifier
	Now       func() time.Time
}

// Result is a finished logon.
type Result struct {
	User, Domain     string
	Anonymous, Guest bool
	SessionKey       []byte // ExportedSessionKey; nil for a guest
}

// Exchange is the acceptor's side of one authentication, [MS-NLMP] 3.2.
//
//	NEGOTIATE --> CHALLENGE sent --> AUTHENTICATE --> over
//
// Not safe for concurrent use.
type Exchange struct {
	cfg                  *Config
	negotiate, challenge []byte // as they went over the wire: the MIC covers them
	offered              Flags
	nonce                [8]byte
	over                 bool

	flags    Flags
	exported Key
	hadMIC   bool

	signed, verified uint32 // mechListMICs
}

// Begin starts an exchange. cfg must not change any more.
func Begin(cfg *Config) *Exchange { return &Exchange{cfg: cfg} }

// errOver is the answer to a token after the end.
var errOver = fmt.Errorf("NTLM message after the end of the exchange: %w", ntstatus.InvalidParameter)

// Step takes the client's next message and returns the CHALLENGE_MESSAGE, or the result.
// Errors wrap an ntstatus.Status.
func (x *Exchange) Step(ctx context.Context, token []byte) (reply []byte, done *Result, err error) {
	if x.over {
		return nil, nil, errOver
	}
	if x.challenge == nil {
		if reply, err = x.onNegotiate(token); err != nil {
			x.over = true
		}
		return reply, nil, err
	}
	x.over = true
	done, err = x.onAuthenticate(ctx, token)
	return nil, done, err
}

// onNegotiate answers the NEGOTIATE_MESSAGE, [MS-NLMP] 3.2.5.1.1.
func (x *Exchange) onNegotiate(token []byte) ([]byte, error) {
	var m Negotiate
	if err := m.Decode(token); err != nil {
		return nil, fmt.Errorf("NEGOTIATE_MESSAGE: %w: %w", err, ntstatus.InvalidParameter)
	}
	if m.Flags&NegotiateUnicode == 0 {
		return nil, fmt.Errorf("NTLM client without Unicode: %w", ntstatus.InvalidParameter)
	}
	if _, err := rand.Read(x.nonce[:]); err != nil {
		return nil, fmt.Errorf("no random challenge: %w: %w", err, ntstatus.InternalError)
	}
	x.offered = m.Flags&echoedFlags | NegotiateUnicode | NegotiateNTLM | NegotiateTargetInfo | RequestTarget | TargetTypeServer
	if x.cfg.Domain {
		x.offered ^= TargetTypeServer | TargetTypeDomain
	}
	info := x.cfg.Info
	info.Timestamp = x.cfg.Now()
	c := Challenge{Flags: x.offered, TargetName: x.cfg.Target, Challenge: x.nonce, TargetInfo: info.Append(nil)}
	x.negotiate = append([]byte(nil), token...)
	x.challenge = c.Append(nil)
	return x.challenge, nil
}

// onAuthenticate judges the AUTHENTICATE_MESSAGE, [MS-NLMP] 3.2.5.1.2.
func (x *Exchange) onAuthenticate(ctx context.Context, token []byte) (*Result, error) {
	var m Authenticate
	if err := m.Decode(token); err != nil {
		return nil, fmt.Errorf("AUTHENTICATE_MESSAGE: %w: %w", err, ntstatus.InvalidParameter)
	}
	x.flags = m.Flags & x.offered
	if m.User == "" && len(m.NTResponse) == 0 && (len(m.LMResponse) == 0 || len(m.LMResponse) == 1 && m.LMResponse[0] == 0) {
		return x.anonymous(&m)
	}
	if x.flags&NegotiateUnicode == 0 {
		return nil, fmt.Errorf("AUTHENTICATE_MESSAGE without Unicode: %w", ntstatus.InvalidParameter)
	}
	// Without it there are only the signing keys of NTLMv1. No client of the last twenty years leaves it out, but for
	// null sessions, where Samba's (4.17) does.
	if x.flags&NegotiateExtendedSec == 0 {
		return nil, fmt.Errorf("NTLM client without extended session security: %w", ntstatus.LogonFailure)
	}
	if err := checkKind(&m); err != nil {
		return nil, err
	}
	clientFlags, err := clientFlags(m.NTResponse[16:])
	if err != nil {
		return nil, fmt.Errorf("NTLMv2 client challenge of user %q: %w: %w", m.User, err, ntstatus.InvalidParameter)
	}
	r := &Response{User: m.User, Domain: m.Domain, Workstation: m.Workstation, ServerChallenge: x.nonce, NT: m.NTResponse, LM: m.LMResponse}
	account, err := x.cfg.Verifier.Verify(ctx, r)
	if err != nil {
		return nil, err
	}
	if account.Guest {
		return &Result{User: account.User, Domain: account.Domain, Guest: true}, nil
	}
	if err := x.takeKey(&m, account.BaseKey); err != nil {
		return nil, err
	}
	if clientFlags&avFlagMIC != 0 {
		if err := x.checkMIC(&m, token); err != nil {
			return nil, err
		}
	}
	return &Result{User: account.User, Domain: account.Domain, SessionKey: x.exported[:]}, nil
}

// checkKind lets only NTLMv2 responses pass.
func checkKind(m *Authenticate) error {
	switch n := len(m.NTResponse); {
	case m.User == "":
		return fmt.Errorf("NTLM response without a user name: %w", ntstatus.LogonFailure)
	case n == 0:
		return fmt.Errorf("LM-only response of user %q refused, NTLMv2 is needed: %w", m.User, ntstatus.LogonFailure)
	case n < minNTv2:
		return fmt.Errorf("NTLMv1 response of user %q refused, NTLMv2 is needed: %w", m.User, ntstatus.LogonFailure)
	}
	return nil
}

// anonymous ends the exchange of a null session, whose key is zero.
func (x *Exchange) anonymous(m *Authenticate) (*Result, error) {
	if !x.cfg.Anonymous {
		return nil, fmt.Errorf("anonymous logon is not allowed here: %w", ntstatus.AccessDenied)
	}
	if err := x.takeKey(m, Key{}); err != nil {
		return nil, err
	}
	return &Result{Anonymous: true, SessionKey: x.exported[:]}, nil
}

// takeKey makes the ExportedSessionKey, [MS-NLMP] 3.2.5.1.2 and 3.4.5.1: for NTLMv2 the key
// exchange key is the session base key.
func (x *Exchange) takeKey(m *Authenticate, base Key) error {
	x.exported = base
	if x.flags&NegotiateKeyExchange == 0 {
		return nil
	}
	if len(m.EncryptedSessionKey) != 16 {
		return fmt.Errorf("NTLM key exchange of user %q without a key: %w", m.User, ntstatus.InvalidParameter)
	}
	x.exported = rc4k(&base, m.EncryptedSessionKey)
	return nil
}

// errMIC says nothing of what the MIC should have been.
var errMIC = errors.New("the MIC is wrong: messages were changed on the way")

// checkMIC verifies the MIC over the three messages, [MS-NLMP] 3.1.5.1.2. The client has
// said under its password that it sent one: without it somebody took it out.
func (x *Exchange) checkMIC(m *Authenticate, token []byte) error {
	if !m.HasMICField {
		return fmt.Errorf("logon of user %q: the MIC that the client announced is missing: %w", m.User, ntstatus.InvalidParameter)
	}
	var zero [micSize]byte
	want := hmacMD5(x.exported[:], x.negotiate, x.challenge, token[:micOffset], zero[:], token[micEnd:])
	if !hmac.Equal(want[:], m.MIC[:]) {
		return fmt.Errorf("logon of user %q: %w: %w", m.User, errMIC, ntstatus.InvalidParameter)
	}
	x.hadMIC = true
	return nil
}

// MustSignMechList says that the client signs its mechListMIC, so that a missing one was taken out:
// [MS-SPNG] 3.3.5.1, a client that sends a MIC in AUTHENTICATE sends that one too. Samba (4.17)
// asks for it when SIGN was negotiated.
func (x *Exchange) MustSignMechList() bool { return x.hadMIC && x.flags&NegotiateSign != 0 }

// Sign makes the mechListMIC of this side.
func (x *Exchange) Sign(msg []byte) []byte {
	x.signed++
	mac := MAC(&x.exported, x.flags, false, msg)
	return mac[:]
}

// Verify checks the client's mechListMIC.
func (x *Exchange) Verify(msg, mic []byte) bool {
	x.verified++
	want := MAC(&x.exported, x.flags, true, msg)
	return hmac.Equal(want[:], mic)
}
