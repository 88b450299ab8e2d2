package e2e

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hirochachacha/go-smb2"

	"smbproxy/internal/lab"
)

func TestOneGiBUpAndDown(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() {
		size = 64 << 20
	}
	c := cluster(t, lab.ClusterOptions{})
	dir := t.TempDir()
	want := writeNoise(t, filepath.Join(dir, "in"), 3, size)
	for _, protection := range []string{"sign", "encrypt"} {
		must(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(c.Lab.User("user1")), lab.InDir(dir), lab.ClientTimeout(10*time.Minute),
			lab.Protection(protection), lab.Command("put in big; get big out")))
		if got := sum(t, filepath.Join(dir, "out")); got != want {
			t.Errorf("%s: SHA-256 %x came back, want %x", protection, got, want)
		}
		if got := sum(t, filepath.Join(c.ShareDir("share"), "big")); got != want {
			t.Errorf("%s: SHA-256 %x at the backend, want %x", protection, got, want)
		}
	}
}

func TestDirectoryOf20000(t *testing.T) {
	const count = 20_000
	c := cluster(t, lab.ClusterOptions{})
	dir := filepath.Join(c.ShareDir("share"), "many")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("a file with some name %05d", i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("smbclient", func(t *testing.T) {
		r := must(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(c.Lab.User("user1")), lab.Command("ls many/*")))
		seen := map[string]bool{}
		for line := range strings.Lines(r.Output) {
			if name, _, ok := strings.Cut(strings.TrimSpace(line), "  "); ok && strings.HasPrefix(name, "a file") {
				seen[name] = true
			}
		}
		if len(seen) != count {
			t.Errorf("%d different names, want %d", len(seen), count)
		}
	})
	t.Run("go-smb2", func(t *testing.T) {
		list, err := mount(t, c.Proxy.Addr(), "share", c.Lab.User("user2"), 0).ReadDir("many")
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != count {
			t.Errorf("%d entries, want %d", len(list), count)
		}
	})
}

// unicodeNames are names as UTF-8 that must be the same on the wire and on the disk.
var unicodeNames = []string{
	"Grüße aus Köln.txt", "Ἑλλάς", "русский", "日本語のファイル", "한국어", "עברית", "العربية", "ไทย",
	"cafe\u0301 (combining)", "café (composed)", "😀 emoji", "𝒳 outside the BMP", "a'b", "100%", "semi,colon", "#hash",
	strings.Repeat("ü", 120),
}

func TestUnicodeNames(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	m := mount(t, c.Proxy.Addr(), "share", c.Lab.User("user1"), 0)
	for _, name := range unicodeNames {
		if err := m.WriteFile(name, []byte(name), 0o644); err != nil {
			t.Errorf("write %q: %v", name, err)
			continue
		}
		data, err := os.ReadFile(filepath.Join(c.ShareDir("share"), name))
		if err != nil || string(data) != name {
			t.Errorf("at the backend %q: %q, %v", name, data, err)
		}
	}
	list, err := m.ReadDir("")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, e := range list {
		got[e.Name()] = true
	}
	dir := t.TempDir()
	must(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(c.Lab.User("user2")), lab.InDir(dir), lab.Command("prompt off; mget *")))
	for _, name := range unicodeNames {
		if !got[name] {
			t.Errorf("%q is not listed", name)
		}
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != name {
			t.Errorf("smbclient got %q as %q, %v", name, data, err)
		}
	}
}

func TestDeepTree(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	m := mount(t, c.Proxy.Addr(), "share", c.Lab.User("user1"), 0)
	path := strings.TrimSuffix(strings.Repeat(`level\`, 150), `\`) // 899 characters
	if err := m.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := m.WriteFile(path+`\leaf`, []byte("deep"), 0o644); err != nil {
		t.Fatal(err)
	}
	onDisk := filepath.Join(c.ShareDir("share"), strings.ReplaceAll(path, `\`, "/"), "leaf")
	if data, err := os.ReadFile(onDisk); err != nil || string(data) != "deep" {
		t.Errorf("at the backend: %q, %v", data, err)
	}
	dir := t.TempDir()
	must(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(c.Lab.User("user2")), lab.InDir(dir),
		lab.Command("recurse on; prompt off; mget level")))
	sameTree(t, tree(t, dir), tree(t, c.ShareDir("share")))
}

// someTree makes directories and files of many sizes below dir.
func someTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	for i := range 5 {
		for j := range 6 {
			path := filepath.Join(dir, fmt.Sprintf("dir %d", i), fmt.Sprintf("sub%d", j))
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			for k, size := range []int{0, 1, 65_535, 65_537, 300_000} {
				if err := os.WriteFile(filepath.Join(path, fmt.Sprintf("file %d.bin", k)), noise(byte(i*j+k), size), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return tree(t, dir)
}

func TestRecursiveMputMget(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	user := lab.As(c.Lab.User("user1"))
	from, back := t.TempDir(), t.TempDir()
	want := someTree(t, from)
	must(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", user, lab.InDir(from), lab.Command("recurse on; prompt off; mput *")))
	sameTree(t, tree(t, c.ShareDir("share")), want)
	must(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", user, lab.InDir(back), lab.Command("recurse on; prompt off; mget *")))
	sameTree(t, tree(t, back), want)
	must(t, c.Lab.Smbclient(c.Proxy.Addr(), "share", user, lab.Command("deltree \"dir 3\"")))
	if _, err := os.Lstat(filepath.Join(c.ShareDir("share"), "dir 3")); !os.IsNotExist(err) {
		t.Errorf("deltree left: %v", err)
	}
}

func TestTar(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	user := lab.As(c.Lab.User("user1"))
	want := someTree(t, c.ShareDir("share"))
	file := filepath.Join(t.TempDir(), "all.tar")
	r := c.Lab.Smbclient(c.Proxy.Addr(), "share", user, lab.ClientArgs("-Tc", file))
	if r.Err != nil {
		t.Fatal(r)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for tr := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		got[strings.TrimPrefix(h.Name, "./")] = string(content)
	}
	for name := range want {
		if strings.HasSuffix(name, "/") {
			delete(want, name) // smbclient's archives name directories or not, as it likes
		}
	}
	for name := range got {
		if strings.HasSuffix(name, "/") {
			delete(got, name)
		}
	}
	sameTree(t, got, want)
	if err := c.Lab.Tree.Empty("share"); err != nil {
		t.Fatal(err)
	}
	if r := c.Lab.Smbclient(c.Proxy.Addr(), "share", user, lab.ClientArgs("-Tx", file)); r.Err != nil {
		t.Fatal(r)
	}
	onDisk := tree(t, c.ShareDir("share"))
	for name := range onDisk {
		if strings.HasSuffix(name, "/") {
			delete(onDisk, name)
		}
	}
	sameTree(t, onDisk, want)
}

// Test100ClientsAtOnce has all of them logged in before the first one writes. They encrypt:
// go-smb2 takes the interim responses of a busy smbd, which nobody signs ([MS-SMB2] 3.3.4.1.1),
// for forgeries, without a proxy too.
func Test100ClientsAtOnce(t *testing.T) {
	const clients = 100
	c := cluster(t, lab.ClusterOptions{GlobalLines: []string{"server smb encrypt = required"}})
	users := c.Lab.Users()
	shares := make([]*smb2.Share, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			s, err := goClient(t, c.Proxy.Addr(), users[i%len(users)], 0)
			if err != nil {
				t.Errorf("client %d: %v", i, err)
				return
			}
			if shares[i], err = s.Mount("share"); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for i, m := range shares {
		wg.Go(func() {
			want := noise(byte(i), 700_000+i)
			name := fmt.Sprintf("client%d", i)
			for round := range 3 {
				if err := m.WriteFile(name, want, 0o644); err != nil {
					t.Errorf("client %d, round %d: %v", i, round, err)
					return
				}
				got, err := m.ReadFile(name)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("client %d, round %d: other bytes came back, %v", i, round, err)
					return
				}
			}
		})
	}
	wg.Wait()
	for i := range clients {
		if uid, _ := owner(t, filepath.Join(c.ShareDir("share"), fmt.Sprintf("client%d", i))); uid != users[i%len(users)].UID {
			t.Errorf("file of client %d is owned by %d, want %d", i, uid, users[i%len(users)].UID)
		}
	}
}

// Test30SmbclientsAtOnce is the same with processes that sign.
func Test30SmbclientsAtOnce(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{GlobalLines: []string{"server signing = mandatory"}})
	users := c.Lab.Users()
	dir := t.TempDir()
	want := writeNoise(t, filepath.Join(dir, "in"), 5, 2<<20)
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			r := c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(users[i%len(users)]), lab.InDir(dir), lab.Protection("sign"),
				lab.Command(fmt.Sprintf("put in file%d; get file%d out%d; del file%d", i, i, i, i)))
			if r.Err != nil || r.Status() != "" {
				t.Error(r)
			}
		})
	}
	wg.Wait()
	for i := range 30 {
		if got := sum(t, filepath.Join(dir, fmt.Sprintf("out%d", i))); got != want {
			t.Errorf("client %d: other bytes came back", i)
		}
	}
}
