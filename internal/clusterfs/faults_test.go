package clusterfs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestHangIsThePathsOnly(t *testing.T) {
	_, nodes := makeNodes(t, held, 2)
	n := nodes[0]
	for _, d := range []string{"stuck", "free", "stuck2"} {
		check(t, os.Mkdir(filepath.Join(n.Dir, d), 0o755))
		write(t, n, d+"/f", 0, d, true)
	}
	n.Hang("stuck")
	done := make(chan error, 2)
	go func() {
		_, err := os.ReadFile(filepath.Join(n.Dir, "stuck/f"))
		done <- err
	}()
	check(t, waitFor(func() bool { return n.Hung() == 1 }))
	wantFile(t, n, "free/f", "free")
	wantFile(t, n, "stuck2/f", "stuck2") // the name only begins alike
	write(t, n, "free/g", 0, "new", true)
	wantFile(t, nodes[1], "stuck/f", "stuck") // another node
	if n.Hung() != 1 {
		t.Errorf("%d requests hang, want the one", n.Hung())
	}
	n.Thaw("stuck")
	check(t, <-done)
	if n.Hung() != 0 {
		t.Errorf("%d requests hang after the thaw", n.Hung())
	}

	// Killing the node frees what hangs, with an error.
	n.Hang("stuck/f")
	go func() {
		_, err := os.ReadFile(filepath.Join(n.Dir, "stuck/f"))
		done <- err
	}()
	check(t, waitFor(func() bool { return n.Hung() == 1 }))
	check(t, n.Kill())
	if err := <-done; !errors.Is(err, unix.ENOTCONN) && !errors.Is(err, unix.ECONNABORTED) {
		t.Errorf("what hung when its node was killed: %v", err)
	}
}

// TestHangEndsBySIGKILL: a process that hangs can be killed, and by no other signal stirred.
func TestHangEndsBySIGKILL(t *testing.T) {
	_, nodes := makeNodes(t, held, 1)
	n := nodes[0]
	write(t, n, "f", 0, "x", true)
	n.Hang("f")
	cmd := exec.Command("sh", "-c", "trap : USR1; read line <"+filepath.Join(n.Dir, "f"))
	check(t, cmd.Start())
	check(t, waitFor(func() bool { return n.Hung() == 1 }))
	check(t, cmd.Process.Signal(unix.SIGUSR1))
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		t.Fatalf("SIGUSR1 ended what hangs: %v", err)
	case <-time.After(200 * time.Millisecond): // it must go on hanging: nothing to wait for
	}
	check(t, cmd.Process.Kill())
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		n.Thaw("f")
		t.Fatalf("SIGKILL did not end what hangs")
	}
}

func TestDelay(t *testing.T) {
	_, nodes := makeNodes(t, held, 1)
	n := nodes[0]
	write(t, n, "slow", 0, "x", true)
	write(t, n, "fast", 0, "x", true)
	const d = 300 * time.Millisecond
	n.Delay("slow", d)
	took := func(name string) time.Duration {
		start := time.Now()
		_, err := os.Stat(filepath.Join(n.Dir, name))
		check(t, err)
		return time.Since(start)
	}
	if got := took("slow"); got < d {
		t.Errorf("stat of the delayed file took %v, want at least %v", got, d)
	}
	if got := took("fast"); got >= d {
		t.Errorf("stat of another file took %v", got)
	}
	n.Delay("slow", 0)
	if got := took("slow"); got >= d {
		t.Errorf("stat took %v after the delay was taken away", got)
	}
}

func TestRateLimit(t *testing.T) {
	_, nodes := makeNodes(t, held, 2)
	const perSecond, size = 16 << 20, 8 << 20
	data := make([]byte, size)
	both := func(do func(n *Node) error) time.Duration {
		t.Helper()
		start := time.Now()
		done := make(chan error, 2)
		for _, n := range nodes {
			n.RateLimit(perSecond)
			go func() { done <- do(n) }()
		}
		for range nodes {
			check(t, <-done)
		}
		return time.Since(start)
	}
	// Each node has a rate of its own: two take no longer than one.
	const want = time.Second * size / perSecond
	for name, took := range map[string]time.Duration{
		"writing": both(func(n *Node) error { return os.WriteFile(filepath.Join(n.Dir, n.Name), data, 0o666) }),
		"reading": both(func(n *Node) error { _, err := os.ReadFile(filepath.Join(n.Dir, n.Name)); return err }),
	} {
		if took < want*9/10 || took > 2*want {
			t.Errorf("%s took %v, want about %v", name, took, want)
		}
	}
	// Names are not slowed.
	if _, err := os.Stat(filepath.Join(nodes[0].Dir, "n0")); err != nil {
		t.Error(err)
	}
}

func TestFull(t *testing.T) {
	_, nodes := makeNodes(t, held, 2)
	n := nodes[0]
	write(t, n, "f", 0, "12345", true)
	n.SetFull(true)
	path := filepath.Join(n.Dir, "f")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	check(t, err)
	defer func() { _ = f.Close() }()
	if _, err := f.WriteAt([]byte("678"), 5); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("write behind the end: %v, want ENOSPC", err)
	}
	if _, err := f.WriteAt([]byte("abc"), 1); err != nil {
		t.Errorf("write inside the file: %v", err)
	}
	for what, err := range map[string]error{
		"mkdir":     os.Mkdir(filepath.Join(n.Dir, "d"), 0o755),
		"create":    os.WriteFile(filepath.Join(n.Dir, "g"), nil, 0o666),
		"fallocate": unix.Fallocate(int(f.Fd()), 0, 0, 1<<20),
		"extend":    f.Truncate(100),
	} {
		if !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%s: %v, want ENOSPC", what, err)
		}
	}
	var st unix.Statfs_t
	check(t, unix.Statfs(n.Dir, &st))
	if st.Bavail != 0 || st.Bfree != 0 || st.Blocks == 0 {
		t.Errorf("statfs shows %d of %d blocks free", st.Bavail, st.Blocks)
	}
	write(t, nodes[1], "g", 0, "room", false) // another node has room
	check(t, os.Remove(path))
	n.SetFull(false)
	write(t, n, "g", 4, " again", false)
	wantFile(t, nodes[1], "g", "room again")
}
