package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hirochachacha/go-smb2"

	"smbproxy/internal/lab"
)

// Statuses that go-smb2 reports as numbers, [MS-ERREF] 2.3.1.
const (
	statusLogonFailure     = 0xC000006D
	statusInvalidParameter = 0xC000000D
)

func TestLogonRefusals(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	user := c.Lab.User("user1")
	wrong := user
	wrong.Password = "not this"
	for _, try := range []struct {
		name   string
		status string
		log    string // beside "refused"
		opts   []lab.ClientOption
	}{
		{"wrong password", "NT_STATUS_LOGON_FAILURE", "user1", []lab.ClientOption{lab.As(wrong)}},
		{"unknown user", "NT_STATUS_LOGON_FAILURE", "nobody-knows", []lab.ClientOption{lab.As(lab.User{Name: "nobody-knows", Password: "x"})}},
		{"NTLMv1", "NT_STATUS_LOGON_FAILURE", "NTLMv1", []lab.ClientOption{lab.As(user), lab.ClientArgs("--option=client ntlmv2 auth=no")}},
		{"guest", "NT_STATUS_LOGON_FAILURE", "guest", []lab.ClientOption{lab.As(lab.User{Name: "guest"})}},
		{"anonymous", "NT_STATUS_ACCESS_DENIED", "anonymous", []lab.ClientOption{lab.Anonymous()}},
	} {
		t.Run(try.name, func(t *testing.T) {
			mark := c.Proxy.LogSize()
			refused(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", append(try.opts, lab.Command("ls"))...), try.status)
			logged(t, c, mark, "refused", try.log)
		})
	}
	if strings.Contains(c.Proxy.Log(), wrong.Password) || strings.Contains(c.Proxy.Log(), lab.NTHash(user.Password)) {
		t.Error("a password or its hash stands in the log")
	}
}

// micStripper forwards a connection and clears the MIC of the NTLM AUTHENTICATE message on
// its way, [MS-NLMP] 2.2.1.3: 16 bytes at offset 72.
func micStripper(t *testing.T, addr string) net.Conn {
	t.Helper()
	backend, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	client, inner := net.Pipe()
	t.Cleanup(func() { _, _ = client.Close(), backend.Close() })
	go func() { _, _ = io.Copy(inner, backend) }()
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := inner.Read(buf)
			if err != nil {
				return
			}
			if at := bytes.Index(buf[:n], []byte("NTLMSSP\x00\x03\x00\x00\x00")); at >= 0 && at+88 <= n {
				clear(buf[at+72 : at+88])
			}
			if _, err := backend.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	return client
}

func TestMissingMICRefused(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	user := c.Lab.User("user1")
	mark := c.Proxy.LogSize()
	d := &smb2.Dialer{Initiator: &smb2.NTLMInitiator{User: user.Name, Password: user.Password}}
	_, err := d.Dial(micStripper(t, c.Proxy.Addr()))
	if got := status(err); got != statusLogonFailure && got != statusInvalidParameter {
		t.Errorf("got %v, want STATUS_LOGON_FAILURE or STATUS_INVALID_PARAMETER", err)
	}
	logged(t, c, mark, "refused", "MIC")
}

func TestUnreachableBackend(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{GlobalLines: []string{"failover timeout = 1s"}})
	user := lab.As(c.Lab.User("user1"))
	if err := c.Backends[0].Kill(); err != nil {
		t.Fatal(err)
	}
	mark := c.Proxy.LogSize()
	refused(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", user, lab.Command("ls")), "NT_STATUS_FILE_NOT_AVAILABLE")
	logged(t, c, mark, "no backend connects the share", lab.BackendName(0))
	if err := c.Backends[0].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := lab.WaitFor(30*time.Second, func() error {
		if r := c.Lab.Smbclient(c.Proxy.Addr(), "share", user, lab.Command("ls")); r.Err != nil || r.Status() != "" {
			return fmt.Errorf("%v", r)
		}
		return nil
	}); err != nil {
		t.Errorf("the share does not come back: %v", err)
	}
}

// TestBackendDiesUnderAClient: what waits for the only backend of a file fails when its time is over, and nothing else of the
// client does.
func TestBackendDiesUnderAClient(t *testing.T) {
	// Shorter than what clients are told of: go-smb2 takes interim replies, which nobody signs, for forgeries.
	c := cluster(t, lab.ClusterOptions{GlobalLines: []string{"failover timeout = 400ms"}, Backends: 2, Shares: []lab.Share{{Name: "share"}, {Name: "other", Backend: 1}}})
	s, err := goClient(t, c.Proxy.Addr(), c.Lab.User("user1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Mount("share")
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.Mount("other")
	if err != nil {
		t.Fatal(err)
	}
	f, err := m.Create("file")
	if err != nil {
		t.Fatal(err)
	}
	mark := c.Proxy.LogSize()
	if err := c.Backends[0].Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("x")); err == nil {
		t.Error("a write to a dead backend succeeded")
	}
	logged(t, c, mark, "lane lost", lab.BackendName(0))
	if err := other.WriteFile("still", []byte("here"), 0o644); err != nil {
		t.Errorf("the session's other share: %v", err)
	}
}

func TestWrongBackendKey(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	b := c.Backends[0]
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	// The proxy turns to a key that the backend has never seen.
	if err := os.Remove(filepath.Join(c.Proxy.StateDir(), lab.BackendName(0)+".keytab")); err != nil {
		t.Fatal(err)
	}
	old := "FILE:" + filepath.Join(c.Proxy.StateDir(), lab.BackendName(0)+".keytab")
	conf, err := os.ReadFile(b.Dirs.Conf())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(conf), old) {
		t.Fatalf("smb.conf does not name %s", old)
	}
	kept := filepath.Join(b.Dirs.Base, "old.keytab")
	if _, err := c.Proxy.Run(t.Context(), "backend", "keytab", lab.BackendName(0)); err != nil {
		t.Fatal(err)
	}
	if err := otherKey(c, kept); err != nil {
		t.Fatal(err)
	}
	if err := b.SetConf(func(lab.Dirs) string { return strings.ReplaceAll(string(conf), old, "FILE:"+kept) }); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	mark := c.Proxy.LogSize()
	refused(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(c.Lab.User("user1")), lab.Command("ls")), "NT_STATUS_ACCESS_DENIED")
	logged(t, c, mark, "refuses a minted ticket", lab.BackendName(0))
}

// otherKey has smbproxy make a key for the same backend in another state directory.
func otherKey(c *lab.Cluster, to string) error {
	conf, err := os.ReadFile(c.Proxy.ConfFile())
	if err != nil {
		return err
	}
	text := strings.ReplaceAll(string(conf), filepath.Join(c.Proxy.StateDir(), lab.BackendName(0)+".keytab"),
		filepath.Join(c.Proxy.StateDir(), "stranger.keytab"))
	if err := c.Proxy.WriteFile("stranger.conf", text); err != nil {
		return err
	}
	if _, err := c.Proxy.Run(context.Background(), "--config", filepath.Join(c.Proxy.Dir, "stranger.conf"), "backend", "keytab", lab.BackendName(0)); err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(c.Proxy.StateDir(), "stranger.keytab"))
	if err != nil {
		return err
	}
	return os.WriteFile(to, key, 0o600)
}

func TestFullDisk(t *testing.T) {
	l := lab.New(t, lab.Options{TreeMiB: 32})
	if l.Tree.Image == "" {
		t.Skipf("no file system of its own to fill: %s", l.Tree.Why)
	}
	c := l.MustCluster(lab.ClusterOptions{})
	dir := t.TempDir()
	writeNoise(t, filepath.Join(dir, "big"), 4, 64<<20)
	mark := c.Proxy.LogSize()
	user := lab.As(l.User("user1"))
	refused(t, l.Smbclient(c.Proxy.Addr(), "share", user, lab.InDir(dir), lab.Command("put big")), "NT_STATUS_DISK_FULL")
	logged(t, c, mark, "DISK_FULL", lab.BackendName(0))
	must(t, l.Smbclient(c.Proxy.Addr(), "share", user, lab.Command("del big")))
	must(t, l.Smbclient(c.Proxy.Addr(), "share", user, lab.Command("put /etc/hostname small")))
}

func TestRemovedShare(t *testing.T) {
	shares := []lab.Share{{Name: "share"}, {Name: "gone"}}
	c := cluster(t, lab.ClusterOptions{Shares: shares})
	user := c.Lab.User("user1")
	m := mount(t, c.Proxy.Addr(), "gone", user, 0)
	if err := m.WriteFile("file", []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Run("from smbproxy.conf", func(t *testing.T) {
		if err := c.Reconfigure(func(o *lab.ClusterOptions) { o.Shares = shares[:1] }); err != nil {
			t.Fatal(err)
		}
		if out, err := c.Proxy.Run(t.Context(), "reload"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		mark := c.Proxy.LogSize()
		refused(t, c.Lab.Smbclient(c.Proxy.Addr(), "gone", lab.As(user), lab.Command("ls")), "NT_STATUS_BAD_NETWORK_NAME")
		logged(t, c, mark, "no such share", "gone")
		must(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(user), lab.Command("ls")))
	})
	t.Run("from the backend", func(t *testing.T) {
		if err := c.Backends[0].SetConf(func(d lab.Dirs) string {
			conf, err := os.ReadFile(d.Conf())
			if err != nil {
				t.Fatal(err)
			}
			return strings.ReplaceAll(string(conf), "\n[share]\n", "\n[moved]\n")
		}); err != nil {
			t.Fatal(err)
		}
		if err := c.Backends[0].Stop(); err != nil {
			t.Fatal(err)
		}
		if err := c.Backends[0].Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		mark := c.Proxy.LogSize()
		if err := lab.WaitFor(20*time.Second, func() error { // until the lost lane is replaced
			r := c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(user), lab.Command("ls"))
			if r.Status() != "NT_STATUS_BAD_NETWORK_NAME" {
				return fmt.Errorf("%v", r)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		logged(t, c, mark, "BAD_NETWORK_NAME", lab.BackendName(0))
	})
}

// TestBadReloadKeepsServing: a configuration with faults is refused whole.
func TestBadReloadKeepsServing(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	conf, err := os.ReadFile(c.Proxy.ConfFile())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Proxy.WriteFile("smbproxy.conf", string(conf)+"\n[broken]\n\tbackend = nowhere\n\tpath = relative\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Proxy.Run(t.Context(), "reload"); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("reload of a faulty file: %v, want the fault by name", err)
	}
	must(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(c.Lab.User("user1")), lab.Command("ls")))
	if _, err := c.Proxy.Run(t.Context(), "testparm"); err == nil || !strings.Contains(err.Error(), "smbproxy.conf:") {
		t.Errorf("testparm: %v, want faults with file and line", err)
	}
}
