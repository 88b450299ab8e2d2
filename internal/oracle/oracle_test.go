package oracle_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"smbproxy/internal/lab"
	"smbproxy/internal/oracle"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// pair starts a backend, a proxy before it and the oracle beside it.
func pair(t *testing.T) *oracle.Pair {
	t.Helper()
	l := lab.New(t, lab.Options{})
	c := l.MustCluster(lab.ClusterOptions{Direct: true, EditConf: lab.NoKernelNotify})
	u1, u2 := l.User("user1"), l.User("user2")
	return &oracle.Pair{Direct: c.Direct.Addr(), Proxy: c.Proxy.Addr(), Share: "share",
		Accounts: []oracle.Account{{Name: u1.Name, Password: u1.Password}, {Name: u2.Name, Password: u2.Password}},
		Empty: func() error {
			return errors.Join(l.Tree.Empty("share"), l.Tree.Empty("direct/share"))
		}}
}

// TestScripts runs the scripts that were written by hand or kept from random failures.
func TestScripts(t *testing.T) {
	p := pair(t)
	files, err := filepath.Glob("testdata/*.script")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, d := range []smb2.Dialect{smb2.Dialect202, smb2.Dialect210, smb2.Dialect311} {
		p := *p
		p.Options = rawsmb.Options{Dialects: []smb2.Dialect{d}}
		for _, f := range files {
			t.Run(d.String()+"/"+strings.TrimSuffix(filepath.Base(f), ".script"), func(t *testing.T) {
				text, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Run(t.Context(), string(text)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// seed makes "go test" run the same scripts every time; "make diff" runs others (-rapid.seed=0, -rapid.checks=N).
const seed = "20261121"

// TestRandom runs random scripts; rapid shrinks one that differs.
func TestRandom(t *testing.T) {
	p := pair(t)
	if os.Getenv("SMBPROXY_DIFF") == "" {
		if err := flag.Set("rapid.seed", seed); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		script := genScript(rt)
		if err := p.Run(t.Context(), script); err != nil {
			rt.Fatalf("%v\n\nthe script, to be kept under testdata:\n%s", err, script)
		}
	})
}

// TestLanes runs scripts in which two clients meet, with the second one on one lane after another, and with a file's data
// at another backend than its name: everything is as on one server, and the same on every run.
func TestLanes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts several servers")
	}
	files, err := filepath.Glob("testdata/lanes/*.script")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	const clients = 5 // sessions spread over four lanes
	for name, share := range map[string]lab.Share{
		"one backend":  {Name: "share"},
		"two backends": {Name: "share", Backends: []int{0, 1}},
		"data apart":   {Name: "share", Backends: []int{0}, Lines: []string{"ost backends = b1", "stripe size = 65536"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := lab.New(t, lab.Options{})
			c := l.MustCluster(lab.ClusterOptions{Direct: true, Backends: 2, Shares: []lab.Share{share}, EditConf: func(conf string) string {
				// The oracle looks for open files below a directory in all its processes, as smbproxy does.
				return lab.NoKernelNotify(strings.Replace(conf, "[global]\n", "[global]\n\tstrict rename = yes\n", 1))
			}})
			u := l.User("user1")
			p := &oracle.Pair{Direct: c.Direct.Addr(), Proxy: c.Proxy.Addr(), Share: "share", Empty: func() error {
				return errors.Join(l.Tree.Empty("share"), l.Tree.Empty("direct/share"))
			}}
			for range clients {
				p.Accounts = append(p.Accounts, oracle.Account{Name: u.Name, Password: u.Password})
			}
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				for other := 2; other <= clients; other++ {
					script := strings.ReplaceAll(string(text), "user=2", fmt.Sprintf("user=%d", other))
					if err := p.Run(t.Context(), script); err != nil {
						t.Errorf("%s with client %d: %v", filepath.Base(f), other, err)
					}
				}
			}
		})
	}
}
