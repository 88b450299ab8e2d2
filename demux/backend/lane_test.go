package backend

import (
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// op is a caller's operation as demux has them.
type op struct {
	Call
	done    chan outcome
	pending chan struct{}
}

// outcome is what Complete was told.
type outcome struct {
	status ntstatus.Status
	err    error
	times  int
}

func newOp() *op { return &op{done: make(chan outcome, 2), pending: make(chan struct{}, 2)} }

// Pending implements Completion.
func (o *op) Pending(*Call) { o.pending <- struct{}{} }

// Complete implements Completion.
func (o *op) Complete(_ *Call, h *smb2.Header, _ *transport.Frame, err error) {
	var r outcome
	if r.err = err; h != nil {
		r.status = h.Status
	}
	o.done <- r
}

// submit sends a request and returns its operation.
func submit(tree *Tree, cmd smb2.Command, body smb2.Body) *op {
	o := newOp()
	o.Frame, o.Done = NewRequest(cmd, body, smallBody), o
	tree.Submit(&o.Call)
	return o
}

// result waits for the operation's end.
func (o *op) result(t testing.TB) outcome {
	t.Helper()
	select {
	case r := <-o.done:
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("no completion within 30 s")
		return outcome{}
	}
}

// notify starts a CHANGE_NOTIFY on a new handle of the share's root.
func notify(t testing.TB, tree *Tree) *op {
	t.Helper()
	id, st := create(t, tree, "", smb2.FileListDirectory, smb2.FileOpen)
	must(t, "open the root", st)
	o := submit(tree, smb2.CommandChangeNotify, &smb2.ChangeNotifyRequest{FileID: id.Wire(), OutputBufferLength: 4096, CompletionFilter: 0x17f})
	select {
	case <-o.pending:
	case <-time.After(30 * time.Second):
		t.Fatal("no interim reply")
	}
	return o
}

// A reply whose signature is wrong ends the lane, for each algorithm.
func TestCorruptedReply(t *testing.T) {
	r := newRig(t, "")
	for _, alg := range []crypto.SigningAlgorithm{crypto.SigningAESGMAC, crypto.SigningAESCMAC, crypto.SigningHMACSHA256} {
		for name, tweak := range map[string]func([]byte) []byte{
			"body":      func(f []byte) []byte { f[len(f)-1] ^= 1; return f },
			"signature": func(f []byte) []byte { f[50] ^= 1; return f },
			"no flag":   func(f []byte) []byte { f[16] &^= 8; return f },
			"status":    func(f []byte) []byte { binary.LittleEndian.PutUint32(f[8:], 0xC0000022); return f },
		} {
			t.Run(alg.String()+" "+name, func(t *testing.T) {
				fw := newForwarder(t, r.smbd.Addr())
				cfg := r.config()
				cfg.Address, cfg.Signing = fw.addr(), []crypto.SigningAlgorithm{alg}
				p := startPool(t, cfg)
				tree := mustConnect(t, p, "user1", "share", 1)
				if got := p.Status().Lanes[0].Signing; got != alg.String() {
					t.Fatalf("signed with %s, want %v", got, alg)
				}
				waiting := notify(t, tree)
				fw.set(tweak)
				o := submit(tree, smb2.CommandEcho, &smb2.EchoRequest{})
				if got := o.result(t); !errors.Is(got.err, ntstatus.UnexpectedNetworkError) || !strings.Contains(got.err.Error(), "sign") {
					t.Fatalf("corrupted reply: %+v, want unexpected network error for its signature", got)
				}
				if got := waiting.result(t); !errors.Is(got.err, ntstatus.UnexpectedNetworkError) {
					t.Errorf("another call of the lane: %+v", got)
				}
				<-tree.Gone()
				fw.set(nil)
				mustConnect(t, p, "user1", "share", 1)
			})
		}
	}
}

// The same for a sealed lane, on which nothing may come in the clear either.
func TestCorruptedSealedReply(t *testing.T) {
	r := newRig(t, "\tserver smb encrypt = required\n")
	var plain []byte
	for name, tweak := range map[string]func([]byte) []byte{
		"body": func(f []byte) []byte { f[len(f)-1] ^= 1; return f },
		"tag":  func(f []byte) []byte { f[5] ^= 1; return f },
		"unsealed": func([]byte) []byte {
			return plain
		},
	} {
		t.Run(name, func(t *testing.T) {
			fw := newForwarder(t, r.smbd.Addr())
			cfg := r.config()
			cfg.Address = fw.addr()
			p := startPool(t, cfg)
			tree := mustConnect(t, p, "user1", "share", 1)
			cn := tree.tc.session.conn
			cn.mu.Lock()
			h := smb2.Header{Command: smb2.CommandEcho, Flags: smb2.FlagServerToRedir, MessageID: cn.nextID, Credits: 1, SessionID: tree.SessionID()}
			cn.mu.Unlock()
			plain = (&smb2.EchoResponse{}).Append(h.Append(nil))
			transport.SignMessage(plain, tree.tc.session.signer)
			fw.set(tweak)
			o := submit(tree, smb2.CommandEcho, &smb2.EchoRequest{})
			if got := o.result(t); !errors.Is(got.err, ntstatus.UnexpectedNetworkError) {
				t.Fatalf("got %+v, want unexpected network error", got)
			}
			<-tree.Gone()
		})
	}
}

func TestKilledBackend(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.Lanes, cfg.MaxLanes = 2, 2
	p := startPool(t, cfg)
	a := mustConnect(t, p, "user1", "share", 1)
	b := mustConnect(t, p, "user2", "share", 2)
	waiting := []*op{notify(t, a), notify(t, b)}
	if err := r.smbd.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, o := range waiting {
		if got := o.result(t); !errors.Is(got.err, ntstatus.UnexpectedNetworkError) {
			t.Errorf("call under way: %+v, want unexpected network error", got)
		}
	}
	<-a.Gone()
	<-b.Gone()
	if a.Alive() {
		t.Error("a tree on a lost lane is alive")
	}
	if got := submit(a, smb2.CommandEcho, &smb2.EchoRequest{}).result(t); !errors.Is(got.err, ntstatus.UnexpectedNetworkError) {
		t.Errorf("call on a lost lane: %+v", got)
	}
	begin := time.Now()
	for range 100 {
		if _, err := p.Connect(t.Context(), "user1", "share", 3); ntstatus.From(err) != ntstatus.UnexpectedNetworkError {
			t.Fatalf("connect to a dead backend: %v", err)
		}
	}
	if d := time.Since(begin); d > 2*time.Second {
		t.Errorf("100 refusals took %v", d)
	}
	if p.Status().Down == nil {
		t.Error("status says nothing of the backend being down")
	}
	if err := r.smbd.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "connect after the restart", func() bool {
		tree, err := p.Connect(t.Context(), "user1", "share", 1)
		if err != nil {
			return false
		}
		defer tree.Release()
		_, st := create(t, tree, "after", smb2.FileWriteData, smb2.FileCreate)
		return st == ntstatus.Success
	})
	if p.Status().Down != nil {
		t.Error("status still says down")
	}
}

// A frozen backend answers nobody: DownAfter ends the lane, new Connects are
// refused in bounded time.
func TestFrozenBackend(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.SuspectAfter, cfg.DownAfter, cfg.DialTimeout = 200*time.Millisecond, 500*time.Millisecond, 300*time.Millisecond
	p := startPool(t, cfg)
	tree := mustConnect(t, p, "user1", "share", 1)
	waiting := notify(t, tree)
	if err := r.smbd.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer r.smbd.Thaw()
	begin := time.Now()
	o := submit(tree, smb2.CommandEcho, &smb2.EchoRequest{})
	if got := o.result(t); !errors.Is(got.err, ntstatus.UnexpectedNetworkError) || !strings.Contains(got.err.Error(), "no sign of life") {
		t.Errorf("got %+v, want an error that says why", got)
	}
	if d := time.Since(begin); d < 400*time.Millisecond || d > 5*time.Second {
		t.Errorf("given up after %v, want about 0.5 s", d)
	}
	waiting.result(t)
	begin = time.Now()
	if _, err := p.Connect(t.Context(), "user1", "share", 1); ntstatus.From(err) != ntstatus.UnexpectedNetworkError {
		t.Errorf("connect to a frozen backend: %v", err)
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("refused after %v", d)
	}
	if err := r.smbd.Thaw(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "connect after the thaw", func() bool {
		tree, err := p.Connect(t.Context(), "user1", "share", 1)
		if err == nil {
			tree.Release()
		}
		return err == nil
	})
}

// What may wait for ever does not count as late; what waits for a slow lane does,
// and new clients go elsewhere.
func TestWaitingIsNotLate(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.SuspectAfter, cfg.DownAfter = 100*time.Millisecond, 300*time.Millisecond
	p := startPool(t, cfg)
	tree := mustConnect(t, p, "user1", "share", 1)
	waiting := notify(t, tree)
	begin := p.now()
	eventually(t, "three deadlines to pass", func() bool { return p.now()-begin > int64(900*time.Millisecond) })
	if !tree.Alive() {
		t.Fatal("a CHANGE_NOTIFY ended the lane")
	}
	tree.Cancel(&waiting.Call)
	if got := waiting.result(t); got.err != nil || got.status != ntstatus.Cancelled {
		t.Errorf("cancelled CHANGE_NOTIFY: %+v", got)
	}
}

// Thousands of calls at once from two clients: all complete, once each, whatever
// the credits.
func TestPipelining(t *testing.T) {
	for name, credits := range map[string]int{"plenty": 8192, "few": minCredits} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			cfg := r.config()
			cfg.Credits = credits
			p := startPool(t, cfg)
			trees := []*Tree{mustConnect(t, p, "user1", "share", 1), mustConnect(t, p, "user2", "share", 2)}
			const each = 5000
			var wg sync.WaitGroup
			for _, tree := range trees {
				ops := make([]*op, each)
				wg.Go(func() {
					for i := range ops {
						ops[i] = submit(tree, smb2.CommandEcho, &smb2.EchoRequest{})
					}
					for i, o := range ops {
						if got := o.result(t); got.err != nil || got.status != ntstatus.Success {
							t.Errorf("call %d: %+v", i, got)
							return
						}
					}
				})
			}
			wg.Wait()
			st := p.Status().Lanes[0]
			if st.InFlight != 0 || st.Waiting != 0 || st.Replies < 2*each {
				t.Errorf("afterwards %+v", st)
			}
			t.Logf("credits at the end: %d", st.Credits)
		})
	}
}

// The first request of a fresh lane may be a large one: smbd grants credits little
// by little.
func TestLargeRequestOnFreshLane(t *testing.T) {
	r := newRig(t, "")
	p := startPool(t, r.config())
	tree := mustConnect(t, p, "user1", "share", 1)
	if tree.MaxWriteSize() < 1<<20 {
		t.Fatalf("max write %d", tree.MaxWriteSize())
	}
	readBack(t, tree, "large", int(tree.MaxWriteSize()))
}

// smbd that grants less than a request needs gets it refused, not stuck.
func TestTooFewCredits(t *testing.T) {
	r := newRig(t, "\tsmb2 max credits = 64\n")
	p := startPool(t, r.config())
	tree := mustConnect(t, p, "user1", "share", 1)
	id, st := create(t, tree, "x", smb2.FileWriteData, smb2.FileCreate)
	must(t, "create", st)
	_, _, err := tree.Do(t.Context(), smb2.CommandWrite, &smb2.WriteRequest{FileID: id.Wire(), Data: make([]byte, 8<<20)}, 128)
	if ntstatus.From(err) != ntstatus.InsufficientResources {
		t.Fatalf("got %v, want insufficient resources", err)
	}
	must(t, "close", request(t, tree, smb2.CommandClose, &smb2.CloseRequest{FileID: id.Wire()}, 1))
}

// A lane that keeps its clients waiting gets no new ones: they go to another, to
// a new one if all wait.
func TestSlowLaneGetsNoNewClients(t *testing.T) {
	r := newRig(t, "")
	fw := newForwarder(t, r.smbd.Addr())
	cfg := r.config()
	cfg.Address, cfg.MaxLanes = fw.addr(), 2
	p := startPool(t, cfg)
	tree := mustConnect(t, p, "user1", "share", 1)
	fw.set(func([]byte) []byte { return nil }) // answers get lost
	submit(tree, smb2.CommandEcho, &smb2.EchoRequest{})
	eventually(t, "the lane to be marked", func() bool { return p.Status().Lanes[0].Slow })
	fw.set(nil)
	if other := mustConnect(t, p, "user1", "share", 2); other.Lane() != 1 {
		t.Errorf("the new client is on lane %d, want a new one", other.Lane())
	}
	if same := mustConnect(t, p, "user1", "other", 2); same.Lane() != 1 {
		t.Errorf("and then on lane %d", same.Lane())
	}
}

// smbd's limit of what may be pending on a connection is an answer, not a fault.
func TestManyPending(t *testing.T) {
	r := newRig(t, "")
	p := startPool(t, r.config())
	tree := mustConnect(t, p, "user1", "share", 1)
	id, st := create(t, tree, "", smb2.FileListDirectory, smb2.FileOpen)
	must(t, "open the root", st)
	var ops []*op
	for range 2000 {
		ops = append(ops, submit(tree, smb2.CommandChangeNotify, &smb2.ChangeNotifyRequest{FileID: id.Wire(), OutputBufferLength: 4096, CompletionFilter: 1}))
	}
	eventually(t, "every request to be answered or pending", func() bool {
		n := 0
		for _, o := range ops {
			n += min(1, len(o.pending)+len(o.done))
		}
		return n == len(ops)
	})
	refused := 0
	for _, o := range ops {
		refused += len(o.done)
	}
	t.Logf("%d of %d refused", refused, len(ops))
	must(t, "close", request(t, tree, smb2.CommandClose, &smb2.CloseRequest{FileID: id.Wire()}, 1))
	for _, o := range ops {
		if got := o.result(t); got.err != nil {
			t.Fatalf("after the close: %+v", got)
		}
	}
}
