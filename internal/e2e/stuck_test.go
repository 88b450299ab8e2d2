package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hirochachacha/go-smb2"

	"smbproxy/internal/clusterfs"
	"smbproxy/internal/lab"
)

// heldUpLimit is how long a request of one user may hold up another's.
const heldUpLimit = 100 * time.Millisecond

// traffic is one user at work: files come, are read, listed and go. It tells how long the longest
// step took.
func traffic(m *smb2.Share, name string, end <-chan struct{}) (worst time.Duration, steps int, err error) {
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for i := 0; ; i++ {
		file := fmt.Sprintf(`%s\%d`, name, i)
		for _, step := range []func() error{
			func() error { return m.WriteFile(file, []byte(file), 0o644) },
			func() error { _, err := m.ReadFile(file); return err },
			func() error { _, err := m.Stat(file); return err },
			func() error { _, err := m.ReadDir(name); return err },
			func() error { return m.Remove(file) },
		} {
			select {
			case <-end:
				return worst, steps, nil
			case <-pace.C:
			}
			begin := time.Now()
			if err := step(); err != nil {
				return worst, steps, fmt.Errorf("round %d: %w", i, err)
			}
			worst = max(worst, time.Since(begin))
			steps++
		}
	}
}

// A path that hangs in the file system of the backend holds up its user, whose requests wait for
// it, and no other user by more than heldUpLimit.
func TestHungPathHoldsUpNobodyElse(t *testing.T) {
	if err := clusterfs.Check(); err != nil {
		t.Skip(err)
	}
	users := lab.DefaultUsers()
	for i := len(users); i < 8; i++ {
		users = append(users, lab.User{Name: fmt.Sprintf("user%d", i+1), UID: 20101 + uint32(i), GID: 20101 + uint32(i), Password: "secret"})
	}
	l := lab.New(t, lab.Options{Users: users})
	tree, err := l.Tree.Share("cluster")
	if err != nil {
		t.Fatal(err)
	}
	fs, err := clusterfs.New(tree, clusterfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fs.Close() })
	mountPoint := filepath.Join(l.Dir, "n0")
	if err := os.Mkdir(mountPoint, 0o755); err != nil {
		t.Fatal(err)
	}
	node, err := fs.Mount("n0", mountPoint)
	if err != nil {
		t.Fatal(err)
	}
	share := filepath.Join(node.Dir, "share")
	for _, dir := range append([]string{"", "hung"}, names(users)...) {
		if err := os.Mkdir(filepath.Join(share, dir), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(share, dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	calm := filepath.Join(node.Dir, "calm")
	if err := os.Mkdir(calm, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, dir := range append([]string{""}, names(users)...) {
		if err := errors.Join(os.MkdirAll(filepath.Join(calm, dir), 0o777), os.Chmod(filepath.Join(calm, dir), 0o777)); err != nil {
			t.Fatal(err)
		}
	}
	c := l.MustCluster(lab.ClusterOptions{Backends: 2, GlobalLines: []string{"server smb encrypt = required"},
		Shares: []lab.Share{{Name: "share", Path: share}, {Name: "calm", Path: calm, Backend: 1}}})

	// user1 has three clients, each of which will hang in another kind of request.
	culprits := make([]*smb2.Share, 3)
	for i := range culprits {
		culprits[i] = mount(t, c.Proxy.Addr(), "share", users[0], 0)
	}
	if err := culprits[0].WriteFile(`hung\file`, noise(1, 100_000), 0o644); err != nil {
		t.Fatal(err)
	}
	open, err := culprits[0].Open(`hung\file`)
	if err != nil {
		t.Fatal(err)
	}
	var others []*smb2.Share
	for _, u := range users[1:] {
		others = append(others, mount(t, c.Proxy.Addr(), "share", u, 0))
	}
	// The same users do the same at another backend, where nothing hangs: what holds them up there is
	// the machine's other work.
	var calmer []*smb2.Share
	for _, u := range users[1:] {
		calmer = append(calmer, mount(t, c.Proxy.Addr(), "calm", u, 0))
	}
	phase := func(d time.Duration) (worst [2]time.Duration) {
		end := make(chan struct{})
		var wg sync.WaitGroup
		var mu sync.Mutex
		for kind, clients := range [][]*smb2.Share{others, calmer} {
			for i, m := range clients {
				wg.Go(func() {
					w, steps, err := traffic(m, users[i+1].Name, end)
					if err != nil || steps == 0 {
						t.Errorf("%s: %d steps, %v", users[i+1].Name, steps, err)
					}
					mu.Lock()
					defer mu.Unlock()
					worst[kind] = max(worst[kind], w)
				})
			}
		}
		<-time.After(d)
		close(end)
		wg.Wait()
		return worst
	}
	quiet := phase(time.Second)

	node.Hang("share/hung")
	thaw := sync.OnceFunc(func() { node.Thaw("share/hung") })
	defer thaw()
	done := make(chan error, 3)
	go func() { _, err := open.Read(make([]byte, 65536)); done <- err }()
	go func() { _, err := culprits[1].Stat(`hung\file`); done <- err }()
	go func() { _, err := culprits[2].ReadDir("hung"); done <- err }()
	if err := lab.WaitFor(10*time.Second, func() error {
		if node.Hung() < 3 {
			return fmt.Errorf("%d requests hang", node.Hung())
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// Two of them come only now.
	others[0] = mount(t, c.Proxy.Addr(), "share", users[1], 0)
	others[1] = mount(t, c.Proxy.Addr(), "share", users[2], 0)
	held := phase(5 * time.Second)
	t.Logf("the longest step took %v before, %v while %d requests hang; at the other backend %v", quiet[0], held[0], node.Hung(), held[1])
	if held[0] > heldUpLimit+2*held[1] {
		t.Errorf("others were held up for %v", held[0])
	}
	if len(done) > 0 {
		t.Errorf("what should hang did not: %v", <-done)
	}
	thaw()
	for range 3 {
		if err := <-done; err != nil {
			t.Errorf("what hung: %v", err)
		}
	}
}

// names are the names of users.
func names(users []lab.User) (out []string) {
	for _, u := range users {
		out = append(out, u.Name)
	}
	return out
}
