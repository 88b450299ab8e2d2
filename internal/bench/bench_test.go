package bench_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smbproxy/internal/bench"
	"smbproxy/internal/lab"
)

// TestAgainstSamba runs some operations of every workload on both engines against stock smbd: operations are done, none
// fails, and no file is left behind.
func TestAgainstSamba(t *testing.T) {
	l := lab.New(t, lab.Options{PlainTree: true})
	s := l.MustSamba(lab.SambaOptions{Name: "a", Conf: l.DirectConf("share"), Passwords: true})
	users := []bench.User{}
	for _, u := range l.Users() {
		users = append(users, bench.User{Name: u.Name, Password: u.Password})
	}
	base := bench.Config{Address: s.Addr(), Share: "share", Users: users[:1],
		Clients: 2, FileSize: 1 << 20, Operations: 40}
	type test struct {
		name string
		cfg  bench.Config
	}
	var tests []test
	for _, name := range bench.Names() {
		for _, p := range bench.Protections {
			cfg := base
			cfg.Workload, cfg.Protection = name, p
			tests = append(tests, test{name + "/" + string(p), cfg})
		}
	}
	cfg := base
	cfg.Workload, cfg.Users, cfg.Clients = "mix", users, 5
	tests = append(tests, test{"mix/users", cfg})
	for _, name := range []string{"read", "write", "randread", "randwrite", "open", "stat", "list"} {
		cfg := base
		cfg.Workload, cfg.Engine = name, bench.GoSMB2 // plain: signed, the library rejects smbd's interim replies
		tests = append(tests, test{name + "/go-smb2", cfg})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			res, err := bench.Run(t.Context(), test.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if res.Errors != 0 || res.Ops == 0 || res.Latency.P50 == 0 || res.Fair.Least == 0 {
				t.Errorf("got %d operations, p50 %v, least %d, %d errors %q", res.Ops, res.Latency.P50, res.Fair.Least, res.Errors, res.ErrorSamples)
			}
			moves := strings.Contains(test.cfg.Workload, "read") || strings.Contains(test.cfg.Workload, "write") || test.cfg.Workload == "mix"
			if moves != (res.Bytes > 0) {
				t.Errorf("got %d bytes moved", res.Bytes)
			}
			left, err := os.ReadDir(filepath.Join(l.Tree.Dir, "share"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}
