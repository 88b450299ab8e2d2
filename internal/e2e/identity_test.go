package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"smbproxy/internal/lab"
)

// oneLane is a cluster whose users must share one connection to the backend, with an smbd
// beside it that clients can ask without a proxy.
func oneLane(t *testing.T) *lab.Cluster {
	t.Helper()
	return cluster(t, lab.ClusterOptions{Direct: true, BackendLines: []string{"lanes = 1"}})
}

// TestTwoUsersOnOneLane writes as two users at the same time through one backend connection.
func TestTwoUsersOnOneLane(t *testing.T) {
	c := oneLane(t)
	users := []lab.User{c.Lab.User("user1"), c.Lab.User("user2")}
	var wg sync.WaitGroup
	for _, u := range users {
		m := mount(t, c.Proxy.Addr(), "share", u, 0)
		wg.Go(func() {
			for i := range 50 {
				if err := m.Mkdir(fmt.Sprintf("%s-%d", u.Name, i), 0o755); err != nil {
					t.Errorf("%s: mkdir: %v", u.Name, err)
				}
				if err := m.WriteFile(fmt.Sprintf(`%s-%d\file`, u.Name, i), []byte(u.Name), 0o644); err != nil {
					t.Errorf("%s: write: %v", u.Name, err)
				}
			}
		})
	}
	wg.Wait()
	for _, u := range users {
		for i := range 50 {
			for _, name := range []string{"", "file"} {
				path := filepath.Join(c.ShareDir("share"), fmt.Sprintf("%s-%d", u.Name, i), name)
				if uid, gid := owner(t, path); uid != u.UID || gid != u.GID {
					t.Errorf("%s is owned by %d:%d, want %d:%d", path, uid, gid, u.UID, u.GID)
				}
			}
		}
	}
	if n := strings.Count(c.Backends[0].Log(), "panic"); n != 0 {
		t.Errorf("smbd's log has %d panics", n)
	}
}

// permissions are directories and files that the disk's permissions open to some; made twice,
// for the proxy and for the smbd beside it. mode is of the path itself.
var permissions = []struct {
	path     string
	user     string
	group    uint32
	mode     os.FileMode
	contents string // "": a directory
}{
	{"private1", "user1", 20001, 0o700, ""},
	{"private1/file", "user1", 20001, 0o644, "only user1 gets here"},
	{"staff", "user1", 20101, 0o770, ""}, // staff1: user1 only, as a supplementary group
	{"staff/file", "user1", 20101, 0o640, "for staff1"},
	{"project", "user2", 20102, 0o770 | os.ModeSetgid, ""}, // both user1 and user2
	{"project/file", "user2", 20102, 0o660, "for both"},
	{"readonly", "user2", 20002, 0o444, "anybody reads"},
	{"secret", "user2", 20002, 0o600, "only user2 reads"},
	{"sticky", "root", 0, 0o777 | os.ModeSticky, ""},
	{"sticky/of2", "user2", 20002, 0o666, "user2's"},
	{"rootdir", "root", 0, 0o755, ""},
	{"rootdir/file", "root", 0, 0o644, "root's"},
}

func layOut(t *testing.T, l *lab.Lab, dir string) {
	t.Helper()
	for _, p := range permissions {
		path := filepath.Join(dir, p.path)
		var err error
		if p.contents == "" {
			err = os.Mkdir(path, 0o755)
		} else {
			err = os.WriteFile(path, []byte(p.contents), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		uid := 0
		if p.user != "root" {
			uid = int(l.User(p.user).UID)
		}
		if err := os.Chown(path, uid, int(p.group)); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, p.mode); err != nil { // after chown, which clears setgid
			t.Fatal(err)
		}
	}
}

// attempts are what every user tries, in this order; the outcome is Samba's to say.
var attempts = []string{
	"ls *",
	"cd private1", "ls private1/*", "get private1/file /dev/null", "put /etc/hostname private1/%s",
	"ls staff/*", "get staff/file /dev/null", "put /etc/hostname staff/%s", "put /etc/hostname staff/file",
	"ls project/*", "get project/file /dev/null", "put /etc/hostname project/%s", "rename project/%s project/renamed-%s",
	"get readonly /dev/null", "put /etc/hostname readonly", "rename readonly readonly-%s", "del readonly",
	"get secret /dev/null", "put /etc/hostname secret",
	"put /etc/hostname sticky/%s", "del sticky/of2", "rename sticky/of2 sticky/taken-%s",
	"ls rootdir/*", "get rootdir/file /dev/null", "put /etc/hostname rootdir/%s", "mkdir rootdir/dir-%s", "rmdir rootdir", "del rootdir/file",
	"mkdir own-%s", "rmdir own-%s", "rmdir nothing", "del nothing", "get nothing /dev/null", "cd nothing/below",
	"mkdir private1/below", "chmod 777 secret", "setmode readonly +r", "allinfo secret",
}

// TestPermissionsEqualDirect: what the disk forbids is refused through the proxy with the same
// status as by an smbd without one, for members and strangers of groups alike.
func TestPermissionsEqualDirect(t *testing.T) {
	c := oneLane(t)
	layOut(t, c.Lab, c.ShareDir("share"))
	layOut(t, c.Lab, c.DirectDir("share"))
	for _, u := range c.Lab.Users() {
		refusals := 0
		for _, attempt := range attempts {
			command := strings.ReplaceAll(attempt, "%s", u.Name)
			direct := c.Lab.Smbclient(c.Direct.Addr(), "share", lab.As(u), lab.Command(command))
			proxied := c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(u), lab.Command(command))
			if direct.Status() != proxied.Status() || (direct.Err == nil) != (proxied.Err == nil) {
				t.Errorf("%s: %q\ndirectly: %v\nthrough smbproxy: %v", u.Name, command, direct, proxied)
			}
			if direct.Status() == "NT_STATUS_ACCESS_DENIED" {
				refusals++
			}
		}
		if refusals < 5 {
			t.Errorf("%s was refused %d times only: this test tests nothing", u.Name, refusals)
		}
	}
	if got, want := modes(t, c.ShareDir("share")), modes(t, c.DirectDir("share")); got != want {
		t.Errorf("owners and modes on the disk\nthrough smbproxy:\n%s\ndirectly:\n%s", got, want)
	}
}

// modes lists path, mode, owner and group of all below dir.
func modes(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := os.Lstat(path)
		if err != nil {
			return err
		}
		uid, gid := owner(t, path)
		fmt.Fprintf(&b, "%v %d:%d .%s\n", st.Mode(), uid, gid, strings.TrimPrefix(path, dir))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestWhoIsNeverServed has accounts with good passwords that must not reach a backend.
func TestWhoIsNeverServed(t *testing.T) {
	users := append(lab.DefaultUsers(),
		lab.User{Name: "backup", UID: 34, GID: 34, Password: "pw-backup"})
	l := lab.New(t, lab.Options{Users: users, Groups: lab.DefaultGroups()})
	c := l.MustCluster(lab.ClusterOptions{})
	passdb, err := os.ReadFile(c.Proxy.PassdbFile())
	if err != nil {
		t.Fatal(err)
	}
	more := ""
	for i, name := range []string{"root", "ghost"} {
		more += fmt.Sprintf("%s:%d:%s:%s:[U          ]:LCT-00000001:\n", name, i*4000, strings.Repeat("X", 32), lab.NTHash("pw-"+name))
	}
	if err := c.Proxy.WriteFile("smbpasswd", string(passdb)+more); err != nil {
		t.Fatal(err)
	}
	if err := c.Proxy.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := c.Proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(l.User("user1")), lab.Command("ls")))
	for _, name := range []string{"root", "ROOT", "ghost", "backup", "BACKUP"} {
		t.Run(name, func(t *testing.T) {
			mark := c.Proxy.LogSize()
			r := c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(lab.User{Name: name, Password: "pw-" + strings.ToLower(name)}), lab.Command("put /etc/hostname by-"+name))
			refused(t, r, "NT_STATUS_ACCESS_DENIED")
			logged(t, c, mark, strings.ToLower(name))
			if _, err := os.Lstat(filepath.Join(c.ShareDir("share"), "by-"+name)); !os.IsNotExist(err) {
				t.Errorf("a file was made: %v", err)
			}
		})
	}
}

// TestShareRules are the ones that smbproxy itself decides: valid users, read only (with the
// status of a stock smbd), hosts deny, browseable.
func TestShareRules(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{Shares: []lab.Share{
		{Name: "share"},
		{Name: "named", Dir: "share", Lines: []string{"valid users = user1"}},
		{Name: "grouped", Dir: "share", Lines: []string{"valid users = @project"}},
		{Name: "fixed", Dir: "share", ReadOnly: true},
		{Name: "far", Dir: "share", Lines: []string{"hosts deny = 127."}},
		{Name: "hidden", Dir: "share", Lines: []string{"browseable = no"}},
	}})
	for _, try := range []struct{ user, share, command, status string }{
		{"user1", "named", "ls", ""},
		{"user2", "named", "ls", "NT_STATUS_ACCESS_DENIED"},
		{"user1", "grouped", "ls", ""},
		{"user2", "grouped", "ls", ""},
		{"user3", "grouped", "ls", "NT_STATUS_ACCESS_DENIED"},
		{"user1", "fixed", "ls", ""},
		{"user1", "fixed", "put /etc/hostname new", "NT_STATUS_OBJECT_NAME_NOT_FOUND"},
		{"user1", "fixed", "mkdir new", "NT_STATUS_ACCESS_DENIED"},
		{"user1", "far", "ls", "NT_STATUS_ACCESS_DENIED"},
		{"user1", "nosuch", "ls", "NT_STATUS_BAD_NETWORK_NAME"},
		{"user1", "hidden", "ls", ""},
	} {
		r := c.Lab.Smbclient(c.Proxy.Addr(), try.share, lab.As(c.Lab.User(try.user)), lab.Command(try.command))
		if got := r.Status(); got != try.status {
			t.Errorf("%s on %s as %s: got %q, want %q: %v", try.command, try.share, try.user, got, try.status, r)
		}
	}
	host, port, _ := strings.Cut(c.Proxy.Addr(), ":")
	out := c.Lab.Smbclient(c.Proxy.Addr(), "IPC$", lab.As(c.Lab.User("user1")), lab.ClientArgs("-L", host, "-p", port, "-g"))
	for name, want := range map[string]bool{"share": true, "named": true, "fixed": true, "hidden": false} {
		if got := regexp.MustCompile(`(?m)^Disk\|` + name + `\|`).MatchString(out.Output); got != want {
			t.Errorf("share %s listed: %v, want %v: %v", name, got, want, out)
		}
	}
}
