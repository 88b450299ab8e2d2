package auth

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"smbproxy/session/auth/ntlm"
)

// Identity says on whose behalf a session acts. User is spelled as the account
// database spells it, whatever case the client typed. It holds nothing secret and may
// be logged.
type Identity struct {
	User, Domain string
	Anonymous    bool // a null session: no user at all
	Guest        bool // a user nobody vouches for, mapped to the guest account
}

// Result is what a finished exchange leaves behind.
//
// SessionKey is the whole key of the mechanism ([MS-SMB2] 3.3.5.5.3 cuts or pads it
// to Session.SessionKey; AES-256 uses all of it). It is nil where the two sides share none: for a
// guest. Expiry is zero when the authentication does not end by itself.
type Result struct {
	Identity   Identity
	SessionKey []byte
	Expiry     time.Time
	// Protection begins the protection of messages inside the session, where the mechanism has one that others speak
	// too (NTLM's, for RPC); nil, and nil from it: none. Call it once, when the exchange is over.
	Protection func() *ntlm.Channel
}

// String leaves the key out, whoever prints a Result.
func (r Result) String() string {
	return fmt.Sprintf("%+v expiry %v key of %d bytes", r.Identity, r.Expiry, len(r.SessionKey))
}

// LogValue implements slog.LogValuer, for the same reason.
func (r Result) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Authenticator begins authentications. Safe for concurrent use.
type Authenticator interface {
	// Begin starts the exchange of one SESSION_SETUP sequence (first logon, reauthentication, binding).
	Begin(remote net.Addr) Exchange
	// InitialToken is the SPNEGO NegTokenInit2 for the SecurityBuffer of the NEGOTIATE response.
	InitialToken() []byte
	// Blocking says whether Step may wait for a child process; if not, Step only computes.
	Blocking() bool
}

// Exchange is one authentication in progress. It is not safe for concurrent use: SMB2
// sends one token at a time.
type Exchange interface {
	// Step takes the client's next token.
	//
	//   reply, nil, nil     more processing: send reply with STATUS_MORE_PROCESSING_REQUIRED
	//   reply, done, nil    authenticated: send reply with STATUS_SUCCESS
	//   nil, nil, err       refused: err wraps an ntstatus.Status and says why, for the log
	//
	// After done or err the exchange is over and every further Step fails.
	Step(ctx context.Context, token []byte) (reply []byte, done *Result, err error)
}

// GuestPolicy says who becomes the guest account, in the words of smb.conf's `map to guest`.
type GuestPolicy int

// The values of `map to guest` that we know.
const (
	GuestNever   GuestPolicy = iota // nobody
	GuestBadUser                    // who gives a user name that the passdb does not have
)

// Config is what New needs. At least one of PassdbFile, NTLMHelper, Keytab must be set.
type Config struct {
	ServerName string // NetBIOS name; with NTLMHelper it must be the machine account's, without the $
	Workgroup  string // NetBIOS name of the workgroup or domain
	DNSName    string // full DNS name of this server, may be empty
	Realm      string // Kerberos realm; empty: the realm of the keytab's first entry

	PassdbFile string   // smbpasswd format
	NTLMHelper []string // argv of `ntlm_auth --helper-protocol=ntlm-server-1`; used in place of PassdbFile
	Helpers    int      // most children of NTLMHelper at a time; 0: 4
	Keytab     string   // keys of cifs/<name>@REALM

	Anonymous    bool        // accept null sessions
	MapToGuest   GuestPolicy // only with PassdbFile
	GuestAccount string      // user name of a guest; empty: "nobody"

	HelperTimeout time.Duration    // one logon by NTLMHelper; 0: 10 s
	ClockSkew     time.Duration    // Kerberos; 0: 5 min
	Log           *slog.Logger     // nil: slog.Default()
	Now           func() time.Time // nil: time.Now
}
