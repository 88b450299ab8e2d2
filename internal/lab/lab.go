package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options says what a Lab has before anything is started in it. The zero value is a good lab.
type Options struct {
	Users     []User  // nil: [DefaultUsers]
	Groups    []Group // groups beside each user's own; nil with nil Users: [DefaultGroups]
	TreeMiB   int     // size of the shared tree's file system; 0: 8192. The image is sparse
	PlainTree bool    // a plain directory on purpose, no ext4 image
	Log       func(format string, args ...any)
}

// Lab is one directory in which servers run. Methods may be called from several goroutines.
type Lab struct {
	Dir  string // holds everything: tree, servers, logs, binaries' configuration
	Tree Tree

	users  []User
	groups []Group
	subnet string // "127.x.y."
	log    func(format string, args ...any)
	guard  *guard
	tb     testing.TB // nil outside of tests

	mu      sync.Mutex // guards what is below
	nextIP  int
	running []stopper // in the order of their start
	closed  bool
}

// stopper is a server that Close ends.
type stopper interface {
	Stop() error
	tail() string
}

// New makes a lab that lives as long as the test. It skips the test, or fails it under
// SMBPROXY_LAB=required, where the machine cannot run smbd, and says why.
func New(t testing.TB, opt Options) *Lab {
	t.Helper()
	if err := Check(); err != nil {
		if os.Getenv("SMBPROXY_LAB") == "required" {
			t.Fatalf("lab: %v", err)
		}
		t.Skipf("lab: %v", err)
	}
	if opt.Log == nil {
		opt.Log = t.Logf
	}
	dir, err := os.MkdirTemp("", "smbproxy-lab-") //nolint:usetesting // t.TempDir is too long for smbd's unix sockets
	if err != nil {
		t.Fatal(err)
	}
	l, err := Start(context.Background(), dir, opt)
	if err != nil {
		_ = os.RemoveAll(dir)
		t.Fatalf("lab: %v", err)
	}
	l.tb = t
	t.Cleanup(func() {
		if t.Failed() {
			l.dumpLogs()
		}
		if err := l.Close(); err != nil {
			t.Errorf("lab: %v", err)
		}
		if os.Getenv("SMBPROXY_LAB_KEEP") == "" {
			_ = os.RemoveAll(dir)
		}
	})
	return l
}

// Start makes a lab in dir, which must exist; ctx bounds the start only. End it with Close,
// which leaves dir's logs and configuration behind.
func Start(ctx context.Context, dir string, opt Options) (*Lab, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	l := &Lab{Dir: dir, users: opt.Users, groups: opt.Groups, log: opt.Log, nextIP: 1}
	if l.users == nil {
		l.users = DefaultUsers()
		if l.groups == nil {
			l.groups = DefaultGroups()
		}
	}
	if l.log == nil {
		l.log = func(string, ...any) {}
	}
	// smbd's users must reach the tree through dir.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	if l.subnet, err = freeSubnet(); err != nil {
		return nil, err
	}
	if err := l.writeUsers(); err != nil {
		return nil, err
	}
	if strings.ContainsAny(dir, " \t\n") {
		return nil, fmt.Errorf("the lab's directory %q has a blank in its path", dir)
	}
	if l.guard, err = theGuard(); err != nil {
		return nil, err
	}
	if l.Tree, err = makeTree(ctx, l, opt); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if l.Tree.Why != "" {
		l.log("lab: the shared tree is a plain directory (%s): allocation sizes and large xattrs differ from a cluster's", l.Tree.Why)
	}
	return l, nil
}

// Close stops every server, last started first, and unmounts the tree. It may be called twice.
func (l *Lab) Close() error {
	l.mu.Lock()
	running := l.running
	l.running = nil
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	if closed {
		return nil
	}
	var errs []error
	for i := len(running) - 1; i >= 0; i-- {
		errs = append(errs, running[i].Stop())
	}
	errs = append(errs, l.Tree.unmount(l.guard))
	return errors.Join(errs...)
}

// IP returns a loopback address that nothing else uses.
func (l *Lab) IP() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nextIP++
	return fmt.Sprintf("%s%d", l.subnet, l.nextIP)
}

func (l *Lab) add(s stopper) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = append(l.running, s)
}

// dumpLogs shows the end of every server's log in the test's output.
func (l *Lab) dumpLogs() {
	l.mu.Lock()
	running := l.running
	l.mu.Unlock()
	for _, s := range running {
		if text := s.tail(); text != "" {
			l.log("%s", text)
		}
	}
}

// must ends the test with err; outside of tests it panics.
func (l *Lab) must(err error) {
	if err == nil {
		return
	}
	if l.tb == nil {
		panic(err)
	}
	l.tb.Helper()
	l.tb.Fatalf("lab: %v", err)
}

// startLimit is how long a server may take until it listens. smbd takes about 0.2 s; two
// cores shared by a race-detector build and three smbd can make it many times that.
const startLimit = 60 * time.Second
