package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smbproxy/internal/smbconf"
)

// update makes the golden files anew: go test ./smbproxy -update. Read the diff.
var update = flag.Bool("update", false, "write golden files")

// golden compares with a file that the repository holds.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s differs at line %d (go test ./smbproxy -update writes it anew)\ngot  %q\nwant %q", path, i+1, g[i], w[i])
		}
	}
	t.Fatalf("%s has %d lines, want %d (go test ./smbproxy -update writes it anew)", path, len(w), len(g))
}

// parseConfig is loadConfig for text, without looking at files.
func parseConfig(text string) (*Config, error) {
	file, faults := smbconf.Parse("t", []byte(text))
	return buildConfig(file, faults, loadOptions{Hostname: "host.example.com", NoFiles: true})
}

// mustLoad loads one of the configurations in testdata.
func mustLoad(t *testing.T, name string) *Config {
	t.Helper()
	cfg, err := loadConfig(filepath.Join("testdata", "config", name+".conf"), loadOptions{Hostname: "host", NoFiles: true})
	if err != nil {
		t.Fatalf("%s:\n%v", name, err)
	}
	return cfg
}

// base is a configuration without faults; the lines of the faults tests come behind it.
const base = `[global]
netbios name = files
smb passwd file = /p
[backend:one]
address = 127.0.0.21
[backend:two]
address = 127.0.0.22
[a]
backend = one
path = /srv/a
`

func TestFaults(t *testing.T) {
	if _, err := parseConfig(base); err != nil {
		t.Fatalf("the base has faults: %v", err)
	}
	for _, c := range []struct {
		name    string
		section string // to which the lines are added
		lines   string
		want    []string // all faults; a prefix each
	}{
		{"unknown parameter", "[a]", "raed only = yes", []string{`t:11: [a] raed only: unknown parameter; did you mean "read only"?`}},
		{"unknown and far from everything", "[a]", "xyzzy = 1", []string{`t:11: [a] xyzzy: unknown parameter`}},
		{"parameter of smbd", "[a]", "create mask = 0770", []string{`t:11: [a] create mask: unknown parameter: not supported by smbproxy itself: write "smbd:create mask"`}},
		{"parameter of another section", "[a]", "lanes = 4", []string{`t:11: [a] lanes: belongs into a [backend:NAME] section, not into this one`}},
		{"global in a share", "[a]", "realm = X", []string{`t:11: [a] realm: belongs into a [global] section, not into this one`}},
		{"synonyms are one parameter", "[a]", "read only = yes\nwriteable = yes", []string{`t:12: [a] writeable: is set twice: "read only" at t:11 is the same parameter`}},
		{"boolean", "[a]", "read only = perhaps", []string{`t:11: [a] read only: "perhaps" is neither yes nor no`}},
		{"inverted boolean", "[a]", "writable = perhaps", []string{`t:11: [a] writable: "perhaps" is neither yes nor no`}},
		{"word", "[a]", "server smb encrypt = perhaps", []string{`t:11: [a] server smb encrypt: "perhaps" is not one of default, desired, required`}},
		{"list with an open quote", "[a]", `valid users = "a`, []string{`t:11: [a] valid users: the quote before "a" is not closed`}},
		{"user with a macro", "[a]", "valid users = %S", []string{`t:11: [a] valid users: "%S": macros are not supported`}},
		{"NIS group", "[a]", "invalid users = &x", []string{`t:11: [a] invalid users: "&x": NIS netgroups are not supported`}},
		{"hosts", "[a]", "hosts deny = 1.2.3.4.5", []string{`t:11: [a] hosts deny: "1.2.3.4.5" is neither`}},
		{"relative path", "[b]", "backend = one\npath = srv", []string{`t:13: [b] path: "srv" is not an absolute path`}},
		{"path with dots", "[b]", "backend = one\npath = /srv/../etc", []string{`t:13: [b] path: "/srv/../etc" is not a clean path, write /etc`}},
		{"share without anything", "[b]", "", []string{`t:11: [b] backend: is missing`, `t:11: [b] path: is missing`}},
		{"backend that is not there", "[b]", "backend = on\npath = /b", []string{`t:12: [b] backend: there is no [backend:on]; did you mean "one"?`}},
		{"one backend share twice", "[b]", "backend = one\npath = /b\nbackend share = A", []string{`t:14: [b] backend share: A on backend one is already the share [a]`}},
		{"guest ok without guests", "[a]", "guest ok = yes", []string{`t:11: [a] guest ok: there are no guests`}},
		{"serial number", "[a]", "volume serial number = none", []string{`t:11: [a] volume serial number: "none" is not a volume serial number`}},
		{"share name", "[b%]", "backend = one\npath = /b", []string{`t:11: [b%] '%' cannot stand in a share name`}},
		{"long share name", "[" + strings.Repeat("x", 81) + "]", "backend = one\npath = /b", []string{`t:11: [` + strings.Repeat("x", 81) + `] the name has 81 characters`}},
		{"homes", "[Homes]", "", []string{`t:11: [Homes] [homes] is not supported`}},
		{"IPC$", "[ipc$]", "", []string{`t:11: [ipc$] IPC$ is served by smbproxy itself`}},
		{"kind of section", "[back:x]", "", []string{`t:11: [back:x] is not a kind of section`}},
		{"smbd option that is ours", "[a]", "smbd:oplocks = yes", []string{`t:11: [a] smbd:oplocks: is set by smbproxy itself`}},
		{"smbd option that includes", "[backend:two]", "smbd:include = /etc/x", []string{`t:8: [backend:two] smbd:include: is set by smbproxy itself`}},
		{"smbd option in global", "[global]", "smbd:x = y", []string{`t:4: [global] smbd:x: "smbd:NAME = VALUE" stands in`}},

		{"backend without address", "[backend:three]", "", []string{`t:11: [backend:three] address: is missing`}},
		{"backend's address", "[backend:three]", "address = a b", []string{`t:12: [backend:three] address: "a b" is not host:port`}},
		{"backend's port", "[backend:three]", "address = a:99999", []string{`t:12: [backend:three] address: "a:99999" is not host:port`}},
		{"backend's name", "[backend:x/y]", "address = x", []string{`t:11: [backend:x/y] "x/y" cannot be the name of a backend`}},
		{"two names that fold to one", "[backend: ONE]", "address = x", []string{`t:11: [backend: ONE] there are two backends of the name ONE`}},
		{"one address twice", "[backend:three]", "address = 127.0.0.21:445", []string{`t:12: [backend:three] address: 127.0.0.21:445 is also that of [backend:one]`}},
		{"one key twice", "[backend:two]", "keytab = /var/lib/smbproxy/one.keytab", []string{`t:8: [backend:two] dedicated keytab file: /var/lib/smbproxy/one.keytab is also that of [backend:one]`}},
		{"one principal twice", "[backend:two]", "service principal = cifs/ONE", []string{`t:8: [backend:two] service principal: cifs/one@SMBPROXY.INTERNAL is also that of [backend:one]`}},
		{"principal", "[backend:two]", "service principal = host/x", []string{`t:8: [backend:two] service principal: "host/x" is not of the form cifs/NAME`}},
		{"lanes", "[backend:two]", "lanes = 65", []string{`t:8: [backend:two] lanes: 65 is not between 1 and 64`}},
		{"role", "[backend:two]", "role = mds mds", []string{`t:8: [backend:two] role: mds stands there twice`}},
		{"empty list", "[backend:two]", "role =", []string{`t:8: [backend:two] role: the list is empty`}},
		{"backend's hosts", "[backend:two]", "hosts allow = @x", []string{`t:8: [backend:two] hosts allow: "@x": NIS netgroups are not supported`}},
		{"realm", "[backend:two]", "realm = a b", []string{`t:8: [backend:two] realm: "a b" is not a realm`}},
		{"time", "[backend:two]", "connect timeout = 1y", []string{`t:8: [backend:two] connect timeout: "1y" is not a time`}},
		{"backend is ourselves", "[global]", "interfaces = 127.0.0.21/8", []string{`t:6: [backend:one] address: 127.0.0.21:445 is where smbproxy itself listens`}},

		{"NetBIOS name too long", "[global]", "workgroup = abcdefghijklmnop", []string{`t:4: [global] workgroup: "abcdefghijklmnop" has 16 characters`}},
		{"NetBIOS name", "[global]", "workgroup = a.b", []string{`t:4: [global] workgroup: '.' cannot stand in a NetBIOS name`}},
		{"DNS name", "[global]", "dns hostname = a_b", []string{`t:4: [global] dns hostname: "a_b" is not a DNS name`}},
		{"SID", "[global]", "machine sid = S-1-5-32", []string{`t:4: [global] machine sid: "S-1-5-32" is not the SID of a machine`}},
		{"interfaces", "[global]", "interfaces = 1.2.3 eth* 1.2.3.4/33", []string{`t:4: [global] interfaces: "1.2.3" is neither`, `t:4: [global] interfaces: "eth*": patterns`, `t:4: [global] interfaces: "1.2.3.4/33" is not`}},
		{"ports", "[global]", "smb ports = 0", []string{`t:4: [global] smb ports: 0 is not between 1 and 65535`}},
		{"metrics for everybody", "[global]", "metrics address = 0.0.0.0:9445", []string{`t:4: [global] metrics address: 0.0.0.0 is not a loopback address`}},
		{"protocols the wrong way round", "[global]", "min protocol = SMB3\nmax protocol = SMB2", []string{`t:4: [global] server min protocol: SMB3_11 is newer than`}},
		{"SMB1", "[global]", "min protocol = NT1", []string{`t:4: [global] min protocol: "NT1" is not one of SMB2_02`}},
		{"encryption that nobody can", "[global]", "max protocol = SMB2\nsmb encrypt = required", []string{`t:5: [global] server smb encrypt: nobody can encrypt`}},
		{"continuous availability beside other writers", "", "[s]\nbackend = two\npath = /s\ncontinuous availability = yes", []string{`t:7: [s] continuous availability: needs `}},
		{"share's encryption that nobody can", "[global]", "smb encrypt = off\n[s]\nbackend = two\npath = /s\nsmb encrypt = required", []string{`t:8: [s] server smb encrypt: nobody could use the share`}},
		{"size", "[global]", "smb2 max read = 16M", []string{`t:4: [global] smb2 max read: 16M is not between 64K and 8M`}},
		{"helper and passdb", "[global]", "ntlm auth helper = /usr/bin/ntlm_auth", []string{`t:4: [global] ntlm auth helper: `}},
		{"relative helper", "[global]", "ntlm auth helper = ntlm_auth", []string{`t:4: [global] ntlm auth helper: the program "ntlm_auth" is not an absolute path`}},
		{"no NTLM and no Kerberos", "[global]", "ntlm auth = disabled", []string{`t:4: [global] ntlm auth: nobody could log on`}},
		{"guests as nobody", "[global]", "map to guest = bad user", []string{`t:1: [global] guest account: guests are allowed, but nobody`}},
		{"guests as root", "[global]", "guest account = root", []string{`t:4: [global] guest account: root is never`}},
		{"names in the global host list", "[global]", "hosts allow = 10. good.example.com", []string{`t:4: [global] hosts allow: good.example.com is a name`}},
		{"minimum uid", "[global]", "minimum uid = 0", []string{`t:4: [global] minimum uid: 0 is not between`}},
		{"share parameter as default", "[global]", "read only = perhaps", []string{`t:4: [global] read only: "perhaps" is neither yes nor no`}},
		{"syntax and meaning together", "[a]", "nonsense\nlanes = 1\nread only = x", []string{`t:11: [a] "nonsense" is neither`, `t:12: [a] lanes: belongs`, `t:13: [a] read only: "x" is neither`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseConfig(addLines(base, c.section, c.lines))
			checkFaults(t, err, c.want)
		})
	}
}

// addLines puts lines at the end of a section, which is made if it is not there.
func addLines(text, section, lines string) string {
	at := strings.Index(text, section+"\n")
	if at < 0 {
		return text + section + "\n" + lines + "\n"
	}
	end := strings.Index(text[at+1:], "\n[")
	if end < 0 {
		return text + lines + "\n"
	}
	end += at + 2
	return text[:end] + lines + "\n" + text[end:]
}

// checkFaults wants exactly these faults, each given by how it begins.
func checkFaults(t *testing.T, err error, want []string) {
	t.Helper()
	var faults smbconf.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got %v, want %d faults", err, len(want))
	}
	if len(faults) != len(want) {
		t.Fatalf("got %d faults, want %d:\n%v", len(faults), len(want), faults)
	}
	for i, f := range faults {
		if !strings.HasPrefix(f.Error(), want[i]) {
			t.Errorf("fault %d:\ngot  %s\nwant %s", i, f, want[i])
		}
	}
}

func TestFaultsOfNothing(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "t: [global] nobody could log on",
		"[global]\nsmb passwd file = /p\n": "t: there is no share",
		"[global]\nnetbios name = x\n[backend:a]\naddress = b\n[s]\nbackend = a\npath = /s\n": "t:1: [global] nobody could log on",
	} {
		_, err := parseConfig(text)
		checkFaults(t, err, []string{want})
	}
}

func TestFaultsOfFiles(t *testing.T) {
	dir := t.TempDir()
	path := func(name string, mode os.FileMode, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	open := filepath.Join(dir, "open")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	good := &Backend{KeytabFile: filepath.Join(dir, "good.keytab"), ServicePrincipal: "cifs/one", Realm: "SMBPROXY.INTERNAL"}
	if _, err := ensureKeytab(good, false); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(good.KeytabFile)
	if err != nil {
		t.Fatal(err)
	}
	passdb := path("smbpasswd", 0o640, "anna:1000:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:8846F7EAEE8FB117AD06BDD830B7586C:[U          ]:LCT-00000000:\n")
	load := func(state, passdb, keytab string) error {
		conf := path("conf", 0o600, "[global]\nstate directory = "+state+"\nsmb passwd file = "+passdb+
			"\n[backend:one]\naddress = 127.0.0.21\nkeytab = "+keytab+"\n[a]\nbackend = one\npath = /a\n")
		_, err := loadConfig(conf, loadOptions{})
		return err
	}
	if err := load(dir, passdb, good.KeytabFile); err != nil {
		t.Fatalf("good files: %v", err)
	}
	conf := filepath.Join(dir, "conf")
	for _, c := range []struct{ name, state, passdb, keytab, want string }{
		{"no passdb", dir, filepath.Join(dir, "none"), good.KeytabFile, ":3: [global] smb passwd file: open "},
		{"passdb for everybody", dir, path("p644", 0o644, ""), good.KeytabFile, ":3: [global] smb passwd file: " + dir + "/p644 has mode 0644"},
		{"passdb is a directory", dir, dir, good.KeytabFile, ":3: [global] smb passwd file: " + dir + " is not a regular file"},
		{"passdb is nonsense", dir, path("bad", 0o600, "nonsense\n"), good.KeytabFile, ":1: [global] passdb file: "},
		{"no keytab", dir, passdb, filepath.Join(dir, "none"), ":6: [backend:one] dedicated keytab file: open " + dir + "/none: no such file or directory: make it with `smbproxy backend keytab one`"},
		{"keytab for everybody", dir, passdb, path("k644", 0o644, string(key)), ":6: [backend:one] dedicated keytab file: " + dir + "/k644 has mode 0644"},
		{"keytab for the group to write", dir, passdb, path("k660", 0o660, string(key)), ":6: [backend:one] dedicated keytab file: " + dir + "/k660 has mode 0660"},
		{"keytab is nonsense", dir, passdb, path("kbad", 0o600, "xxxx"), ":6: [backend:one] dedicated keytab file: "},
		{"no state directory", filepath.Join(dir, "none"), passdb, good.KeytabFile, ":2: [global] state directory: stat "},
		{"state directory for everybody", open, passdb, good.KeytabFile, ":2: [global] state directory: " + open + " must be a directory that only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkFaults(t, load(c.state, c.passdb, c.keytab), []string{conf + c.want})
		})
	}
	t.Run("key of another principal", func(t *testing.T) {
		other := &Backend{KeytabFile: filepath.Join(dir, "other.keytab"), ServicePrincipal: "cifs/two", Realm: "SMBPROXY.INTERNAL"}
		if _, err := ensureKeytab(other, false); err != nil {
			t.Fatal(err)
		}
		checkFaults(t, load(dir, passdb, other.KeytabFile), []string{conf + ":6: [backend:one] dedicated keytab file: "})
	})
}
