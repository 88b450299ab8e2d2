package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"smbproxy/crypto"
)

// Config is what one backend needs. Zero values of everything but Name,
// Address, Realm and KeytabFile mean the defaults beside them.
type Config struct {
	Name    string // how logs and errors call it, and the host part of SPN's default
	Address string // host:port of its smbd

	Realm      string // Kerberos realm of the minted tickets, as in smbd's "realm"
	SPN        string // "cifs/" + Name
	KeytabFile string // keys shared with this smbd and with nobody else; reread when it changes

	Signing []crypto.SigningAlgorithm // preference; AES-GMAC, AES-CMAC
	Encrypt bool                      // seal everything behind SESSION_SETUP, refuse what is not sealed
	Ciphers []crypto.Cipher           // preference; AES-128-GCM, AES-256-GCM, AES-128-CCM, AES-256-CCM

	Lanes    int // connections to start with, each dialed when first needed; 4
	MaxLanes int // connections at most; 64, and at least Lanes
	MaxOpens int // "max open files" of its smbd, which each lane has for itself; 59,000
	Credits  int // what is asked of smbd for each lane; 8192

	DialTimeout  time.Duration // TCP and NEGOTIATE together; 3 s
	SlowAfter    time.Duration // a lane whose oldest request waits longer gets no new clients; 100 ms
	SuspectAfter time.Duration // without any sign of life, StateSuspect; 1 s
	DownAfter    time.Duration // without any sign of life, StateDown; 10 s
	ProbeEvery   time.Duration // a backend that nobody uses is asked for a sign of life; 10 s
	IdleTimeout  time.Duration // unused trees, sessions and lanes are given up after it; 60 s
	TicketLife   time.Duration // of a minted ticket; its sessions are reauthenticated at half of it; 1 h

	FenceCommand string        // for /bin/sh: ends for good what a backend that is down still does; none
	FenceTimeout time.Duration // FenceCommand is killed after it; 30 s
	Sessions     SessionLog    // told of every session; nil: nobody

	MinUID uint32     // users below are refused, root always; 1000
	Lookup LookupFunc // the passwd database; OSLookup

	// OplockBreak is called on a lane's reader for each oplock or lease break
	// that smbd sends, and must not block. Our opens ask for none, so nil is
	// fine: then breaks are logged.
	OplockBreak func(Notification)
	// Dial replaces net.Dialer, for tests.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Bounds that no configuration changes.
const (
	maxCredits = 8192 // smbd's own default for "smb2 max credits"
	minCredits = 256  // an 8 MiB request takes 128, and some are kept
	tickEvery  = 50 * time.Millisecond
	sweepEvery = time.Second
)

// withDefaults fills in what is not set and reports every fault at once.
func (c Config) withDefaults() (Config, error) {
	c.SPN = cmp.Or(c.SPN, "cifs/"+c.Name)
	c.Lanes = cmp.Or(c.Lanes, 4)
	c.MaxLanes = cmp.Or(c.MaxLanes, max(64, c.Lanes))
	c.Credits = cmp.Or(c.Credits, maxCredits)
	c.DialTimeout = cmp.Or(c.DialTimeout, 3*time.Second)
	c.SlowAfter = cmp.Or(c.SlowAfter, 100*time.Millisecond)
	c.SuspectAfter = cmp.Or(c.SuspectAfter, time.Second)
	c.DownAfter = cmp.Or(c.DownAfter, 10*time.Second)
	c.ProbeEvery = cmp.Or(c.ProbeEvery, 10*time.Second)
	c.FenceTimeout = cmp.Or(c.FenceTimeout, 30*time.Second)
	c.MaxOpens = cmp.Or(c.MaxOpens, 59_000)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, time.Minute)
	c.TicketLife = cmp.Or(c.TicketLife, time.Hour)
	c.MinUID = cmp.Or(c.MinUID, 1000)
	if c.Signing == nil {
		c.Signing = []crypto.SigningAlgorithm{crypto.SigningAESGMAC, crypto.SigningAESCMAC}
	}
	if c.Ciphers == nil {
		c.Ciphers = []crypto.Cipher{crypto.CipherAES128GCM, crypto.CipherAES256GCM, crypto.CipherAES128CCM, crypto.CipherAES256CCM}
	}
	if c.Lookup == nil {
		c.Lookup = OSLookup
	}
	if c.Dial == nil {
		c.Dial = dialer.DialContext
	}
	return c, c.check()
}

// dialer finds a host that vanished without a word within about a minute even
// when nothing is in flight.
var dialer = &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 6}}

// check reports what withDefaults cannot mend.
func (c *Config) check() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("backend %q: "+format, append([]any{c.Name}, args...)...))
		}
	}
	fault(c.Name == "", "no name")
	_, _, err := net.SplitHostPort(c.Address)
	fault(err != nil, "address: %w", err)
	fault(c.Realm == "", "no realm")
	fault(c.KeytabFile == "", "no keytab file")
	fault(c.Lanes < 1 || c.MaxLanes < c.Lanes, "lanes %d, at most %d", c.Lanes, c.MaxLanes)
	fault(c.Credits < minCredits || c.Credits > 65535, "credits %d are not between %d and 65535", c.Credits, minCredits)
	fault(min(c.TicketLife, c.IdleTimeout, c.DialTimeout, c.SlowAfter, c.SuspectAfter, c.ProbeEvery, c.FenceTimeout) < 0, "negative time")
	fault(c.DownAfter < c.SuspectAfter, "down after %v, before it is suspect (%v)", c.DownAfter, c.SuspectAfter)
	for _, a := range c.Signing {
		fault(a != crypto.SigningAESGMAC && a != crypto.SigningAESCMAC && a != crypto.SigningHMACSHA256, "signing algorithm %v", a)
	}
	for _, x := range c.Ciphers {
		fault(x.KeySize() == 0, "cipher %v", x)
	}
	return errors.Join(faults...)
}
