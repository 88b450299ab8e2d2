package auth

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"smbproxy/session/auth/filecache"
	"smbproxy/session/auth/kerberos"
	"smbproxy/session/auth/ntlm"
	"smbproxy/session/auth/ntlmauth"
	"smbproxy/session/auth/passdb"
	"smbproxy/session/auth/spnego"
)

// Acceptor is the Authenticator that New makes.
type Acceptor struct {
	mechs map[spnego.OID]func() mechanism // what we have
	hint  []byte

	passdb *filecache.File[*passdb.DB]     // nil: none
	keytab *filecache.File[*kerberos.Keys] // nil: none
	helper *ntlmauth.Pool                  // nil: none
}

// New reads the files that cfg names and makes an acceptor. Faults come all at once, with
// file and line where they have one.
func New(cfg Config) (*Acceptor, error) {
	cfg.Helpers = cmp.Or(cfg.Helpers, 4)
	cfg.HelperTimeout = cmp.Or(cfg.HelperTimeout, 10*time.Second)
	cfg.ClockSkew = cmp.Or(cfg.ClockSkew, 5*time.Minute)
	cfg.GuestAccount = cmp.Or(cfg.GuestAccount, "nobody")
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &Acceptor{mechs: make(map[spnego.OID]func() mechanism)}
	var faults []error
	if cfg.ServerName == "" {
		faults = append(faults, errors.New("authentication needs a server name"))
	}
	if cfg.PassdbFile == "" && len(cfg.NTLMHelper) == 0 && cfg.Keytab == "" {
		faults = append(faults, errors.New("authentication needs a passdb file, an ntlm_auth helper or a keytab"))
	}
	var order []spnego.OID // of the hint: Kerberos first, as [MS-SPNG] servers list it
	if cfg.Keytab != "" {
		var err error
		if a.keytab, err = kerberos.OpenKeytab(cfg.Keytab, cfg.Now, cfg.Log); err != nil {
			faults = append(faults, fmt.Errorf("keytab: %w", err))
		} else {
			service := kerberos.New(kerberos.Config{Keys: a.keytab.Get, Realm: cfg.Realm, Skew: cfg.ClockSkew, Now: cfg.Now})
			begin := func() mechanism { return kerberosMechanism{service.Begin()} }
			a.mechs[spnego.OIDMSKerberos], a.mechs[spnego.OIDKerberos] = begin, begin
			order = append(order, spnego.OIDMSKerberos, spnego.OIDKerberos)
		}
	}
	if verifier, err := a.verifier(&cfg); err != nil {
		faults = append(faults, err)
	} else if verifier != nil {
		ntlmConfig := ntlmConfig(&cfg, verifier)
		a.mechs[spnego.OIDNTLMSSP] = func() mechanism { return ntlmMechanism{ntlm.Begin(ntlmConfig)} }
		order = append(order, spnego.OIDNTLMSSP)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	a.hint = spnego.Hint(order...)
	return a, nil
}

// verifier opens the account database for NTLM; nil when none is configured.
func (a *Acceptor) verifier(cfg *Config) (ntlm.Verifier, error) {
	switch {
	case len(cfg.NTLMHelper) > 0:
		a.helper = ntlmauth.New(ntlmauth.Config{Argv: cfg.NTLMHelper, Max: cfg.Helpers, Timeout: cfg.HelperTimeout, Log: cfg.Log})
		return helper{a.helper, []string{cfg.Workgroup, cfg.Realm}}, nil
	case cfg.PassdbFile != "":
		var err error
		if a.passdb, err = passdb.Open(cfg.PassdbFile, cfg.Now, cfg.Log); err != nil {
			return nil, fmt.Errorf("passdb file: %w", err)
		}
		guest := ""
		if cfg.MapToGuest == GuestBadUser {
			guest = cfg.GuestAccount
		}
		return newPasswords(a.passdb, strings.ToUpper(cfg.ServerName), guest), nil
	}
	return nil, nil
}

// ntlmConfig says who we are: a member of a domain when winbindd checks the passwords, else a server
// that is its own domain. Samba: both as smbd (4.17) does.
func ntlmConfig(cfg *Config, v ntlm.Verifier) *ntlm.Config {
	name := strings.ToUpper(cfg.ServerName)
	c := &ntlm.Config{Target: name, Anonymous: cfg.Anonymous, Verifier: v, Now: cfg.Now}
	if len(cfg.NTLMHelper) > 0 && cfg.Workgroup != "" {
		c.Target, c.Domain = strings.ToUpper(cfg.Workgroup), true
	}
	dns := strings.ToLower(cmp.Or(cfg.DNSName, cfg.ServerName))
	_, dnsDomain, _ := strings.Cut(dns, ".")
	c.Info = ntlm.TargetInfo{NbComputer: name, NbDomain: c.Target, DNSComputer: dns, DNSDomain: dnsDomain}
	return c
}

// Begin implements Authenticator. remote is not looked at: the caller logs it with what Step says.
func (a *Acceptor) Begin(net.Addr) Exchange { return &exchange{a: a} }

// InitialToken implements Authenticator. It must not be changed.
func (a *Acceptor) InitialToken() []byte { return a.hint }

// Blocking implements Authenticator: true with NTLMHelper.
func (a *Acceptor) Blocking() bool { return a.helper != nil }

// Fault says what is wrong with the passdb file or the keytab as they are on disk now; the last good
// content stays in force meanwhile. For a metric.
func (a *Acceptor) Fault() error {
	var faults []error
	if a.passdb != nil {
		faults = append(faults, a.passdb.Err())
	}
	if a.keytab != nil {
		faults = append(faults, a.keytab.Err())
	}
	return errors.Join(faults...)
}

// Close ends the children. Exchanges in progress fail.
func (a *Acceptor) Close() error {
	if a.helper == nil {
		return nil
	}
	return a.helper.Close()
}
