package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smbproxy/internal/lab"
)

var dialects = []struct {
	name     string
	revision uint16
}{
	{"SMB2_02", 0x0202}, {"SMB2_10", 0x0210}, {"SMB3_00", 0x0300}, {"SMB3_02", 0x0302}, {"SMB3_11", 0x0311},
}

// transfer copies a file in and out with smbclient and checks it at the backend.
func transfer(t *testing.T, c *lab.Cluster, user lab.User, opts ...lab.ClientOption) {
	t.Helper()
	dir := t.TempDir()
	want := writeNoise(t, filepath.Join(dir, "in"), 1, 3<<20+17)
	name := strings.NewReplacer("/", "_", " ", "_").Replace(t.Name())
	opts = append([]lab.ClientOption{lab.As(user), lab.InDir(dir),
		lab.Command(fmt.Sprintf("put in %s; get %s out; ls %s", name, name, name))}, opts...)
	must(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", opts...))
	if got := sum(t, filepath.Join(dir, "out")); got != want {
		t.Error("the bytes that came back are not those sent")
	}
	stored := filepath.Join(c.ShareDir("share"), name)
	if got := sum(t, stored); got != want {
		t.Error("the bytes at the backend are not those sent")
	}
	if uid, gid := owner(t, stored); uid != user.UID || gid != user.GID {
		t.Errorf("owner %d:%d at the backend, want %d:%d", uid, gid, user.UID, user.GID)
	}
}

func TestDialectsSigned(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{GlobalLines: []string{"server signing = mandatory"}})
	user := c.Lab.User("user1")
	for _, d := range dialects {
		t.Run("smbclient "+d.name, func(t *testing.T) {
			transfer(t, c, user, lab.Dialect(d.name), lab.Protection("sign"))
		})
		t.Run("go-smb2 "+d.name, func(t *testing.T) {
			m := mount(t, c.Proxy.Addr(), "share", user, d.revision)
			want := noise(2, 1<<20+3)
			signed(t, func() error { return m.WriteFile("go-"+d.name, want, 0o644) })
			var got []byte
			signed(t, func() (err error) { got, err = m.ReadFile("go-" + d.name); return err })
			if !bytes.Equal(got, want) {
				t.Error("the bytes that came back are not those sent")
			}
			if err := m.Rename("go-"+d.name, "renamed-"+d.name); err != nil {
				t.Fatal(err)
			}
			if err := m.Remove("renamed-" + d.name); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(filepath.Join(c.ShareDir("share"), "renamed-"+d.name)); !os.IsNotExist(err) {
				t.Errorf("removed file at the backend: %v", err)
			}
		})
	}
}

// TestEveryCipher has the server insist on encryption and the client offer one cipher only.
func TestEveryCipher(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{GlobalLines: []string{"server smb encrypt = required"}})
	user := c.Lab.User("user1")
	for _, cipher := range []string{"AES-128-CCM", "AES-128-GCM", "AES-256-CCM", "AES-256-GCM"} {
		t.Run(cipher, func(t *testing.T) {
			transfer(t, c, user, lab.Dialect("SMB3_11"), lab.Protection("encrypt"),
				lab.ClientArgs("--option=client smb3 encryption algorithms="+cipher))
		})
	}
	for _, dialect := range []string{"SMB3_00", "SMB3_02"} {
		t.Run(dialect, func(t *testing.T) { transfer(t, c, user, lab.Dialect(dialect), lab.Protection("encrypt")) })
	}
	t.Run("a client that cannot encrypt is refused", func(t *testing.T) {
		refused(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(user), lab.Dialect("SMB2_10"), lab.Command("ls")),
			"NT_STATUS_ACCESS_DENIED")
	})
}

func TestSigningAlgorithms(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{GlobalLines: []string{"server signing = mandatory"}})
	for _, algorithm := range []string{"HMAC-SHA256", "AES-128-CMAC", "AES-128-GMAC"} {
		t.Run(algorithm, func(t *testing.T) {
			transfer(t, c, c.Lab.User("user1"), lab.Dialect("SMB3_11"), lab.Protection("sign"),
				lab.ClientArgs("--option=client smb3 signing algorithms="+algorithm))
		})
	}
}

// TestEncryptedShare has one share that insists and one that does not, on one connection's rules.
func TestEncryptedShare(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{Shares: []lab.Share{
		{Name: "share"},
		{Name: "secret", Lines: []string{"server smb encrypt = required"}},
	}})
	user := lab.As(c.Lab.User("user1"))
	must(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", user, lab.Dialect("SMB2_10"), lab.Command("ls")))
	must(t, c.Lab.Smbclient(c.Proxy.Addr(), "secret", user, lab.Dialect("SMB3_11"), lab.Command("ls")))
	refused(t, c.Lab.Smbclient(c.Proxy.Addr(), "secret", user, lab.Dialect("SMB2_10"), lab.Command("ls")), "NT_STATUS_ACCESS_DENIED")
}
