package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/lab"
)

// Where Debian's python3-impacket has its library and, as documentation, its smbclient.py.
const (
	impacketLibrary   = "/usr/lib/python3/dist-packages/impacket/__init__.py"
	impacketSmbclient = "/usr/share/doc/python3-impacket/examples/smbclient.py"
)

// impacketSize is several of impacket's requests; it signs in Python, at a megabyte a second.
const impacketSize = 300_001

// impacketShell has impacket's smbclient.py put, list, get and remove a file of n bytes.
func impacketShell(t *testing.T, env []string, file string, n int, args ...string) {
	t.Helper()
	if _, err := os.Stat(impacketSmbclient); err != nil {
		t.Logf("left out: %v; images without documentation lack it", err)
		return
	}
	dir, name := filepath.Split(file)
	script := filepath.Join(t.TempDir(), "script")
	commands := fmt.Sprintf("shares\nuse share\nmkdir dir\ncd dir\nlcd %[1]s\nput %[2]s\nls\nget %[2]s\nrm %[2]s\nls\ncd \\\nrmdir dir\nexit\n", dir, name)
	if err := os.WriteFile(script, []byte(commands), 0o600); err != nil {
		t.Fatal(err)
	}
	before := sum(t, file)
	out := client(t, env, debianPython, append([]string{impacketSmbclient, "-file", script}, args...)...)
	if after := sum(t, file); after != before || strings.Contains(out, "STATUS_") || strings.Count(out, fmt.Sprint(n)) != 1 {
		t.Errorf("smbclient.py; came back the same: %v\n%s", after == before, out)
	}
}

// debianPython is the interpreter that sees Debian's Python packages, whatever else is first in PATH.
const debianPython = "/usr/bin/python3"

// client runs somebody else's program to its end and returns what it printed; a failure ends the test.
func client(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// needs skips the test where a file of a package is missing, or fails it under SMBPROXY_LAB=required.
func needs(t *testing.T, file, pkg string) {
	t.Helper()
	if _, err := os.Stat(file); err == nil {
		return
	}
	if os.Getenv("SMBPROXY_LAB") == "required" {
		t.Fatalf("missing package: %s (run scripts/install-deps)", pkg)
	}
	t.Skipf("missing package: %s", pkg)
}

// said compares a client's lines with what it should have printed; "*" at the end of a line is anything.
func said(t *testing.T, got string, want ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(got), "\n")
	for i, w := range want {
		g := ""
		if i < len(lines) {
			g = lines[i]
		}
		if prefix, open := strings.CutSuffix(w, "*"); g != w && (!open || !strings.HasPrefix(g, prefix)) {
			t.Fatalf("line %d is %q, want %q; all of it:\n%s", i+1, g, w, got)
		}
	}
}

// empty fails the test when a client left something on the share.
func empty(t *testing.T, c *lab.Cluster) {
	t.Helper()
	sameTree(t, tree(t, c.ShareDir("share")), map[string]string{})
}

// TestForeignImpacket: impacket's library lists the shares and does all five things to a file; its
// smbclient.py, as Debian packages it, does what it has commands for.
func TestForeignImpacket(t *testing.T) {
	needs(t, impacketLibrary, "python3-impacket")
	c := cluster(t, lab.ClusterOptions{Port: 445, GlobalLines: []string{"server signing = mandatory"}})
	u := c.Lab.User("user1")
	host, port, _ := net.SplitHostPort(c.Proxy.Addr())
	dir := t.TempDir()
	file := filepath.Join(dir, "up")
	writeNoise(t, file, 1, impacketSize)

	out := client(t, nil, debianPython, "testdata/impacket_work.py", host, port, u.Name, u.Password, "share", file)
	said(t, out, "dialect 0x3*", "shares IPC$ share", "put . .. a", "renamed . .. b ü", "same True", "deleted . ..")
	empty(t, c)

	impacketShell(t, nil, file, impacketSize, u.Name+":"+u.Password+"@"+host)
	empty(t, c)
}

// TestForeignSmbc is libsmbclient, the library under GNOME's and KDE's file managers.
func TestForeignSmbc(t *testing.T) {
	needs(t, "/usr/lib/python3/dist-packages/smbc/__init__.py", "python3-smbc")
	c := cluster(t, lab.ClusterOptions{Port: 445, GlobalLines: []string{"server signing = mandatory"}})
	u := c.Lab.User("user1")
	host, _, _ := net.SplitHostPort(c.Proxy.Addr())
	file := filepath.Join(t.TempDir(), "up")
	writeNoise(t, file, 1, 3<<20)
	home := t.TempDir() // no smb.conf of the host's
	out := client(t, []string{"HOME=" + home}, debianPython, "testdata/smbc_work.py", "smb://"+host+"/share", u.Name, u.Password, file)
	said(t, out, "shares share", "put . .. a", "renamed . .. b ü", "same True size 3145728", "deleted . ..")
	empty(t, c)
}

// TestForeignNmap: nmap's SMB scripts find a server as it should be: no SMB1, signing demanded, a
// clock.
func TestForeignNmap(t *testing.T) {
	needs(t, "/usr/bin/nmap", "nmap")
	c := cluster(t, lab.ClusterOptions{Port: 445, GlobalLines: []string{"server signing = mandatory"}})
	host, _, _ := net.SplitHostPort(c.Proxy.Addr())
	out := client(t, nil, "/usr/bin/nmap", "-n", "-Pn", "-sT", "-p445", "--script", "smb-protocols,smb2-security-mode,smb2-capabilities,smb2-time", host)
	for _, want := range []string{
		"dialects: \n|     202\n|     210\n|     300\n|     302\n|_    311\n", "210: \n|     Leasing\n|     Multi-credit operations",
		"Message signing enabled and required", "smb2-time", fmt.Sprintf("date: %d-", time.Now().UTC().Year()),
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(out, "SMBv1") {
		t.Error("SMB1 is spoken")
	}
	if t.Failed() {
		t.Log(out)
	}
}

// rcloneProgram builds rclone of the version that tools/rclone names: its own main function with the commands and
// backends that are needed here, which with Go's build cache empty takes a minute instead of many.
func rcloneProgram(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("building rclone takes a minute when Go's build cache is empty")
	}
	rclone := filepath.Join(t.TempDir(), "rclone")
	build := exec.Command("go", "build", "-C", "../../tools/rclone", "-o", rclone, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	return rclone
}

// TestForeignRclone is rclone's smb backend, which brings an SMB client of its own (cloudsoda/go-smb2).
func TestForeignRclone(t *testing.T) {
	rclone, dir := rcloneProgram(t), t.TempDir()
	c := cluster(t, lab.ClusterOptions{})
	u := c.Lab.User("user1")
	host, port, _ := net.SplitHostPort(c.Proxy.Addr())
	run := func(args ...string) string {
		t.Helper()
		return client(t, []string{
			"RCLONE_CONFIG_LAB_TYPE=smb", "RCLONE_CONFIG_LAB_HOST=" + host, "RCLONE_CONFIG_LAB_PORT=" + port, "RCLONE_CONFIG_LAB_USER=" + u.Name,
			"RCLONE_CONFIG_LAB_PASS=" + obscured(t, rclone, u.Password), "RCLONE_CONFIG=/notfound", "HOME=" + dir,
		}, rclone, args...)
	}
	want := map[string]string{}
	local := filepath.Join(dir, "local")
	for i := range 20 {
		name := fmt.Sprintf("sub %d/file ü %d", i%4, i)
		data := noise(byte(i), 1+i*40_000)
		if err := os.MkdirAll(filepath.Dir(filepath.Join(local, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(local, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		want[filepath.Dir(name)+"/"], want[name] = "", string(data)
	}
	if got := run("lsf", "lab:"); got != "share/\n" {
		t.Errorf("shares: got %q", got)
	}
	run("copy", local, "lab:share/top", "--transfers=4")
	sameTree(t, tree(t, filepath.Join(c.ShareDir("share"), "top")), want)
	run("moveto", "lab:share/top/sub 1/file ü 1", "lab:share/top/moved")
	want["moved"] = want["sub 1/file ü 1"]
	delete(want, "sub 1/file ü 1")
	if got := strings.Count(run("lsf", "-R", "--files-only", "lab:share/top"), "\n"); got != 20 {
		t.Errorf("lists %d files, want 20", got)
	}
	back := filepath.Join(dir, "back")
	run("copy", "lab:share/top", back)
	sameTree(t, tree(t, back), want)
	run("deletefile", "lab:share/top/moved")
	run("purge", "lab:share/top")
	empty(t, c)
}

// obscured is a password as rclone's configuration has it.
func obscured(t *testing.T, rclone, password string) string {
	t.Helper()
	return strings.TrimSpace(client(t, nil, rclone, "obscure", password))
}
