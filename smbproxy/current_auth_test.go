package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/session/auth"
)

// TestLogonAfterReload logs on through a connection that is older than the reload: the new accounts count, the old
// ones do not.
func TestLogonAfterReload(t *testing.T) {
	r := prepare(t)
	r.start()
	c, err := rawsmb.Dial(t.Context(), r.address, rawsmb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.Login(t.Context(), "anna", "password"); err != nil {
		t.Fatal(err)
	}
	r.write("ntlm auth = disabled\ndedicated keytab file = "+filepath.Join(r.dir, "one.keytab")+"\nrealm = SMBPROXY.INTERNAL", "")
	if status, _, stderr := runCommand(t, "-c", r.config, "reload"); status != 0 {
		t.Fatal(stderr)
	}
	if _, err := c.Login(t.Context(), "anna", "password"); !errors.Is(err, ntstatus.LogonFailure) {
		t.Errorf("NTLM after it was disabled: %v, want LOGON_FAILURE", err)
	}
}

// TestCurrentAuth follows the pointer.
func TestCurrentAuth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smbpasswd")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var n node
	a := (*currentAuth)(&n.auth)
	for _, cfg := range []auth.Config{{ServerName: "x", PassdbFile: path}, {ServerName: "x", NTLMHelper: []string{"/bin/true"}}} {
		acceptor, err := auth.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		n.auth.Store(acceptor)
		if want := cfg.NTLMHelper != nil; a.Blocking() != want {
			t.Errorf("blocking %v, want %v", a.Blocking(), want)
		}
	}
}
