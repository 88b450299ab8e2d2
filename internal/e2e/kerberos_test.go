package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"smbproxy/internal/lab"
)

// kerberosHost is the name that clients of the private realm know smbproxy by.
const kerberosHost = "files.example.test"

// kerberos is a cluster whose smbproxy has a keytab, and the KDC that knows its users by the same
// passwords. lines are further ones of [global].
func kerberos(t *testing.T, opt lab.ClusterOptions) (*lab.Cluster, *lab.KDC) {
	t.Helper()
	l := lab.New(t, lab.Options{})
	users := map[string]string{}
	for _, u := range l.Users() {
		users[u.Name] = u.Password
	}
	k := lab.NewKDC(t, lab.KDCOptions{Users: users, Services: []string{"cifs/" + kerberosHost}})
	opt.Keytab = k.Keytab()
	return l.MustCluster(opt), k
}

// ticket is what makes smbclient log on with the ticket of the KDC's credential cache, and with nothing else.
func ticket(k *lab.KDC) lab.ClientOption {
	return lab.ClientArgs("--use-kerberos=required", "--use-krb5-ccache=FILE:"+k.Cache(), "--option=realm="+k.Realm)
}

// TestKerberosSmbclient does a client's ordinary work with a ticket instead of a password, under signed
// and on a share that demands encryption; the files belong to the ticket's user.
func TestKerberosSmbclient(t *testing.T) {
	c, k := kerberos(t, lab.ClusterOptions{Shares: []lab.Share{
		{Name: "sign", Dir: "share"},
		{Name: "encrypt", Dir: "share", Lines: []string{"server smb encrypt = required"}},
	}})
	u := c.Lab.User("user1")
	k.Kinit(u.Name, u.Password)
	dir := t.TempDir()
	writeNoise(t, filepath.Join(dir, "up"), 1, 3<<20)
	for _, protection := range []string{"sign", "encrypt"} {
		for _, dialect := range []string{"SMB2_10", "SMB3_00", "SMB3_11"} {
			t.Run(protection+" "+dialect, func(t *testing.T) {
				mark := c.Proxy.LogSize()
				name := protection + dialect
				run := func(commands string) lab.ClientResult {
					return c.Lab.Smbclient(c.Proxy.Addr(), protection, lab.Host(kerberosHost), lab.ClientEnv(k.Env()...), ticket(k),
						lab.InDir(dir), lab.Dialect(dialect), lab.Command(commands))
				}
				if protection == "encrypt" && dialect == "SMB2_10" {
					refused(t, run("ls"), "NT_STATUS_ACCESS_DENIED")
					return
				}
				must(t, run(fmt.Sprintf("mkdir %[1]s; put up %[1]s\\a; rename %[1]s\\a %[1]s\\b; ls %[1]s\\*; get %[1]s\\b down", name)))
				if sum(t, filepath.Join(dir, "down")) != sum(t, filepath.Join(dir, "up")) {
					t.Error("what came back is not what was sent")
				}
				path := filepath.Join(c.ShareDir("sign"), name, "b")
				if uid, _ := owner(t, path); uid != u.UID {
					t.Errorf("%s belongs to %d, want %d", path, uid, u.UID)
				}
				must(t, run(fmt.Sprintf("del %[1]s\\b; rmdir %[1]s", name)))
				if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
					t.Errorf("%s is still there: %v", filepath.Dir(path), err)
				}
				logged(t, c, mark, "domain="+k.Realm, "user="+u.Name)
			})
		}
	}
}

// TestKerberosRefused: no ticket, no entry; a ticket of a user whom the backends do not know, or of root, opens
// nothing; NTLM is refused where it is disabled.
func TestKerberosRefused(t *testing.T) {
	c, k := kerberos(t, lab.ClusterOptions{GlobalLines: []string{"ntlm auth = disabled"}})
	u := c.Lab.User("user1")
	refused(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(u), lab.Command("ls")), "NT_STATUS_INVALID_PARAMETER") // no common mechanism
	as := func(user, password string) lab.ClientResult {
		t.Helper()
		k.Kinit(user, password)
		return c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.Host(kerberosHost), lab.ClientEnv(k.Env()...), ticket(k), lab.Command("ls"))
	}
	for _, name := range []string{"root", "ghost"} {
		k.Admin("addprinc -pw pw-" + name + " " + name)
		mark := c.Proxy.LogSize()
		refused(t, as(name, "pw-"+name), "NT_STATUS_ACCESS_DENIED")
		logged(t, c, mark, "user="+name)
	}
	must(t, as(u.Name, u.Password))
	// The KDC gets a new key that smbproxy does not have: old tickets work, new ones do not.
	k.Admin("ktadd -k " + filepath.Join(k.Dir, "other") + " cifs/" + kerberosHost)
	mark := c.Proxy.LogSize()
	refused(t, as(u.Name, u.Password), "NT_STATUS_LOGON_FAILURE")
	logged(t, c, mark, "cifs/"+kerberosHost, "kvno 3")
}

// TestKerberosForeign has clients log on with tickets that bring Kerberos of their own: impacket's in Python and
// rclone's, gokrb5. Neither would find the KDC's port, so the tickets lie in the credential cache.
func TestKerberosForeign(t *testing.T) {
	needs(t, impacketLibrary, "python3-impacket")
	rclone := rcloneProgram(t)
	c, k := kerberos(t, lab.ClusterOptions{Port: 445, GlobalLines: []string{"ntlm auth = disabled"}})
	u := c.Lab.User("user1")
	k.Kinit(u.Name, u.Password)
	k.Run("", "kvno", "cifs/"+kerberosHost)
	host, _, _ := net.SplitHostPort(c.Proxy.Addr())
	dir := t.TempDir()
	file := filepath.Join(dir, "up")
	want := writeNoise(t, file, 1, impacketSize)

	env := append(k.Env(), "KRB5CCNAME="+k.Cache()) // both want a path without "FILE:"
	impacketShell(t, env, file, impacketSize, "-k", "-no-pass", "-target-ip", host, k.Realm+"/"+u.Name+"@"+kerberosHost)
	empty(t, c)

	env = append(env, "RCLONE_CONFIG_LAB_TYPE=smb", "RCLONE_CONFIG_LAB_HOST="+host, "RCLONE_CONFIG_LAB_USE_KERBEROS=true",
		"RCLONE_CONFIG_LAB_SPN=cifs/"+kerberosHost, "RCLONE_CONFIG=/notfound", "HOME="+dir)
	client(t, env, rclone, "copy", file, "lab:share/top")
	if uid, _ := owner(t, filepath.Join(c.ShareDir("share"), "top", "up")); uid != u.UID {
		t.Errorf("rclone's file belongs to %d, want %d", uid, u.UID)
	}
	client(t, env, rclone, "moveto", "lab:share/top/up", "lab:share/top/moved")
	if got := client(t, env, rclone, "lsf", "lab:share/top"); got != "moved\n" {
		t.Errorf("rclone lists %q", got)
	}
	client(t, env, rclone, "copy", "lab:share/top/moved", filepath.Join(dir, "back"))
	if sum(t, filepath.Join(dir, "back", "moved")) != want {
		t.Error("rclone: what came back is not what was sent")
	}
	client(t, env, rclone, "purge", "lab:share/top")
	empty(t, c)
}
