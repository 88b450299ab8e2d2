package hostile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"smbproxy/demux"
	"smbproxy/demux/backend"
	"smbproxy/internal/lab"
	"smbproxy/internal/rawsmb"
	"smbproxy/session"
	"smbproxy/session/auth"
	"smbproxy/statedb"
)

// patience is how long a test waits for what must come; the machine may be busy.
const patience = 20 * time.Second

// stack is smbproxy in this process: session, demux and demux/backend, and store behind them.
type stack struct {
	store  *store
	server *session.Server
	demux  *demux.Demux
	addr   string
	log    *logBuffer
}

// logBuffer collects what is logged at warn and above.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer. What nobody looks at is cut.
func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() > 1<<20 {
		l.b.Reset()
	}
	return l.b.Write(p)
}

// errors are the lines that say that the product itself is at fault.
func (l *logBuffer) errors() string {
	return errorLines(l.text())
}

// errorLines are the lines of a log that say so, and what a dying Go program says.
func errorLines(log string) string {
	var found []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") || strings.Contains(line, "DATA RACE") {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}

// freePort is a port of 127.11.0.2 that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.11.0.2:0")
	must(t, err)
	defer func() { must(t, ln.Close()) }()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	must(t, err)
	return port
}

// text is all that was logged.
func (l *logBuffer) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newStack starts a stack and ends it with the test, which fails if anything remained or the product
// logged an error.
func newStack(t testing.TB, edit func(*session.Config)) *stack {
	t.Helper()
	before := runtime.NumGoroutine()
	if _, ok := t.(*testing.F); ok {
		before += 10 // the fuzzer's own
	}
	t.Cleanup(func() { goroutines(t, before) }) // runs last
	s := &stack{store: newStore(), log: &logBuffer{}}
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	dir := t.TempDir()

	keytab := filepath.Join(dir, "keytab")
	must(t, backend.GenerateKeytab(keytab, "cifs/store", "LAB.TEST"))
	kerberos, err := auth.New(auth.Config{ServerName: "STORE", Realm: "LAB.TEST", Keytab: keytab, Log: log})
	must(t, err)
	smbd, err := session.NewServer(session.Config{ServerGUID: [16]byte{2}, Authenticator: kerberos, SigningRequired: true, MaxSessions: 10_000, Log: log}, s.store.table(), s.store)
	must(t, err)
	backendAddr := serve(t, smbd)

	pool, err := backend.NewPool(backend.Config{Name: "store", Address: backendAddr, Realm: "LAB.TEST", KeytabFile: keytab, Lanes: 2,
		Lookup: func(name string) (backend.User, error) {
			if !strings.HasPrefix(name, "user") {
				return backend.User{}, user.UnknownUserError(name)
			}
			return backend.User{Name: name, UID: 20001}, nil
		}}, log)
	must(t, err)
	run(t, pool.Run)
	sink := &demux.Sink{}
	state, err := statedb.New(t.Context(), statedb.Config{Node: 1, Sink: sink, Log: log})
	must(t, err)
	run(t, state.Run)
	d, err := demux.New(demux.Config{
		State: state, Sink: sink,
		Shares:   []demux.Share{{Name: "share", Backends: []string{"store"}}, {Name: "other", Backends: []string{"store"}}},
		Backends: map[string]*backend.Pool{"store": pool}, PipeBackend: "store", Log: log,
	})
	must(t, err)
	s.demux = d
	run(t, d.Run)

	passdb := filepath.Join(dir, "smbpasswd")
	var lines strings.Builder
	for i := range 3 {
		fmt.Fprintf(&lines, "user%d:%d:%s:%s:[U          ]:LCT-00000001:\n", i+1, 20001+i, strings.Repeat("X", 32), lab.NTHash(fmt.Sprintf("secret%d", i+1)))
	}
	must(t, os.WriteFile(passdb, []byte(lines.String()), 0o600))
	ntlm, err := auth.New(auth.Config{ServerName: "SMBPROXY", Workgroup: "WORKGROUP", PassdbFile: passdb, Log: log})
	must(t, err)
	cfg := session.Config{ServerGUID: [16]byte{1}, Authenticator: ntlm, SigningRequired: true, Encryption: session.EncryptionEnabled, Log: log}
	if edit != nil {
		edit(&cfg)
	}
	s.server, err = session.NewServer(cfg, d.Table(), d)
	must(t, err)
	s.addr = serve(t, s.server)
	t.Cleanup(func() {
		if errs := s.log.errors(); errs != "" {
			t.Errorf("logged:\n%s", errs)
		}
		for _, f := range s.store.check() {
			t.Errorf("the backend got a %s", f)
		}
	})
	return s
}

// must ends the test with err.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve listens on loopback until the test ends.
func serve(t testing.TB, s *session.Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.11.0.1:0")
	must(t, err)
	run(t, func(ctx context.Context) error { return s.Serve(ctx, ln) })
	return ln.Addr().String()
}

// run runs something until the test ends and sees that it returns then.
func run(t testing.TB, fn func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- fn(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("run: %v", err)
			}
		case <-time.After(patience):
			t.Errorf("does not end:\n%s", stacks())
		}
	})
}

// stacks are all goroutines' stacks.
func stacks() []byte {
	b := make([]byte, 1<<20)
	return b[:runtime.Stack(b, true)]
}

// goroutines waits until there are at most n.
func goroutines(t testing.TB, n int) {
	t.Helper()
	start := time.Now()
	eventually(t, "goroutines return to the baseline", func() error {
		if now := runtime.NumGoroutine(); now > n {
			if time.Since(start) > patience/2 {
				return fmt.Errorf("%d goroutines, want %d:\n%s", now, n, stacks())
			}
			return fmt.Errorf("%d goroutines, want %d", now, n)
		}
		return nil
	})
}

// eventually waits until a condition holds that another goroutine or process brings about.
func eventually(t testing.TB, what string, condition func() error) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for err := condition(); err != nil; err = condition() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: still %v", what, err)
		}
		<-tick.C
	}
}

// heap is what is in use after a collection that also empties the pools.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// quiet waits until the server has no connections and sessions but those given.
func (s *stack) quiet(t testing.TB, connections, sessions int) {
	t.Helper()
	eventually(t, "the server forgets", func() error {
		if c, n := s.server.Counts(); c != connections || n != sessions {
			return fmt.Errorf("%d connections and %d sessions, want %d and %d", c, n, connections, sessions)
		}
		return nil
	})
}

// client logs a user on and connects the share.
func (s *stack) client(t testing.TB, user string, opt rawsmb.Options) *client {
	t.Helper()
	return login(t, s.addr, user, "secret"+user[4:], opt)
}

// negotiated is a connection without a session.
func (s *stack) negotiated(t testing.TB) *rawsmb.Conn {
	t.Helper()
	c, err := rawsmb.Dial(t.Context(), s.addr, rawsmb.Options{})
	must(t, err)
	t.Cleanup(c.Close)
	return c
}
