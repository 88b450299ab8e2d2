package auth

import (
	"context"
	"crypto/rand"
	"fmt"

	"smbproxy/internal/ntstatus"
	"smbproxy/session/auth/filecache"
	"smbproxy/session/auth/ntlm"
	"smbproxy/session/auth/passdb"
)

// passwords is the account database of a standalone server: the passdb file.
type passwords struct {
	file   *filecache.File[*passdb.DB]
	domain string   // of all accounts: the server itself
	guest  string   // who an unknown user becomes; empty: nobody
	decoy  ntlm.Key // the hash of who has none
}

// newPasswords makes the decoy: random, so that no password has that hash.
func newPasswords(file *filecache.File[*passdb.DB], domain, guest string) *passwords {
	p := &passwords{file: file, domain: domain, guest: guest}
	rand.Read(p.decoy[:])
	return p
}

// Verify implements ntlm.Verifier. The client's domain is not compared. Samba: a standalone
// server (4.17) takes any, clients send the workgroup, the server's name, their own name or
// nothing. An unknown user costs the same work as a wrong password and gets the same status; what
// is wrong with an account is told only to who knows its password.
func (p *passwords) Verify(_ context.Context, r *ntlm.Response) (ntlm.Account, error) {
	account, known := p.file.Get().Lookup(r.User)
	usable := known && account.HasHash && account.Flags&passdb.FlagNoPassword == 0
	hash := &p.decoy
	if usable {
		hash = &account.Hash
	}
	base, match := r.Check(hash)
	refuse := func(status ntstatus.Status, reason string) (ntlm.Account, error) {
		return ntlm.Account{}, fmt.Errorf("logon of user %q in domain %q from workstation %q: %s: %w", r.User, r.Domain, r.Workstation, reason, status)
	}
	switch {
	case !known && p.guest != "":
		return ntlm.Account{User: p.guest, Domain: p.domain, Guest: true}, nil
	case !known:
		return refuse(ntstatus.LogonFailure, "no such user")
	case !usable:
		return refuse(ntstatus.LogonFailure, "account without a password")
	case !match:
		return refuse(ntstatus.LogonFailure, "wrong password")
	case account.Flags&passdb.FlagWorkstation != 0:
		return refuse(ntstatus.NologonWorkstationTrustAccount, "machine account")
	case account.Flags&passdb.FlagServer != 0:
		return refuse(ntstatus.NologonServerTrustAccount, "domain controller account")
	case account.Flags&passdb.FlagInterdomain != 0:
		return refuse(ntstatus.NologonInterdomainTrustAccount, "trust account")
	case account.Flags&passdb.FlagDisabled != 0:
		return refuse(ntstatus.AccountDisabled, "account is disabled")
	case account.Flags&passdb.FlagLocked != 0:
		return refuse(ntstatus.AccountLockedOut, "account is locked")
	}
	return ntlm.Account{User: account.Name, Domain: p.domain, BaseKey: base}, nil
}
