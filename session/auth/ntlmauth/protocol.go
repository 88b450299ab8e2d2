package ntlmauth

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"smbproxy/internal/ntstatus"
)

// encode writes a request of ntlm-server-1: lines "Name: value", or "Name:: base64" for what
// comes from the client, then a line with a period.
func (l *Logon) encode() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "Username:: %s\n", base64.StdEncoding.EncodeToString([]byte(l.User)))
	fmt.Fprintf(&b, "NT-Domain:: %s\n", base64.StdEncoding.EncodeToString([]byte(l.Domain)))
	fmt.Fprintf(&b, "LANMAN-Challenge: %x\n", l.Challenge)
	if len(l.LM) > 0 {
		fmt.Fprintf(&b, "LANMAN-Response: %x\n", l.LM)
	}
	fmt.Fprintf(&b, "NT-Response: %x\nRequest-User-Session-Key: Yes\n.\n", l.NT)
	return []byte(b.String())
}

// reply is what a child said, by name.
type reply map[string]string

// errProtocol does not quote the line: there may be a key in it.
var errProtocol = errors.New("a line that is not of the protocol ntlm-server-1")

// add takes one line and says whether the reply is at its end. A period with nothing before it
// is the second one that ntlm_auth (4.17) writes after a refusal: it belongs to the reply before.
func (r reply) add(line string) (end bool, err error) {
	line = strings.TrimRight(line, "\r\n")
	if line == "." {
		return len(r) > 0, nil
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return false, errProtocol
	}
	if v, ok := strings.CutPrefix(value, ":"); ok {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(v))
		if err != nil {
			return false, errProtocol
		}
		value = string(raw)
	}
	r[name] = strings.TrimSpace(value)
	return false, nil
}

// judge turns a complete reply into a result.
func (r reply) judge(l *Logon) (key [16]byte, err error) {
	if r["Authenticated"] != "Yes" {
		said := r["Authentication-Error"]
		if said == "" {
			said = r["Error"]
		}
		if said == "" {
			said = "refused"
		}
		return key, fmt.Errorf("logon of user %q in domain %q: ntlm_auth: %.200q: %w", l.User, l.Domain, said, statusOf(said))
	}
	raw, err := hex.DecodeString(r["User-Session-Key"])
	if err != nil || len(raw) != len(key) {
		return key, fmt.Errorf("logon of user %q: ntlm_auth gave no session key: %w", l.User, ntstatus.InternalError)
	}
	copy(key[:], raw)
	return key, nil
}

// statusOf maps the sentences in which Samba's libraries describe a status, or the status's
// name. What is not known is a wrong password or user.
func statusOf(said string) ntstatus.Status {
	said = strings.ToLower(said)
	for _, s := range []struct {
		part   string
		status ntstatus.Status
	}{
		{"winbind", ntstatus.NoLogonServers}, {"no logon servers", ntstatus.NoLogonServers}, {"no_logon_servers", ntstatus.NoLogonServers},
		{"disabled", ntstatus.AccountDisabled}, {"locked", ntstatus.AccountLockedOut},
		{"password has expired", ntstatus.PasswordExpired}, {"password_expired", ntstatus.PasswordExpired},
		{"must be changed", ntstatus.PasswordMustChange}, {"must_change", ntstatus.PasswordMustChange},
		{"account has expired", ntstatus.AccountExpired}, {"account_expired", ntstatus.AccountExpired},
		{"account_restriction", ntstatus.AccountRestriction},
	} {
		if strings.Contains(said, s.part) {
			return s.status
		}
	}
	return ntstatus.LogonFailure
}
