package session

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session/auth"
)

// Encryption says what the server wants of clients that can encrypt.
type Encryption int

// The values of Encryption, in smb.conf's words for `server smb encrypt`.
const (
	EncryptionOff      Encryption = iota // never, not even for shares that ask for it
	EncryptionEnabled                    // where a share asks for it, or the client
	EncryptionDesired                    // all sessions of clients that can, but plain requests pass
	EncryptionRequired                   // all sessions; who cannot is refused
)

// Config is what a Server needs. Zero values mean the defaults named here. A Config belongs to the
// Server once given; Reconfigure takes a new one.
type Config struct {
	ServerGUID [16]byte // equal on all nodes and for ever ([MS-SMB2] 3.3.1.5)
	Node       uint16   // stands in the high bits of SessionId

	MinDialect, MaxDialect smb2.Dialect // 2.0.2, 3.1.1

	SigningRequired   bool
	SigningAlgorithms []crypto.SigningAlgorithm // by preference; nil: GMAC, CMAC, HMAC
	Encryption        Encryption
	Ciphers           []crypto.Cipher // by preference; nil: 128-GCM, 128-CCM, 256-GCM, 256-CCM
	MultiChannel      bool

	// Capabilities are further SMB2_GLOBAL_CAP bits that the upper layer serves: DFS, leasing,
	// directory leasing, persistent handles. Those that a dialect does not know are left out.
	Capabilities smb2.Capabilities

	Credits         int    // most credits of a connection: 8192
	MaxTransactSize uint32 // each 8 MiB; 64 KiB for clients without multi-credit
	MaxReadSize     uint32
	MaxWriteSize    uint32

	MaxConnections           int           // 0: no limit
	MaxConnectionsPerAddress int           // 0: no limit
	MaxSessions              int           // of one connection: 1024
	MaxTrees                 int           // of one session: 4096
	AuthenticationTimeout    time.Duration // a connection without an authenticated session lives so long: 30 s
	MaxFrameBeforeAuth       uint32        // 128 KiB
	SendLimit                int           // bytes queued to a client at which it is dropped; from an eighth on its requests are not read: 32 MiB
	MaxReadOutstanding       int           // bytes of READ replies owed to one client, and of its WRITEs under way, above which nothing is read: 32 MiB
	WriteTimeout             time.Duration // a client that takes nothing for so long is dropped: 60 s

	Authenticator auth.Authenticator
	Log           *slog.Logger
	Observe       Observer
	Now           func() time.Time // time.Now
	Rand          io.Reader        // ids and salts; crypto/rand
}

// Limits that no configuration exceeds.
const (
	maxCredits  = 65535   // CreditResponse has 16 bits
	maxIOSize   = 8 << 20 // 128 credits; the buffers of transport are made for it
	oneCredit   = 65536   // bytes that one credit pays for, [MS-SMB2] 3.3.5.2.5
	minFrame    = 64 << 10
	frameMargin = 4096 // what a message may have beside its payload
	maxMessages = 16   // of that size in a compound with the largest payload
)

// withDefaults returns cfg with its zero values filled in, or every fault at once.
func (cfg Config) withDefaults() (*Config, error) {
	def(&cfg.MinDialect, smb2.Dialect202)
	def(&cfg.MaxDialect, smb2.Dialect311)
	if cfg.SigningAlgorithms == nil {
		cfg.SigningAlgorithms = []crypto.SigningAlgorithm{crypto.SigningAESGMAC, crypto.SigningAESCMAC, crypto.SigningHMACSHA256}
	}
	if cfg.Ciphers == nil {
		cfg.Ciphers = []crypto.Cipher{crypto.CipherAES128GCM, crypto.CipherAES128CCM, crypto.CipherAES256GCM, crypto.CipherAES256CCM}
	}
	def(&cfg.Credits, 8192)
	def(&cfg.MaxTransactSize, maxIOSize)
	def(&cfg.MaxReadSize, maxIOSize)
	def(&cfg.MaxWriteSize, maxIOSize)
	def(&cfg.MaxSessions, 1024)
	def(&cfg.MaxTrees, 4096)
	def(&cfg.AuthenticationTimeout, 30*time.Second)
	def(&cfg.MaxFrameBeforeAuth, 128<<10)
	def(&cfg.SendLimit, 32<<20)
	def(&cfg.MaxReadOutstanding, 32<<20)
	def(&cfg.WriteTimeout, time.Minute)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Observe == nil {
		cfg.Observe = func(smb2.Command, ntstatus.Status, string, time.Duration) {}
	}
	return &cfg, cfg.check()
}

// def sets *p to v if it is zero.
func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// check finds what cannot work.
func (cfg *Config) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("session: "+format, args...)) }
	if cfg.Authenticator == nil {
		fault("no authenticator")
	}
	if !knownDialect(cfg.MinDialect) || !knownDialect(cfg.MaxDialect) || cfg.MinDialect > cfg.MaxDialect {
		fault("dialects %v to %v", cfg.MinDialect, cfg.MaxDialect)
	}
	if cfg.Encryption == EncryptionRequired && cfg.MaxDialect < smb2.Dialect300 {
		fault("encryption is required, which dialect %v does not know", cfg.MaxDialect)
	}
	if cfg.Credits < 1 || cfg.Credits > maxCredits {
		fault("%d credits, want 1 to %d", cfg.Credits, maxCredits)
	}
	for name, n := range map[string]uint32{"transact": cfg.MaxTransactSize, "read": cfg.MaxReadSize, "write": cfg.MaxWriteSize} {
		if n < oneCredit || n > maxIOSize {
			fault("maximum %s size %d, want %d to %d", name, n, oneCredit, maxIOSize)
		}
	}
	if cfg.MaxFrameBeforeAuth < minFrame {
		fault("frames before authentication of %d bytes, want %d at least", cfg.MaxFrameBeforeAuth, minFrame)
	}
	for _, c := range cfg.Ciphers {
		if c.KeySize() == 0 {
			fault("unknown cipher %v", c)
		}
	}
	for _, a := range cfg.SigningAlgorithms {
		if a > crypto.SigningAESGMAC {
			fault("unknown signing algorithm %v", a)
		}
	}
	return errors.Join(faults...)
}
