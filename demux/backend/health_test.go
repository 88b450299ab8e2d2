package backend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// The states of health, step by step, without anything running.
func TestHealthSteps(t *testing.T) {
	refused := fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	timeout := errors.New("dial: i/o timeout")
	cfg := &Config{SuspectAfter: time.Second, DownAfter: 5 * time.Second}
	const s = int64(time.Second)
	for _, tc := range []struct {
		name string
		v    vital
		s    sight
		now  int64
		want State
	}{
		{"nothing is known", vital{}, sight{}, 0, StateUp},
		{"idle for long", vital{alive: s}, sight{lanes: 2}, 100 * s, StateUp},
		{"asked after a long idle time", vital{alive: s}, sight{lanes: 2, asked: 100 * s}, 100*s + s/2, StateUp},
		{"silent", vital{alive: s}, sight{lanes: 2, asked: 100 * s}, 102 * s, StateSuspect},
		{"silent for long", vital{alive: s}, sight{lanes: 2, asked: 100 * s}, 106 * s, StateDown},
		{"one lane stuck for long, another answers", vital{alive: 200 * s}, sight{lanes: 2, asked: 100 * s}, 200 * s, StateUp},
		{"one lane stuck, nothing heard since", vital{alive: 200 * s}, sight{lanes: 2, asked: 100 * s}, 202 * s, StateSuspect},
		{"refused, but lanes live", vital{alive: s, dialErr: refused, failing: s}, sight{lanes: 1}, 9 * s, StateSuspect},
		{"refused, no lane", vital{alive: s, dialErr: refused, failing: s}, sight{}, s + 1, StateDown},
		{"connecting fails, no lane", vital{alive: s, dialErr: timeout, failing: 20 * s}, sight{}, 23 * s, StateSuspect},
		{"connecting fails for long, no lane", vital{alive: s, dialErr: timeout, failing: 20 * s}, sight{}, 26 * s, StateDown},
		{"connecting fails for long, lanes idle", vital{alive: s, dialErr: timeout, failing: 20 * s}, sight{lanes: 1}, 99 * s, StateSuspect},
		{"a probe hangs", vital{alive: s, probing: 20 * s}, sight{}, 22 * s, StateSuspect},
		{"down, to be fenced", vital{state: StateDown, alive: s, fell: 9 * s}, sight{lost: 1}, 10 * s, StateDown},
		{"down, nothing to be fenced", vital{state: StateDown, alive: s, fell: 9 * s}, sight{}, 10 * s, StateFenced},
		{"fenced", vital{state: StateFenced, alive: s, fell: 9 * s}, sight{}, 11 * s, StateFenced},
		{"back", vital{state: StateDown, alive: 12 * s, fell: 9 * s}, sight{lost: 1}, 12 * s, StateUp},
	} {
		got, reason := tc.v.step(tc.now, tc.s, cfg)
		if got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
		if (got == StateSuspect || got == StateDown && tc.v.state == StateUp) && reason == nil {
			t.Errorf("%s: %v without a reason", tc.name, got)
		}
	}
}

// history collects events.
type history struct {
	mu   sync.Mutex
	seen []State
	next chan Event // capacity enough
}

// subscribe watches a pool.
func subscribe(t testing.TB, p *Pool) *history {
	h := &history{next: make(chan Event, 100)}
	t.Cleanup(p.Subscribe(func(e Event) {
		h.mu.Lock()
		h.seen = append(h.seen, e.To)
		h.mu.Unlock()
		h.next <- e
	}))
	return h
}

// states is what has been seen so far.
func (h *history) states() []State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.seen)
}

// until waits for a state.
func (h *history) until(t testing.TB, want State) Event {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case e := <-h.next:
			if e.To == want {
				return e
			}
		case <-limit:
			t.Fatalf("not %v within 30 s; seen %v", want, h.states())
		}
	}
}

// A killed backend is down at once, and up when it answers again; each is told once.
func TestEventsOfKilledBackend(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.Lanes, cfg.MaxLanes = 2, 2
	p := startPool(t, cfg)
	h := subscribe(t, p)
	mustConnect(t, p, "user1", "share", 1)
	mustConnect(t, p, "user2", "share", 2)
	if got := p.State(); got != StateUp {
		t.Fatalf("state %v", got)
	}
	begin := time.Now()
	if err := r.smbd.Kill(); err != nil {
		t.Fatal(err)
	}
	e := h.until(t, StateDown)
	t.Logf("down after %v: %v", time.Since(begin), e.Reason)
	if !errors.Is(e.Reason, syscall.ECONNREFUSED) {
		t.Errorf("reason %v", e.Reason)
	}
	h.until(t, StateFenced) // nothing was in flight
	if err := r.smbd.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.until(t, StateUp)
	seen := h.states()
	if seen[0] == StateSuspect { // or not, as the connections end
		seen = seen[1:]
	}
	if got := seen; !slices.Equal(got, []State{StateDown, StateFenced, StateUp}) {
		t.Errorf("events %v", got)
	}
	mustConnect(t, p, "user1", "share", 1)
}

// A frozen backend is suspect, then down.
func TestEventsOfFrozenBackend(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.SuspectAfter, cfg.DownAfter = 300*time.Millisecond, time.Second
	p := startPool(t, cfg)
	h := subscribe(t, p)
	tree := mustConnect(t, p, "user1", "share", 1)
	if err := r.smbd.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer r.smbd.Thaw()
	begin := time.Now()
	o := submit(tree, smb2.CommandEcho, &smb2.EchoRequest{})
	h.until(t, StateSuspect)
	if !tree.Alive() {
		t.Error("a lane of a suspect backend was given up")
	}
	h.until(t, StateDown)
	if d := time.Since(begin); d < cfg.DownAfter {
		t.Errorf("down after %v already", d)
	}
	if got := o.result(t); !errors.Is(got.err, ntstatus.UnexpectedNetworkError) {
		t.Errorf("%+v", got)
	}
	if err := r.smbd.Thaw(); err != nil {
		t.Fatal(err)
	}
	h.until(t, StateUp)
}

// What a lost call is told: whether it was sent, and which lane and session it had.
func TestLostError(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.Credits = minCredits
	p := startPool(t, cfg)
	tree := mustConnect(t, p, "user1", "share", 1)
	dir, st := create(t, tree, "", smb2.FileListDirectory, smb2.FileOpen)
	must(t, "open the root", st)
	if err := r.smbd.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer r.smbd.Thaw()
	eventually(t, "all of smbd to stop", func() bool {
		return !slices.ContainsFunc(r.smbd.Pids(), func(pid int) bool { return processState(pid) != "T" })
	})
	var ops []*op
	for range 2 * minCredits {
		ops = append(ops, submit(tree, smb2.CommandQueryDirectory, &smb2.QueryDirectoryRequest{
			FileInformationClass: 1, FileID: dir.Wire(), OutputBufferLength: 1024, FileName: "*"}))
	}
	waiting := p.Status().Lanes[0].Waiting
	if err := r.smbd.Kill(); err != nil {
		t.Fatal(err)
	}
	unsent, answered := 0, 0
	for i, o := range ops {
		got := o.result(t)
		if got.err == nil && i == 0 {
			answered++ // by an smbd on its way to stop, whose credits let others go
			continue
		}
		var lost *LostError
		if !errors.As(got.err, &lost) || !errors.Is(got.err, ntstatus.UnexpectedNetworkError) {
			t.Fatalf("call %d: %+v", i, got)
		}
		if lost.Session != tree.Session() || lost.Lane != tree.Lane() || lost.Backend != "b1" {
			t.Fatalf("call %d: %+v", i, *lost)
		}
		if !lost.Sent {
			unsent++
		}
	}
	if unsent != waiting-answered || unsent == 0 {
		t.Errorf("%d calls were not sent, want the %d that waited for credits, less %d", unsent, waiting, answered)
	}
	var lost *LostError
	if got := submit(tree, smb2.CommandEcho, &smb2.EchoRequest{}).result(t); !errors.As(got.err, &lost) || lost.Sent {
		t.Errorf("a call on a lost lane: %+v", got)
	}
}

// processState is the letter that proc(5) has for it.
func processState(pid int) string {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	state, _, _ := strings.Cut(rest, " ")
	return state
}

// careless panics when it is told.
type careless struct {
	op
	failed chan struct{}
}

// Complete implements Completion.
func (c *careless) Complete(*Call, *smb2.Header, *transport.Frame, error) { panic("careless") }

// Failed implements Failer.
func (c *careless) Failed(*Call) { close(c.failed) }

// A panic in a completion costs its lane, nothing else.
func TestPanicInCompletion(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.Lanes, cfg.MaxLanes = 2, 2
	p := startPool(t, cfg)
	tree := mustConnect(t, p, "user1", "share", 1)
	other := mustConnect(t, p, "user2", "share", 2)
	waiting := notify(t, tree)
	c := &careless{failed: make(chan struct{})}
	c.Frame, c.Done = NewRequest(smb2.CommandEcho, &smb2.EchoRequest{}, smallBody), c
	tree.Submit(&c.Call)
	<-c.failed
	<-tree.Gone()
	var lost *LostError
	if got := waiting.result(t); !errors.As(got.err, &lost) || !errors.Is(got.err, errPanic) {
		t.Errorf("another call of the lane: %+v", got)
	}
	if !other.Alive() {
		t.Error("the other lane is gone too")
	}
	// The submitter's own goroutine survives as well.
	c = &careless{failed: make(chan struct{})}
	c.Frame, c.Done = NewRequest(smb2.CommandEcho, &smb2.EchoRequest{}, smallBody), c
	tree.Submit(&c.Call)
	<-c.failed
	mustConnect(t, p, "user1", "share", 1)
}

// Draining lets go of clients, disabling cuts them off, enabling takes it back.
func TestDuty(t *testing.T) {
	r := newRig(t, "")
	p := startPool(t, r.config())
	h := subscribe(t, p)
	tree, err := p.Connect(context.Background(), "user1", "share", 1)
	if err != nil {
		t.Fatal(err)
	}
	p.Drain()
	h.until(t, StateDraining)
	if got := submit(tree, smb2.CommandEcho, &smb2.EchoRequest{}).result(t); got.err != nil {
		t.Errorf("while draining: %+v", got)
	}
	tree.Release()
	h.until(t, StateDisabled)
	if _, err := p.Connect(t.Context(), "user1", "share", 1); !errors.Is(err, errDisabled) {
		t.Errorf("connect to a disabled backend: %v", err)
	}
	p.Enable()
	h.until(t, StateUp)
	tree = mustConnect(t, p, "user1", "share", 1)
	p.Disable()
	<-tree.Gone()
	h.until(t, StateDisabled)
}
