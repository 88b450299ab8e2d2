package main

import (
	"strings"
	"testing"

	"smbproxy/internal/lab"
)

// checked runs `backend check` and gives its lines by the property, with the error.
func checked(t *testing.T, c *lab.Cluster, user string) (lines map[string]string, err error) {
	t.Helper()
	out, err := c.Proxy.Run(t.Context(), "backend", "check", lab.BackendName(0), "--user", user)
	lines = map[string]string{}
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), "  ")
		var fields []string
		for _, x := range f {
			if x = strings.TrimSpace(x); x != "" {
				fields = append(fields, x)
			}
		}
		if len(fields) >= 3 {
			lines[fields[1]+" "+fields[2]] = strings.Join(append([]string{fields[0]}, fields[3:]...), " ")
		}
	}
	t.Log(out)
	return lines, err
}

// A backend whose smb.conf is as smbproxy prints it has no fault.
func TestBackendCheck(t *testing.T) {
	c := lab.New(t, lab.Options{}).MustCluster(lab.ClusterOptions{Shares: []lab.Share{{Name: "share"}, {Name: "other", ReadOnly: true}}})
	name := c.Lab.Users()[0].Name
	lines, err := checked(t, c, name)
	if err != nil {
		t.Errorf("a good backend: %v", err)
	}
	shown := 0
	for property, line := range lines {
		if strings.HasPrefix(line, "ok") {
			shown++
		} else {
			t.Errorf("%s: %s", property, line)
		}
	}
	if shown < 28 {
		t.Errorf("only %d properties are shown", shown)
	}
	if _, err := c.Proxy.Run(t.Context(), "backend", "check", lab.BackendName(0), "--user", "root"); err == nil {
		t.Error("checked as root")
	}
	if _, err := c.Proxy.Run(t.Context(), "backend", "check", lab.BackendName(0), "--user", "no-such-user"); err == nil || !strings.Contains(err.Error(), "this host does not know the user") {
		t.Errorf("as an unknown user: %v", err)
	}
	if err := c.Backends[0].Stop(); err != nil {
		t.Fatal(err)
	}
	if lines, err := checked(t, c, name); err == nil || len(lines) != 1 {
		t.Errorf("a backend that is down: %v\n%v", err, lines)
	}
}

// Each line of smb.conf that can be seen from outside is seen to be wrong, and only that.
func TestBackendCheckFaults(t *testing.T) {
	l := lab.New(t, lab.Options{})
	for _, tc := range []struct{ line, wrong, property string }{
		{"server min protocol = SMB3_11", "server min protocol = SMB2_10", "- server min protocol"},
		{"server signing = mandatory", "server signing = auto", "- server signing"},
		{"server smb3 signing algorithms = AES-128-GMAC, AES-128-CMAC, HMAC-SHA256", "server smb3 signing algorithms = AES-128-CMAC", "- server smb3 signing algorithms"},
		{"server multi channel support = no", "server multi channel support = yes", "- server multi channel support"},
		{"smb2 max write = 8388608", "smb2 max write = 65536", "- smb2 max write"},
		{"host msdfs = no", "host msdfs = yes", "- host msdfs"},
		{"netbios name = SMBPROXY", "netbios name = ELSEWHERE", "- netbios name"},
		{"invalid users = root", "invalid users = daemon", "- invalid users"},
		{"volume = share", "volume = else", "share volume"},
		{"oplocks = no\n\tlevel2 oplocks = no", "oplocks = yes\n\tlevel2 oplocks = yes", "share oplocks, level2 oplocks, durable handles"},
		{"\tlocking = no", "\tlocking = yes", "share locking"},
		{"store dos attributes = yes", "store dos attributes = no", "share store dos attributes, map archive, map hidden, map system"},
		{"ea support = yes", "ea support = no", "share ea support"},
		{"vfs objects = acl_xattr streams_xattr", "vfs objects = acl_xattr", "share vfs objects (streams)"},
		{"strict sync = yes", "strict sync = no", "share strict sync"},
		{"\tchange notify = yes\n", "\tchange notify = no\n", "share change notify"},
		{"deadtime = 0", "deadtime = 1", ""}, // not to be seen
	} {
		t.Run(tc.wrong, func(t *testing.T) {
			seen := false
			c := l.MustCluster(lab.ClusterOptions{Name: "p" + strings.Map(plainLetters, tc.wrong), EditConf: func(conf string) string {
				out := strings.Replace(conf, tc.line, tc.wrong, 1)
				seen = out != conf
				return out
			}})
			if !seen {
				t.Fatalf("the printed smb.conf has no line %q", tc.line)
			}
			lines, err := checked(t, c, l.Users()[0].Name)
			if (err != nil) != (tc.property != "") {
				t.Errorf("error %v", err)
			}
			for property, line := range lines {
				if fault := strings.HasPrefix(line, "FAULT"); fault != (property == tc.property) {
					t.Errorf("%s: %s", property, line)
				}
			}
		})
	}
}

// plainLetters drops what cannot stand in a directory's name.
func plainLetters(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return -1
}
