package clusterfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// as runs a shell command as somebody, in the given groups, and returns what it prints. The
// shell's own directory is none of a node: this process serves them.
func as(uid, gid uint32, groups []uint32, command string) (string, error) {
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: groups}}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func owner(t *testing.T, path string) unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	check(t, unix.Lstat(path, &st))
	return st
}

// TestCallersIDs: files belong to who makes them, and access is as the caller's ids say, with
// supplementary groups.
func TestCallersIDs(t *testing.T) {
	_, n := makeNodes(t, held, 2)
	check(t, os.Chmod(filepath.Dir(n[0].Dir), 0o755))
	check(t, os.Chmod(filepath.Dir(filepath.Dir(n[0].Dir)), 0o755))
	a, b := n[0].Dir, n[1].Dir
	if out, err := as(1001, 1001, nil, "umask 027; echo x >"+a+"/f; mkdir "+a+"/d"); err != nil {
		t.Fatal(out, err)
	}
	if st := owner(t, b+"/f"); st.Uid != 1001 || st.Gid != 1001 || st.Mode != unix.S_IFREG|0o640 {
		t.Errorf("the file is %d:%d %o, want 1001:1001 100640", st.Uid, st.Gid, st.Mode)
	}
	if st := owner(t, b+"/d"); st.Uid != 1001 || st.Gid != 1001 || st.Mode != unix.S_IFDIR|0o750 {
		t.Errorf("the directory is %d:%d %o, want 1001:1001 40750", st.Uid, st.Gid, st.Mode)
	}
	if out, err := as(1002, 1002, nil, "cat "+b+"/f"); err == nil {
		t.Errorf("a stranger reads %q", out)
	}
	if out, err := as(1002, 1002, []uint32{1001}, "cat "+b+"/f"); err != nil || out != "x" {
		t.Errorf("a member of the group reads %q, %v", out, err)
	}
	if out, err := as(1002, 1002, nil, "rm -f "+b+"/d/x; echo y >"+b+"/d/x"); err == nil {
		t.Errorf("a stranger makes a file in the directory: %q", out)
	}
	// Set-group-id directories hand their group down.
	check(t, os.Chown(a+"/d", 1001, 1234))
	check(t, os.Chmod(a+"/d", 0o777|os.ModeSetgid))
	if out, err := as(1002, 1002, nil, "umask 0; mkdir "+b+"/d/sub; echo >"+b+"/d/file"); err != nil {
		t.Fatal(out, err)
	}
	if st := owner(t, a+"/d/sub"); st.Gid != 1234 || st.Uid != 1002 || st.Mode != unix.S_IFDIR|unix.S_ISGID|0o777 {
		t.Errorf("the subdirectory is %d:%d %o, want 1002:1234 42777", st.Uid, st.Gid, st.Mode)
	}
	if st := owner(t, a+"/d/file"); st.Gid != 1234 || st.Mode != unix.S_IFREG|0o666 {
		t.Errorf("the file is of group %d with %o, want 1234 with 100666", st.Gid, st.Mode)
	}
	// The sticky bit.
	check(t, os.Chmod(a+"/d", 0o777|os.ModeSticky))
	if _, err := as(1003, 1003, nil, "rm -f "+b+"/d/file"); err == nil {
		t.Errorf("a stranger removed a file from a sticky directory")
	}
}

// aclWith is a POSIX ACL xattr: rwx for the owner, nothing for group and others, rwx for one user.
func aclWith(uid uint32) []byte {
	var b bytes.Buffer
	entry := func(tag, perm uint16, id uint32) {
		b.Write([]byte{byte(tag), byte(tag >> 8), byte(perm), 0, byte(id), byte(id >> 8), byte(id >> 16), byte(id >> 24)})
	}
	b.Write([]byte{2, 0, 0, 0})
	const none = 0xFFFFFFFF
	entry(1, 7, none)
	entry(2, 7, uid)
	entry(4, 0, none)
	entry(0x10, 7, none)
	entry(0x20, 0, none)
	return b.Bytes()
}

func TestPOSIXACL(t *testing.T) {
	_, n := makeNodes(t, held, 2)
	check(t, os.Chmod(filepath.Dir(filepath.Dir(n[0].Dir)), 0o755))
	a, b := n[0].Dir, n[1].Dir
	check(t, os.Mkdir(a+"/d", 0o700))
	if _, err := as(1001, 1001, nil, "ls "+b+"/d"); err == nil {
		t.Fatal("a stranger lists a directory of mode 0700")
	}
	for _, name := range []string{"system.posix_acl_access", "system.posix_acl_default"} {
		if err := unix.Setxattr(a+"/d", name, aclWith(1001), 0); err != nil {
			t.Skipf("the tree's file system has no ACLs: %v", err)
		}
	}
	if out, err := as(1001, 1001, nil, "umask 077; echo x >"+b+"/d/f; mkdir "+b+"/d/s"); err != nil {
		t.Fatalf("the ACL's user: %s, %v", out, err)
	}
	if _, err := as(1002, 1002, nil, "ls "+b+"/d"); err == nil {
		t.Error("a stranger lists the directory")
	}
	// Inherited, without the umask: the file's group bits are the mask.
	if st := owner(t, a+"/d/f"); st.Mode&0o777 != 0o660 || st.Uid != 1001 {
		t.Errorf("the file is of %d with %o, want 1001 with 660", st.Uid, st.Mode&0o777)
	}
	got := make([]byte, 200)
	size, err := unix.Getxattr(b+"/d/s", "system.posix_acl_default", got)
	if err != nil || !bytes.Equal(got[:size], aclWith(1001)) {
		t.Errorf("the subdirectory's default ACL: %x, %v", got[:max(size, 0)], err)
	}
	// A change at one node counts at the other at once.
	check(t, unix.Removexattr(a+"/d", "system.posix_acl_access"))
	check(t, os.Chmod(a+"/d", 0o700))
	if _, err := as(1001, 1001, nil, "ls "+b+"/d"); err == nil {
		t.Error("the user lists the directory after the ACL went")
	}
}

func TestXattrs(t *testing.T) {
	_, n := makeNodes(t, held, 2)
	write(t, n[0], "f", 0, "x", false)
	a, b := n[0].Dir+"/f", n[1].Dir+"/f"
	long := strings.Repeat("v", 3000)
	for name, value := range map[string]string{"user.DOSATTRIB": "dos", "user.DosStream.s:$DATA": long, "security.NTACL": "acl", "trusted.x": ""} {
		check(t, unix.Setxattr(a, name, []byte(value), unix.XATTR_CREATE))
		got := make([]byte, 4000)
		size, err := unix.Getxattr(b, name, got)
		if err != nil || string(got[:size]) != value {
			t.Errorf("%s: %q, %v", name, got[:max(size, 0)], err)
		}
		if size, err := unix.Getxattr(b, name, nil); err != nil || size != len(value) {
			t.Errorf("%s: size %d, %v", name, size, err)
		}
	}
	if _, err := unix.Getxattr(b, "user.DosStream.s:$DATA", make([]byte, 10)); !errors.Is(err, unix.ERANGE) {
		t.Errorf("a buffer too small: %v, want ERANGE", err)
	}
	if err := unix.Setxattr(b, "user.DOSATTRIB", nil, unix.XATTR_CREATE); !errors.Is(err, unix.EEXIST) {
		t.Errorf("XATTR_CREATE of one that is there: %v", err)
	}
	check(t, unix.Removexattr(b, "user.DOSATTRIB"))
	if _, err := unix.Getxattr(a, "user.DOSATTRIB", nil); !errors.Is(err, unix.ENODATA) {
		t.Errorf("one that was removed: %v", err)
	}
	if _, err := unix.Getxattr(a, "lustre.lov", nil); !errors.Is(err, unix.ENODATA) {
		t.Errorf("lustre.lov of a file without layout: %v", err)
	}
}

func TestSparse(t *testing.T) {
	_, n := makeNodes(t, held, 2)
	f, err := os.Create(n[0].Dir + "/f")
	check(t, err)
	defer func() { _ = f.Close() }()
	check(t, f.Truncate(1<<20))
	_, err = f.WriteAt(bytes.Repeat([]byte{1}, 4096), 512<<10)
	check(t, err)
	g, err := os.Open(n[1].Dir + "/f")
	check(t, err)
	defer func() { _ = g.Close() }()
	if off, err := unix.Seek(int(g.Fd()), 0, unix.SEEK_DATA); err != nil || off != 512<<10 {
		t.Errorf("SEEK_DATA: %d, %v", off, err)
	}
	if off, err := unix.Seek(int(g.Fd()), 512<<10, unix.SEEK_HOLE); err != nil || off != 512<<10+4096 {
		t.Errorf("SEEK_HOLE: %d, %v", off, err)
	}
	if st := owner(t, n[1].Dir+"/f"); st.Blocks != 8 {
		t.Errorf("%d sectors, want 8", st.Blocks)
	}
	check(t, unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 512<<10, 4096))
	if _, err := unix.Seek(int(g.Fd()), 0, unix.SEEK_DATA); !errors.Is(err, unix.ENXIO) {
		t.Errorf("SEEK_DATA without data: %v", err)
	}
	check(t, unix.Fallocate(int(f.Fd()), 0, 0, 2<<20))
	if st := owner(t, n[1].Dir+"/f"); st.Size != 2<<20 || st.Blocks != 2<<20/512 {
		t.Errorf("%d bytes in %d sectors after fallocate", st.Size, st.Blocks)
	}
}

// TestModel: random writes, truncations, reads and syncs at three nodes are as on one plain file.
func TestModel(t *testing.T) {
	_, n := makeNodes(t, held, 3)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		path := "f" + strings.Repeat("x", run%50)
		var model []byte
		var files []*os.File
		for _, node := range n {
			f, err := os.OpenFile(filepath.Join(node.Dir, path), os.O_CREATE|os.O_RDWR, 0o666)
			check(t, err)
			files = append(files, f)
		}
		defer func() {
			for _, f := range files {
				check(t, f.Close())
			}
			check(t, os.Remove(filepath.Join(n[0].Dir, path)))
		}()
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			at := rapid.IntRange(0, 2).Draw(rt, "node")
			off := rapid.IntRange(0, 20000).Draw(rt, "offset")
			f := files[at]
			switch rapid.SampledFrom([]string{"write", "write", "read", "truncate", "sync", "stat"}).Draw(rt, "what") {
			case "write":
				p := rapid.SliceOfN(rapid.Byte(), 1, 5000).Draw(rt, "data")
				if _, err := f.WriteAt(p, int64(off)); err != nil {
					rt.Fatal(err)
				}
				if need := off + len(p); need > len(model) {
					model = append(model, make([]byte, need-len(model))...)
				}
				copy(model[off:], p)
			case "truncate":
				if err := f.Truncate(int64(off)); err != nil {
					rt.Fatal(err)
				}
				model = append(model, make([]byte, max(0, off-len(model)))...)[:off:off]
			case "read":
				buf := make([]byte, 8000)
				k, _ := f.ReadAt(buf, int64(off))
				if want := model[min(off, len(model)):min(off+8000, len(model))]; !bytes.Equal(buf[:k], want) {
					rt.Fatalf("node %d reads %d bytes at %d that differ from %d", at, k, off, len(want))
				}
			case "sync":
				if err := f.Sync(); err != nil {
					rt.Fatal(err)
				}
			case "stat":
				if st, err := f.Stat(); err != nil || st.Size() != int64(len(model)) {
					rt.Fatalf("size %v, %v, want %d", st.Size(), err, len(model))
				}
			}
		}
	})
}

// TestManyFiles: a node knows more files than this process keeps open.
func TestManyFiles(t *testing.T) {
	c, n := makeNodes(t, held, 2)
	const files = maxIdle + 500
	name := func(i int) string { return fmt.Sprintf("f%d", i) }
	for i := range files {
		check(t, os.WriteFile(filepath.Join(n[0].Dir, name(i)), nil, 0o666))
	}
	for i := range files {
		if _, err := os.Stat(filepath.Join(n[1].Dir, name(i))); err != nil {
			t.Fatal(err)
		}
	}
	if open := c.open.Load(); open > maxIdle+100 {
		t.Errorf("%d files are open, want about %d", open, maxIdle)
	}
	// Numbers of files that are gone at one node are not taken for new files at the other.
	for i := range 100 {
		last := files - 1 - i
		check(t, os.Remove(filepath.Join(n[0].Dir, name(last))))
		write(t, n[0], name(last), 0, name(last), false)
		wantFile(t, n[1], name(last), name(last))
	}
	entries, err := os.ReadDir(n[1].Dir)
	if err != nil || len(entries) != files {
		t.Errorf("%d names, %v, want %d", len(entries), err, files)
	}
}
