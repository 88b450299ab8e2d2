package lab_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"smbproxy/internal/lab"
)

func TestSambaServesTheLabsUsers(t *testing.T) {
	l := lab.New(t, lab.Options{})
	s := l.MustSamba(lab.SambaOptions{Name: "a", Conf: l.DirectConf("share"), Passwords: true})
	for _, u := range l.Users() {
		file := filepath.Join(t.TempDir(), "in")
		if err := os.WriteFile(file, []byte(u.Name), 0o644); err != nil {
			t.Fatal(err)
		}
		r := l.Smbclient(s.Addr(), "share", lab.As(u), lab.Command("put "+file+" "+u.Name))
		if r.Err != nil {
			t.Fatalf("put as %s: %v\n%s", u.Name, r.Err, r.Output)
		}
		st, err := os.Stat(filepath.Join(l.Tree.Dir, "share", u.Name))
		if err != nil {
			t.Fatal(err)
		}
		if got := st.Sys().(*syscall.Stat_t); got.Uid != u.UID || got.Gid != u.GID {
			t.Errorf("%s's file is owned by %d:%d, want %d:%d", u.Name, got.Uid, got.Gid, u.UID, u.GID)
		}
	}
	wrong := l.User("user1")
	wrong.Password = "not this"
	if r := l.Smbclient(s.Addr(), "share", lab.As(wrong), lab.Command("ls")); r.Status() != "NT_STATUS_LOGON_FAILURE" {
		t.Errorf("wrong password: got %q, want NT_STATUS_LOGON_FAILURE\n%s", r.Status(), r.Output)
	}
}

func TestTreeIsExt4WithLargeInodes(t *testing.T) {
	l := lab.New(t, lab.Options{TreeMiB: 64})
	if l.Tree.Image == "" {
		t.Skipf("no loop mount here: %s", l.Tree.Why)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(l.Tree.Dir, &fs); err != nil {
		t.Fatal(err)
	}
	const ext4Magic = 0xEF53
	if fs.Type != ext4Magic {
		t.Errorf("file system type %#x, want %#x", fs.Type, ext4Magic)
	}
	if size := int64(fs.Blocks) * fs.Bsize; size > 64<<20 {
		t.Errorf("size %d, want at most 64 MiB", size)
	}
}

func TestKillFreezeRestart(t *testing.T) {
	l := lab.New(t, lab.Options{PlainTree: true})
	s := l.MustSamba(lab.SambaOptions{Name: "a", Conf: l.DirectConf("share"), Passwords: true})
	first := s.Pids()
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range first {
		if st := state(t, pid); st != "gone" && st != "Z" {
			t.Errorf("process %d of the killed smbd is in state %s", pid, st)
		}
	}
	if c, err := net.Dial("tcp", s.Addr()); err == nil {
		_ = c.Close()
		t.Errorf("%s is still listening after Kill", s.Addr())
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := lab.WaitFor(10*time.Second, func() error {
		for _, pid := range s.Pids() {
			if st := state(t, pid); st != "T" {
				return fmt.Errorf("process %d is in state %s", pid, st)
			}
		}
		return nil
	}); err != nil {
		t.Fatal("smbd frozen: ", err)
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	if r := l.Smbclient(s.Addr(), "share", lab.As(l.User("user1")), lab.Command("ls")); r.Err != nil {
		t.Errorf("after kill, start, freeze, thaw: %v\n%s", r.Err, r.Output)
	}
}

// state is the one-letter state of a process, proc(5).
func state(t *testing.T, pid int) string {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "gone"
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return after[:1]
}

func TestTwoSambasShareOneTree(t *testing.T) {
	l := lab.New(t, lab.Options{})
	a := l.MustSamba(lab.SambaOptions{Name: "a", Conf: l.DirectConf("share"), Passwords: true})
	b := l.MustSamba(lab.SambaOptions{Name: "b", Conf: l.DirectConf("share"), Passwords: true})
	user := lab.As(l.User("user1"))
	if r := l.Smbclient(a.Addr(), "share", user, lab.Command("mkdir made")); r.Err != nil {
		t.Fatalf("%v\n%s", r.Err, r.Output)
	}
	r := l.Smbclient(b.Addr(), "share", user, lab.Command("rmdir made"))
	if r.Err != nil {
		t.Errorf("the other smbd refuses the owner: %v\n%s", r.Err, r.Output)
	}
}

func TestNTHash(t *testing.T) {
	// [MS-NLMP] 4.2.2.1.2
	if got, want := lab.NTHash("Password"), "A4F49C406510BDCAB6824EE7C30FD852"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
