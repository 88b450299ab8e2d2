package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// runCommand runs a command line as the shell would.
func runCommand(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(context.Background(), args, &out, &errs)
	return status, out.String(), errs.String()
}

// Every command explains itself: a summary, a usage line, and an example unless it has none to give.
func TestHelp(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		status, out, stderr := runCommand(t, args...)
		if status != 0 || !strings.Contains(out, "Usage:") || stderr != "" {
			t.Errorf("%v: status %d, %q", args, status, stderr)
		}
		if cmd.Short == "" {
			t.Errorf("%v: no summary", args)
		}
		if cmd.Runnable() && cmd.Example == "" && cmd.Name() != "version" {
			t.Errorf("%v: no example", args)
		}
		for _, line := range strings.Split(cmd.Long+"\n"+cmd.Example, "\n") {
			if len(line) > 90 {
				t.Errorf("%v: a line of %d characters: %s", args, len(line), line)
			}
		}
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	root := newRootCommand()
	visit(root)
	_, out, _ := runCommand(t, "--help")
	for _, cmd := range root.Commands() {
		if !strings.Contains(out, cmd.Short) {
			t.Errorf("--help does not mention %s", cmd.Name())
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if status, out, _ := runCommand(t, "completion", shell); status != 0 || !strings.Contains(out, "smbproxy") {
			t.Errorf("%s: status %d, %d bytes", shell, status, len(out))
		}
	}
	config := filepath.Join("testdata", "config", "full.conf")
	if _, out, _ := runCommand(t, "__complete", "--config", config, "backend", "config", ""); !strings.HasPrefix(out, "one\ntwo\n") {
		t.Errorf("names of backends: got %q", out)
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"serv"}, "unknown command"},
		{[]string{"serve", "--nothing"}, "unknown flag: --nothing\nTry: smbproxy serve --help"},
		{[]string{"backend", "config"}, "NAME is missing"},
		{[]string{"backend", "config", "a", "b"}, `"b" is one argument too many`},
		{[]string{"testparm", "a", "b"}, `"b" is one argument too many`},
		{[]string{"backend", "config", "one", "--prefix", "relative"}, "is not an absolute path"},
	} {
		if status, out, stderr := runCommand(t, c.args...); status != 2 || out != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, %q, %q, want 2 and %q", c.args, status, out, stderr, c.want)
		}
	}
}

func TestVersionCommand(t *testing.T) {
	if status, out, _ := runCommand(t, "version"); status != 0 || !strings.HasPrefix(out, "smbproxy ") || strings.Contains(out, "unknown") {
		t.Errorf("status %d, %q", status, out)
	}
}

func TestTestparm(t *testing.T) {
	config := filepath.Join("testdata", "config", "minimal.conf")
	if status, out, stderr := runCommand(t, "testparm", "--no-files", "-s", config); status != 0 || !strings.Contains(out, "\tserver signing = mandatory\n") || !strings.Contains(stderr, "no faults found") {
		t.Errorf("status %d\n%s%s", status, out, stderr)
	}
	if status, out, _ := runCommand(t, "--configfile", config, "testparm", "--no-files", "--section-name", "projects", "--parameter-name", "path"); status != 0 || out != "/srv/projects\n" {
		t.Errorf("status %d, %q", status, out)
	}
	bad := filepath.Join(t.TempDir(), "bad.conf")
	if err := os.WriteFile(bad, []byte("[global]\nserver signnig = yes\nlog level = loud\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, stderr := runCommand(t, "testparm", "--no-files", bad)
	want := bad + `:1: [global] nobody could log on: set ` + "`smb passwd file`, `ntlm auth helper` or `dedicated keytab file`" + `
` + bad + `:2: [global] server signnig: unknown parameter; did you mean "server signing"?
` + bad + `:3: [global] log level: "loud" is not one of error, warn, info, debug
`
	if status != 1 || out != "" || !strings.HasPrefix(stderr, want) || !strings.HasSuffix(stderr, "faults in the configuration\n") {
		t.Errorf("status %d\n%s%s\nwant\n%s", status, out, stderr, want)
	}
	if status, _, stderr := runCommand(t, "testparm", bad+"x"); status != 1 || !strings.Contains(stderr, "no such file") {
		t.Errorf("no file: status %d, %s", status, stderr)
	}
}

func TestBackendKeytab(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "conf")
	if err := os.WriteFile(config, []byte("[global]\nstate directory = "+dir+"\nsmb passwd file = /p\n[backend:One]\naddress = 127.0.0.21\n[a]\nbackend = one\npath = /a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "One.keytab")
	mode := func(path string) os.FileMode {
		t.Helper()
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return st.Mode().Perm()
	}
	read := func(path string) string {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if status, _, stderr := runCommand(t, "-c", config, "backend", "keytab", "one"); status != 0 || !strings.Contains(stderr, "made "+key+", key of cifs/one@SMBPROXY.INTERNAL") {
		t.Fatalf("status %d, %s", status, stderr)
	}
	if mode(key) != 0o600 {
		t.Errorf("the key has mode %04o", mode(key))
	}
	first := read(key)
	export := filepath.Join(dir, "export")
	if err := os.WriteFile(export, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := runCommand(t, "-c", config, "backend", "keytab", "one", "--export", export); status != 0 || !strings.Contains(stderr, "kept ") {
		t.Errorf("status %d, %s", status, stderr)
	}
	if mode(export) != 0o600 || read(export) != first || read(key) != first {
		t.Errorf("the copy has mode %04o, equal: %v; the key is kept: %v", mode(export), read(export) == first, read(key) == first)
	}
	if _, out, _ := runCommand(t, "-c", config, "backend", "keytab", "one", "--export", "-"); out != first {
		t.Error("the key on standard output is not the key")
	}
	if status, _, stderr := runCommand(t, "-c", config, "backend", "keytab", "one", "--rotate"); status != 0 || !strings.Contains(stderr, "added a newer key to ") {
		t.Errorf("status %d, %s", status, stderr)
	}
	if second := read(key); !strings.HasPrefix(second, first) || len(second) <= len(first) || mode(key) != 0o600 {
		t.Errorf("after --rotate: %d bytes of mode %04o, before %d", len(second), mode(key), len(first))
	}
	if status, _, stderr := runCommand(t, "-c", config, "backend", "keytab", "onne"); status != 1 || !strings.Contains(stderr, "did you mean One?") {
		t.Errorf("status %d, %s", status, stderr)
	}
}

func TestBackendConfig(t *testing.T) {
	config := filepath.Join("testdata", "config", "minimal.conf")
	status, out, stderr := runCommand(t, "-c", config, "backend", "config", "ONE", "--keytab", "/srv/lab/key", "--prefix", "/srv/lab/one")
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, %s", status, stderr)
	}
	golden(t, filepath.Join("testdata", "config", "minimal-one-prefix.smb.conf.golden"), out)
}

// A faulty configuration does not hide the socket of the smbproxy that runs with the one before it.
func TestAdminSocketOfFaultyConfig(t *testing.T) {
	config := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(config, []byte("nonsense\n[global]\nAdmin Socket = /run/x\nstate directory = /srv/state\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := looseGlobal(config); got.AdminSocket != "/run/x" || got.StateDirectory != "/srv/state" {
		t.Errorf("got %+v", got)
	}
	if got := looseGlobal(config + "x"); got.AdminSocket != "/run/smbproxy/admin.sock" {
		t.Errorf("without a file: got %+v", got)
	}
	socket := filepath.Join(t.TempDir(), "none")
	if status, _, stderr := runCommand(t, "-c", config, "status", "--socket", socket); status != 1 || !strings.Contains(stderr, "no smbproxy is running at "+socket) {
		t.Errorf("status %d, %s", status, stderr)
	}
}
