package backend

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"smbproxy/internal/smb2"
)

// sessionBook is a SessionLog that remembers.
type sessionBook struct {
	mu   sync.Mutex
	open []OldSession
	err  error // what Begun says
}

// Begun implements SessionLog.
func (b *sessionBook) Begun(_ string, s OldSession) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.open = append(b.open, s)
	}
	return b.err
}

// Ended implements SessionLog.
func (b *sessionBook) Ended(_ string, s OldSession) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = slices.DeleteFunc(b.open, func(o OldSession) bool { return o == s })
}

// has tells whether a session is in the book.
func (b *sessionBook) has(s OldSession) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.open, s)
}

// fail sets what Begun says.
func (b *sessionBook) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

// server connects a client and finds the process that serves its lane.
func (r *rig) server(t testing.TB, p *Pool, user string, affinity uint64) (*Tree, int) {
	t.Helper()
	// Probes come and go: what is there before and after is not theirs.
	before := r.smbd.Pids()
	tree := mustConnect(t, p, user, "share", affinity)
	pid := 0
	eventually(t, "one new process", func() bool {
		added := slices.DeleteFunc(r.smbd.Pids(), func(pid int) bool { return slices.Contains(before, pid) })
		if len(added) == 1 {
			pid = added[0]
		}
		return len(added) == 1
	})
	return tree, pid
}

// stop freezes one process; it goes on when the test ends.
func stop(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
}

// lose freezes the process of user1's lane with a WRITE on its way, and has the lane given up.
func (r *rig) lose(t testing.TB, p *Pool, name string) (old OldSession, pid int) {
	t.Helper()
	tree, pid := r.server(t, p, "user1", 1)
	id, st := create(t, tree, name, smb2.FileWriteData, smb2.FileOpenIf)
	must(t, "create", st)
	must(t, "write", request(t, tree, smb2.CommandWrite, &smb2.WriteRequest{FileID: id.Wire(), Data: []byte("first")}, 1))
	stop(t, pid)
	o := submit(tree, smb2.CommandWrite, &smb2.WriteRequest{FileID: id.Wire(), Data: []byte("stale")})
	tree.tc.session.conn.kill(errors.New("the test gives it up"))
	var lost *LostError
	if got := o.result(t); !errors.As(got.err, &lost) || !lost.Sent {
		t.Fatalf("the write: %+v", got)
	}
	return tree.Session(), pid
}

// fencing runs Fence.
func fencing(ctx context.Context, p *Pool, sessions ...OldSession) chan error {
	done := make(chan error, 1)
	go func() { done <- p.Fence(ctx, sessions...) }()
	return done
}

// A frozen process that has a WRITE before it holds up the fence, and once that is
// through the WRITE cannot come after anything that is written then.
func TestFenceFrozenProcess(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	book := &sessionBook{}
	cfg.Lanes, cfg.MaxLanes, cfg.Sessions = 2, 2, book
	p := startPool(t, cfg)
	mustConnect(t, p, "user2", "share", 2) // the backend is alive elsewhere
	for round := range 3 {
		name := "file" + string(rune('a'+round))
		old, pid := r.lose(t, p, name)
		if !book.has(old) || !slices.Contains(p.Lost(), old) {
			t.Fatalf("lost session %v: in the book %v, in Lost %v", old, book.has(old), p.Lost())
		}
		done := fencing(t.Context(), p, old)
		short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if err := p.Fence(short, old); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("fence of a frozen process: %v", err)
		}
		cancel()
		select {
		case err := <-done:
			t.Fatalf("fenced while frozen: %v", err)
		default:
		}
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if book.has(old) || len(p.Lost()) > 0 {
			t.Errorf("after the fence: in the book %v, lost %v", book.has(old), p.Lost())
		}
		if err := os.WriteFile(r.path(name), []byte("newer"), 0o666); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the old process to end", func() bool { return syscall.Kill(pid, 0) != nil || !slices.Contains(r.smbd.Pids(), pid) })
		if got, _ := os.ReadFile(r.path(name)); string(got) != "newer" {
			t.Errorf("round %d: the file says %q", round, got)
		}
	}
}

// A process that is gone is fenced at once.
func TestFenceKilledProcess(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.Lanes, cfg.MaxLanes = 2, 2
	p := startPool(t, cfg)
	old, pid := r.lose(t, p, "x")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := p.Fence(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	t.Logf("fenced after %v", time.Since(begin))
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("fenced after %v", d)
	}
	inherited := OldSession{User: "user1", ID: 0x1234}
	p.Inherit(inherited)
	if err := p.Fence(t.Context(), inherited); err != nil || len(p.Lost()) > 0 {
		t.Errorf("a session that smbd does not know: %v, lost %v", err, p.Lost())
	}
}

// What was in flight on a backend that is alive is fenced without being asked to;
// what was not changing anything needs no fence.
func TestFenceByItself(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	book := &sessionBook{}
	cfg.Lanes, cfg.MaxLanes, cfg.Sessions = 2, 2, book
	p := startPool(t, cfg)
	old, pid := r.lose(t, p, "x")
	_ = syscall.Kill(pid, syscall.SIGKILL)
	eventually(t, "the fence", func() bool { return len(p.Lost()) == 0 && !book.has(old) })

	tree, pid := r.server(t, p, "user2", 7)
	id, st := create(t, tree, "x", smb2.FileReadData, smb2.FileOpen)
	must(t, "create", st)
	stop(t, pid)
	o := submit(tree, smb2.CommandRead, &smb2.ReadRequest{FileID: id.Wire(), Length: 1})
	tree.tc.session.conn.kill(errors.New("the test gives it up"))
	o.result(t)
	if lost := p.Lost(); len(lost) > 0 {
		t.Errorf("a READ under way: lost %v", lost)
	}
	eventually(t, "the book to forget it", func() bool { return !book.has(tree.Session()) })
}

// A session that cannot be written down is not used.
func TestSessionNotLogged(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	book := &sessionBook{err: errors.New("no space")}
	cfg.Sessions = book
	p := startPool(t, cfg)
	if _, err := p.Connect(t.Context(), "user1", "share", 1); !errors.Is(err, book.err) {
		t.Fatalf("connect: %v", err)
	}
	book.fail(nil)
	tree := mustConnect(t, p, "user1", "share", 1)
	if !book.has(tree.Session()) {
		t.Error("the session is not in the book")
	}
}

// The fence command is asked for a backend that is down, and only its success counts.
func TestFenceCommand(t *testing.T) {
	r := newRig(t, "")
	dir := t.TempDir()
	allow, ran := filepath.Join(dir, "allow"), filepath.Join(dir, "ran")
	cfg := r.config()
	cfg.SuspectAfter, cfg.DownAfter, cfg.DialTimeout = 200*time.Millisecond, 500*time.Millisecond, 300*time.Millisecond
	cfg.FenceCommand = `echo "$BACKEND $ADDRESS $PORT" >>` + ran + `; test -e ` + allow
	p := startPool(t, cfg)
	h := subscribe(t, p)
	tree := mustConnect(t, p, "user1", "share", 1)
	id, st := create(t, tree, "x", smb2.FileWriteData, smb2.FileCreate)
	must(t, "create", st)
	if err := r.smbd.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer r.smbd.Thaw()
	o := submit(tree, smb2.CommandWrite, &smb2.WriteRequest{FileID: id.Wire(), Data: []byte("x")})
	h.until(t, StateDown)
	o.result(t)
	if _, err := os.Stat(ran); err == nil {
		t.Fatal("the command ran and nobody wanted it")
	}
	done := fencing(t.Context(), p)
	eventually(t, "the command to fail twice", func() bool {
		out, _ := os.ReadFile(ran)
		return len(out) > 0 && slices.Index(out, '\n') < len(out)/2
	})
	if p.State() != StateDown || len(p.Lost()) != 1 {
		t.Errorf("after a failed command: %v, lost %v", p.State(), p.Lost())
	}
	if err := os.WriteFile(allow, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	h.until(t, StateFenced)
	out, _ := os.ReadFile(ran)
	if err := p.Fence(t.Context(), tree.Session()); err != nil {
		t.Error(err)
	}
	if again, _ := os.ReadFile(ran); len(again) != len(out) {
		t.Error("the command ran again in the same outage")
	}
	t.Logf("it was given %q", out[:slices.Index(out, '\n')])
}

// Who waits for a fence when the backend goes down has the command run then.
func TestFenceWhenItGoesDown(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.Lanes, cfg.MaxLanes = 2, 2
	cfg.SuspectAfter, cfg.DownAfter, cfg.DialTimeout = 200*time.Millisecond, 500*time.Millisecond, 300*time.Millisecond
	cfg.FenceCommand = "true"
	p := startPool(t, cfg)
	h := subscribe(t, p)
	other := mustConnect(t, p, "user2", "share", 2)
	old, _ := r.lose(t, p, "x")
	done := fencing(t.Context(), p, old)
	if err := r.smbd.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer r.smbd.Thaw()
	submit(other, smb2.CommandEcho, &smb2.EchoRequest{})
	h.until(t, StateDown)
	if err := <-done; err != nil {
		t.Error(err)
	}
	h.until(t, StateFenced)
}

// Where a whole smbd is gone, nothing of it is left to be fenced.
func TestKilledBackendNeedsNoFence(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	book := &sessionBook{}
	cfg.Sessions = book
	p := startPool(t, cfg)
	h := subscribe(t, p)
	tree, pid := r.server(t, p, "user1", 1)
	id, st := create(t, tree, "x", smb2.FileWriteData, smb2.FileCreate)
	must(t, "create", st)
	stop(t, pid)
	o := submit(tree, smb2.CommandWrite, &smb2.WriteRequest{FileID: id.Wire(), Data: []byte("x")})
	if err := r.smbd.Kill(); err != nil {
		t.Fatal(err)
	}
	var lost *LostError
	if got := o.result(t); !errors.As(got.err, &lost) || !lost.Sent {
		t.Errorf("the write: %+v", got)
	}
	h.until(t, StateFenced)
	if err := p.Fence(t.Context(), tree.Session()); err != nil {
		t.Error(err)
	}
	eventually(t, "the book to forget it", func() bool { return !book.has(tree.Session()) })
}
