package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"smbproxy/internal/smbconf"
)

func TestPrintConfig(t *testing.T) {
	for _, name := range []string{"minimal", "full"} {
		cfg := mustLoad(t, name)
		for suffix, opt := range map[string]printOptions{".all": {}, ".set": {SetOnly: true}, ".origin": {Origin: true, SetOnly: true}} {
			var out bytes.Buffer
			if err := printConfig(&out, cfg, opt); err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", "config", name+suffix+".golden"), out.String())
		}
	}
}

// What testparm prints is the same configuration again.
func TestPrintConfigRoundTrip(t *testing.T) {
	for _, name := range []string{"minimal", "full"} {
		var first, second bytes.Buffer
		if err := printConfig(&first, mustLoad(t, name), printOptions{}); err != nil {
			t.Fatal(err)
		}
		cfg, err := parseConfig(first.String())
		if err != nil {
			t.Fatalf("%s, printed and read: %v", name, err)
		}
		if err := printConfig(&second, cfg, printOptions{}); err != nil {
			t.Fatal(err)
		}
		if first.String() != second.String() {
			t.Errorf("%s: printed twice, it is\n%s\nthen\n%s", name, &first, &second)
		}
	}
}

func TestPrintOne(t *testing.T) {
	cfg := mustLoad(t, "full")
	for _, c := range []struct{ section, parameter, want string }{
		{"global", "log level", "debug\n"},
		{"team files", "PATH", "/srv/team\n"},
		{"team files", "directory", "/srv/team\n"},
		{"backend:one", "smbd:log level", "2\n"},
		{"", "path", "/srv/team\n/srv/archive\n"},
	} {
		var out bytes.Buffer
		if err := printConfig(&out, cfg, printOptions{Section: c.section, Parameter: c.parameter}); err != nil || out.String() != c.want {
			t.Errorf("[%s] %s: got %q, %v, want %q", c.section, c.parameter, &out, err, c.want)
		}
	}
	if err := printConfig(&bytes.Buffer{}, cfg, printOptions{Section: "none"}); err == nil {
		t.Error("a section that is not there: no error")
	}
}

func TestSmbdConf(t *testing.T) {
	for _, c := range []struct {
		config, backend string
		paths           smbdPaths
	}{
		{"minimal", "one", smbdPaths{}},
		{"minimal", "one", smbdPaths{Prefix: "/srv/lab/one", Keytab: "/srv/lab/key"}},
		{"full", "one", smbdPaths{Log: "/var/log/samba/one"}},
		{"full", "two", smbdPaths{}},
	} {
		name := c.config + "-" + c.backend
		if c.paths.Prefix != "" {
			name += "-prefix"
		}
		t.Run(name, func(t *testing.T) {
			cfg := mustLoad(t, c.config)
			var out bytes.Buffer
			if err := smbdConf(&out, cfg, cfg.backend(c.backend), c.paths); err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", "config", name+".smb.conf.golden"), out.String())
			checkWithSamba(t, out.String())
		})
	}
}

// checkWithSamba lets Samba's own testparm read the text: it must know every parameter, and every
// value must come out as it went in.
func checkWithSamba(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	text = strings.ReplaceAll(text, "/srv/lab/", dir+"/") // testparm looks whether directories exist
	for _, d := range []string{"one/private", "one/lock", "one/state", "one/cache", "one/pid", "one/ncalrpc", "one/winbindd"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "smb.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("testparm", "-sv", path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("testparm: %v\n%s", err, &stderr)
	}
	for line := range strings.Lines(stderr.String()) {
		for _, bad := range []string{"Unknown parameter", "Ignoring", "ERROR", "WARNING", "invalid", "is not"} {
			if strings.Contains(line, bad) {
				t.Errorf("Samba's testparm says: %s", line)
			}
		}
	}
	// Samba prints an empty include, which to us is a fault.
	theirs, faults := smbconf.Parse("theirs", bytes.ReplaceAll(out, []byte("\tinclude = \n"), nil))
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	ours, _ := smbconf.Parse("ours", []byte(text))
	global := ours.Section("global")
	for _, p := range global.Parameters {
		got, ok := sambaValue(theirs.Section("global"), p.Name)
		if !ok {
			t.Errorf("[global] %s: Samba's testparm does not show it", p.Name)
			continue
		}
		if smbconf.Key(p.Name) == "loglevel" {
			continue // testparm shows its own
		}
		if !sameValue(got, p.Value) {
			t.Errorf("[global] %s: we say %q, Samba understands %q", p.Name, p.Value, got)
		}
	}
}

func sambaValue(s *smbconf.Section, name string) (string, bool) {
	for _, p := range s.Parameters {
		if smbconf.Key(p.Name) == smbconf.Key(name) {
			return p.Value, true
		}
	}
	return "", false
}

// sameValue knows how Samba spells what it has read.
func sameValue(theirs, ours string) bool {
	fold := func(s string) string {
		s = strings.ToLower(strings.NewReplacer(",", " ", `"`, "").Replace(s))
		s = strings.Join(strings.Fields(s), " ")
		switch s {
		case "smb3_11":
			return "smb3"
		case "mandatory":
			return "required"
		case "off":
			return "no"
		}
		return s
	}
	return fold(theirs) == fold(ours)
}

func TestSmbdConfNeedsHostsAllow(t *testing.T) {
	cfg, err := parseConfig("[global]\nsmb passwd file = /p\ninterfaces = eth0\n[backend:a]\naddress = 192.0.2.1\n[s]\nbackend = a\npath = /s\n")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = smbdConf(&out, cfg, cfg.Backends[0], smbdPaths{})
	if err == nil || !strings.Contains(err.Error(), "t:4: [backend:a] hosts allow: is not set") || out.Len() > 0 {
		t.Errorf("got %v and %q", err, &out)
	}
}
