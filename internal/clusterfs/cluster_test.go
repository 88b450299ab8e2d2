package clusterfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// makeNodes mounts a cluster's nodes for a test; it skips where the machine cannot, and fails under
// SMBPROXY_LAB=required.
func makeNodes(t *testing.T, opt Options, n int) (*Cluster, []*Node) {
	t.Helper()
	if err := Check(); err != nil {
		if os.Getenv("SMBPROXY_LAB") == "required" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(tree, 0o777); err != nil {
		t.Fatal(err)
	}
	c, err := New(tree, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range n {
		at := filepath.Join(dir, fmt.Sprintf("node%d", i))
		if err := os.Mkdir(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Mount(fmt.Sprintf("n%d", i), at); err != nil {
			t.Fatal(err)
		}
	}
	return c, c.Nodes()
}

// held keeps everything in the nodes until somebody asks.
var held = Options{WriteBack: -1}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write writes p into a file of a node, opened for it.
func write(t *testing.T, n *Node, name string, off int64, p string, sync bool) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(n.Dir, name), os.O_CREATE|os.O_RDWR, 0o666)
	check(t, err)
	_, err = f.WriteAt([]byte(p), off)
	check(t, err)
	if sync {
		check(t, f.Sync())
	}
	check(t, f.Close())
}

// wantFile checks what a node reads, and that stat says the same size.
func wantFile(t *testing.T, n *Node, name, want string) {
	t.Helper()
	path := filepath.Join(n.Dir, name)
	st, err := os.Stat(path)
	check(t, err)
	if st.Size() != int64(len(want)) {
		t.Errorf("%s: size of %s is %d, want %d", n.Name, name, st.Size(), len(want))
	}
	got, err := os.ReadFile(path)
	check(t, err)
	if string(got) != want {
		t.Errorf("%s: %s reads %q, want %q", n.Name, name, got, want)
	}
}

func TestCoherence(t *testing.T) {
	c, n := makeNodes(t, held, 3)
	a, b := n[0], n[1]
	write(t, a, "f", 0, "hello", false)
	if a.Dirty() != 5 {
		t.Errorf("the writer holds %d bytes, want 5", a.Dirty())
	}
	if st, err := os.Stat(filepath.Join(c.Dir(), "f")); err != nil || st.Size() != 0 {
		t.Errorf("the tree has %v, %v, want an empty file: nobody asked for the data yet", st, err)
	}
	wantFile(t, b, "f", "hello")
	if a.Dirty() != 0 {
		t.Errorf("the writer still holds %d bytes that another node read", a.Dirty())
	}

	// Open on both, writes of each behind the other's.
	fa, err := os.OpenFile(filepath.Join(a.Dir, "f"), os.O_RDWR, 0)
	check(t, err)
	defer func() { _ = fa.Close() }()
	fb, err := os.OpenFile(filepath.Join(b.Dir, "f"), os.O_RDWR, 0)
	check(t, err)
	defer func() { _ = fb.Close() }()
	for i, f := range []*os.File{fa, fb, fa, fb} {
		_, err := f.WriteAt([]byte{byte('0' + i)}, int64(5+i))
		check(t, err)
		_, err = f.WriteAt([]byte{byte('a' + i)}, 0)
		check(t, err)
	}
	wantFile(t, n[2], "f", "dello0123")
	wantFile(t, a, "f", "dello0123")

	// A stat sees what is not written back, a truncation cuts it.
	write(t, a, "g", 0, "0123456789", false)
	st, err := os.Stat(filepath.Join(b.Dir, "g"))
	check(t, err)
	if st.Size() != 10 || a.Dirty() != 10 {
		t.Errorf("size %d at another node with %d bytes held, want 10 and 10", st.Size(), a.Dirty())
	}
	check(t, os.Truncate(filepath.Join(b.Dir, "g"), 4))
	wantFile(t, a, "g", "0123")
	write(t, a, "g", 6, "xx", false)
	wantFile(t, b, "g", "0123\x00\x00xx")
	check(t, os.Truncate(filepath.Join(a.Dir, "g"), 10))
	wantFile(t, b, "g", "0123\x00\x00xx\x00\x00")

	// Appending goes to the end that others have moved.
	ap, err := os.OpenFile(filepath.Join(a.Dir, "g"), os.O_WRONLY|os.O_APPEND, 0)
	check(t, err)
	defer func() { _ = ap.Close() }()
	write(t, b, "g", 10, "tail", false)
	_, err = ap.WriteString("!")
	check(t, err)
	wantFile(t, b, "g", "0123\x00\x00xx\x00\x00tail!")
}

func TestNamesAreCoherent(t *testing.T) {
	_, n := makeNodes(t, held, 2)
	a, b := n[0].Dir, n[1].Dir
	check(t, os.Mkdir(filepath.Join(a, "d"), 0o755))
	write(t, n[1], "d/f", 0, "1", false)
	check(t, os.Rename(filepath.Join(a, "d"), filepath.Join(a, "e")))
	wantFile(t, n[1], "e/f", "1")
	if _, err := os.Stat(filepath.Join(b, "d/f")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old name: %v", err)
	}
	write(t, n[0], "over", 0, "old", false)
	open, err := os.Open(filepath.Join(a, "over"))
	check(t, err)
	defer func() { _ = open.Close() }()
	check(t, os.Rename(filepath.Join(b, "e/f"), filepath.Join(b, "over")))
	wantFile(t, n[0], "over", "1")
	got := make([]byte, 3)
	if _, err := open.ReadAt(got, 0); err != nil || string(got) != "old" {
		t.Errorf("the file renamed over reads %q, %v at who has it open, want old", got, err)
	}
	check(t, os.Link(filepath.Join(b, "over"), filepath.Join(b, "link")))
	check(t, os.Remove(filepath.Join(a, "over")))
	wantFile(t, n[0], "link", "1")
	check(t, os.Symlink("link", filepath.Join(a, "sym")))
	wantFile(t, n[1], "sym", "1")
	names, err := os.ReadDir(b)
	check(t, err)
	if fmt.Sprint(names) != "[d e/ L link]" && len(names) != 3 {
		t.Errorf("names: %v, want e, link, sym", names)
	}
}

func TestIdentity(t *testing.T) {
	_, n := makeNodes(t, held, 2)
	write(t, n[0], "f", 0, "x", false)
	var st [2]unix.Statx_t
	for i, node := range n {
		path := filepath.Join(node.Dir, "f")
		check(t, unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st[i]))
		if st[i].Mask&unix.STATX_BTIME == 0 || time.Since(time.Unix(st[i].Btime.Sec, 0)) > time.Hour {
			t.Errorf("%s: birth time %v, mask %x", node.Name, st[i].Btime, st[i].Mask)
		}
	}
	if st[0].Ino != st[1].Ino || st[0].Btime != st[1].Btime || st[0].Mtime != st[1].Mtime || st[0].Ctime != st[1].Ctime {
		t.Errorf("the file differs between nodes: %+v, %+v", st[0], st[1])
	}
	d0, err := n[0].Dev()
	check(t, err)
	d1, err := n[1].Dev()
	check(t, err)
	if d0 == d1 {
		t.Errorf("both nodes have st_dev %#x", d0)
	}
}

// TestWriteBackKeepsTimes: that data leaves a node later changes no time of the file.
func TestWriteBackKeepsTimes(t *testing.T) {
	_, n := makeNodes(t, held, 2)
	write(t, n[0], "f", 0, "x", false)
	path := filepath.Join(n[1].Dir, "f")
	var before, after unix.Stat_t
	check(t, unix.Stat(path, &before))
	check(t, n[0].Sync())
	check(t, unix.Stat(path, &after))
	if before != after {
		t.Errorf("attributes changed by writing back:\n%+v\n%+v", before, after)
	}
	set := time.Unix(1000000000, 7)
	write(t, n[0], "f", 0, "y", false)
	check(t, os.Chtimes(path, set, set))
	check(t, n[0].Sync())
	st, err := os.Stat(path)
	check(t, err)
	if !st.ModTime().Equal(set) {
		t.Errorf("a time set before the data was written back became %v, want %v", st.ModTime(), set)
	}
}

func TestKillLosesWhatWasNotSynced(t *testing.T) {
	_, n := makeNodes(t, held, 2)
	a, b := n[0], n[1]
	write(t, a, "synced", 0, "kept", true)
	write(t, a, "synced", 4, " and lost", false)
	write(t, a, "lost", 0, "lost", false)
	write(t, a, "seen", 0, "seen", false)
	wantFile(t, b, "seen", "seen")
	write(t, b, "other", 0, "other", false)
	f, err := os.OpenFile(filepath.Join(a.Dir, "lost"), os.O_RDWR, 0)
	check(t, err)
	defer func() { _ = f.Close() }()

	check(t, a.Kill())
	if _, err := f.WriteAt([]byte("late"), 0); !errors.Is(err, unix.ENOTCONN) && !errors.Is(err, unix.ECONNABORTED) {
		t.Errorf("a write to a dead node: %v, want ENOTCONN", err)
	}
	if _, err := os.Stat(filepath.Join(a.Dir, "synced")); !errors.Is(err, unix.ENOTCONN) {
		t.Errorf("a stat at a dead node: %v, want ENOTCONN", err)
	}
	wantFile(t, b, "synced", "kept")
	wantFile(t, b, "lost", "")
	wantFile(t, b, "seen", "seen")
	wantFile(t, b, "other", "other")

	check(t, a.Restart())
	wantFile(t, a, "synced", "kept")
	wantFile(t, a, "other", "other")
	write(t, a, "lost", 0, "again", false)
	wantFile(t, b, "lost", "again")
}

// TestKillKeepsTheOtherHalf: two nodes that write different parts of one file do not make each
// other write back, and the loss of one is the loss of its part only.
func TestKillKeepsTheOtherHalf(t *testing.T) {
	_, n := makeNodes(t, held, 3)
	write(t, n[0], "f", 0, "aaaa", false)
	write(t, n[1], "f", 4, "bbbb", false)
	if n[0].Dirty() != 4 || n[1].Dirty() != 4 {
		t.Errorf("nodes hold %d and %d bytes, want 4 and 4", n[0].Dirty(), n[1].Dirty())
	}
	check(t, n[0].Kill())
	wantFile(t, n[2], "f", "\x00\x00\x00\x00bbbb")
}

// TestUnlinkedFile: what is written to a file without a name can be read while it is open.
func TestUnlinkedFile(t *testing.T) {
	_, n := makeNodes(t, held, 2)
	f, err := os.Create(filepath.Join(n[0].Dir, "f"))
	check(t, err)
	defer func() { _ = f.Close() }()
	check(t, os.Remove(filepath.Join(n[1].Dir, "f")))
	_, err = f.WriteAt([]byte("data"), 0)
	check(t, err)
	check(t, f.Sync())
	got := make([]byte, 4)
	if _, err := f.ReadAt(got, 0); err != nil || string(got) != "data" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestWriteBackByAgeAndAmount(t *testing.T) {
	c, n := makeNodes(t, Options{WriteBack: 50 * time.Millisecond, MaxDirty: 8 << 20}, 1)
	write(t, n[0], "f", 0, "x", false)
	check(t, waitFor(func() bool { return n[0].Dirty() == 0 }))
	got, err := os.ReadFile(filepath.Join(c.Dir(), "f"))
	if err != nil || string(got) != "x" {
		t.Errorf("the tree has %q, %v", got, err)
	}

	_, n = makeNodes(t, Options{WriteBack: time.Hour, MaxDirty: 8 << 20}, 1)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	check(t, os.WriteFile(filepath.Join(n[0].Dir, "f"), big, 0o666))
	if d := n[0].Dirty(); d > 8<<20 || d == 0 {
		t.Errorf("%d bytes held after 16 MiB with a limit of 8 MiB", d)
	}
}

// waitFor polls until a condition of another goroutine holds.
func waitFor(condition func() bool) error {
	limit := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-limit:
			return errors.New("it did not come true in 10 s")
		case <-tick.C:
		}
	}
	return nil
}
