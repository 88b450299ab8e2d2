package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session/auth"
)

// testAuth is an authenticator of two legs: "user NAME", then "proof NAME". Wrong proofs are refused. The names
// guest and anonymous become what they say.
type testAuth struct {
	blocking bool
	mu       sync.Mutex
	expiry   time.Time
}

func (a *testAuth) InitialToken() []byte { return []byte("hint") }
func (a *testAuth) Blocking() bool       { return a.blocking }
func (a *testAuth) Begin(net.Addr) auth.Exchange {
	return &testExchange{auth: a}
}

type testExchange struct {
	auth *testAuth
	user string
}

func (e *testExchange) Step(_ context.Context, token []byte) ([]byte, *auth.Result, error) {
	kind, name, _ := strings.Cut(string(token), " ")
	switch {
	case kind == "user" && e.user == "":
		e.user = name
		return []byte("challenge"), nil, nil
	case kind == "proof" && name == e.user && name != "stranger":
		e.auth.mu.Lock()
		defer e.auth.mu.Unlock()
		res := &auth.Result{Identity: auth.Identity{User: name}, SessionKey: keyOf(name), Expiry: e.auth.expiry}
		res.Identity.Guest, res.Identity.Anonymous = name == "guest", name == "anonymous"
		return []byte("accepted"), res, nil
	}
	return nil, nil, fmt.Errorf("wrong proof of %q: %w", name, ntstatus.WrongPassword)
}

// keyOf is the session key of a user.
func keyOf(user string) []byte { return fmt.Appendf(nil, "%-16.16s", user) }

// testUpper records what it is told.
type testUpper struct {
	mu     sync.Mutex
	events []string
	signal chan string
}

func (u *testUpper) note(s string) {
	u.mu.Lock()
	u.events = append(u.events, s)
	u.mu.Unlock()
	select {
	case u.signal <- s:
	default:
	}
}

func (u *testUpper) SessionEnds(*Session)         {}
func (u *testUpper) SessionClosed(s *Session)     { u.note("session " + s.Identity().User) }
func (u *testUpper) TreeClosed(t *TreeConnect)    { u.note("tree " + t.Share) }
func (u *testUpper) ConnectionClosed(*Connection) { u.note("connection") }

// await waits for an event.
func (u *testUpper) await(t *testing.T, want string) {
	t.Helper()
	deadline := time.After(timeout)
	for {
		select {
		case got := <-u.signal:
			if got == want {
				return
			}
		case <-deadline:
			t.Fatalf("upper layer never heard %q", want)
		}
	}
}

// testServer is a Server with a table whose files are made up.
type testServer struct {
	*Server
	addr  string
	upper *testUpper
	auth  *testAuth
	logs  *logBuffer

	mu       sync.Mutex
	write    func(*Request) // WRITE; nil: panics
	flush    func(*Request) // FLUSH; nil: into held
	read     func(*Request) // READ; nil: testRead
	observed []string
	held     chan *Request // CREATEs of "wait" and FLUSHes, in the hands of the test
	clock    time.Time
}

// now is the server's clock.
func (ts *testServer) now() time.Time {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.clock
}

// advance moves it.
func (ts *testServer) advance(d time.Duration) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.clock = ts.clock.Add(d)
}

// logBuffer collects log lines.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serve starts a server on loopback; edit changes its configuration.
func serve(t *testing.T, edit func(*Config)) *testServer {
	t.Helper()
	ts := &testServer{
		upper: &testUpper{signal: make(chan string, 100)}, auth: &testAuth{}, logs: &logBuffer{},
		held: make(chan *Request, 100), clock: time.Unix(1e9, 0),
	}
	cfg := Config{
		ServerGUID: [16]byte{9}, Authenticator: ts.auth, MultiChannel: true, Encryption: EncryptionEnabled, Now: ts.now,
		Log: newTestLog(ts.logs),
		Observe: func(cmd smb2.Command, st ntstatus.Status, fault string, _ time.Duration) {
			ts.mu.Lock()
			defer ts.mu.Unlock()
			ts.observed = append(ts.observed, fmt.Sprintf("%v %v %s", cmd, st.Name(), fault))
		},
	}
	if edit != nil {
		edit(&cfg)
	}
	var err error
	if ts.Server, err = NewServer(cfg, ts.table(), ts.upper); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.3.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ts.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- ts.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		for {
			select {
			case r := <-ts.held: // connection loss does not end what a test holds
				r.Fail(ntstatus.Cancelled)
				continue
			case err := <-done:
				if !errors.Is(err, context.Canceled) && !errors.Is(err, errServerClosed) {
					t.Errorf("Serve: %v", err)
				}
			case <-time.After(timeout):
				t.Error("Serve does not return")
			}
			break
		}
		if strings.Contains(ts.logs.String(), "ended twice") || strings.Contains(ts.logs.String(), "panic") && !strings.Contains(t.Name(), "Panic") {
			t.Errorf("log: %s", ts.logs.String())
		}
	})
	return ts
}

// table is the table of commands of the tests.
func (ts *testServer) table() *[commandCount]Command {
	const tree = NeedsSession | NeedsTree
	return &[commandCount]Command{
		smb2.CommandNegotiate:      {Name: "NEGOTIATE", StructureSize: 36, Run: Negotiate},
		smb2.CommandSessionSetup:   {Name: "SESSION_SETUP", StructureSize: 25, Run: SessionSetup},
		smb2.CommandLogoff:         {Name: "LOGOFF", StructureSize: 4, Needs: NeedsSession | AllowExpired, Run: Logoff},
		smb2.CommandTreeConnect:    {Name: "TREE_CONNECT", StructureSize: 9, Needs: NeedsSession, Run: testTreeConnect},
		smb2.CommandTreeDisconnect: {Name: "TREE_DISCONNECT", StructureSize: 4, Needs: tree, Run: TreeDisconnect},
		smb2.CommandCreate:         {Name: "CREATE", StructureSize: 57, Needs: tree, Run: ts.create},
		smb2.CommandClose:          {Name: "CLOSE", StructureSize: 24, Needs: tree | NeedsFile | AllowExpired, FileIDOffset: 72, Run: testClose},
		smb2.CommandFlush:          {Name: "FLUSH", StructureSize: 24, Needs: tree | NeedsFile, FileIDOffset: 72, Run: ts.runFlush},
		smb2.CommandRead:           {Name: "READ", StructureSize: 49, Needs: tree | NeedsFile, FileIDOffset: 80, Run: ts.runRead},
		smb2.CommandWrite:          {Name: "WRITE", StructureSize: 49, Needs: tree | NeedsFile, FileIDOffset: 80, Run: ts.runWrite},
		smb2.CommandCancel:         {Name: "CANCEL", StructureSize: 4, Run: Cancel},
		smb2.CommandEcho:           {Name: "ECHO", StructureSize: 4, Run: Echo},
		smb2.CommandChangeNotify:   {Name: "CHANGE_NOTIFY", StructureSize: 32, Needs: tree | NeedsFile, FileIDOffset: 72, Run: testNotify},
	}
}

// runFlush serves FLUSH.
func (ts *testServer) runFlush(r *Request) {
	ts.mu.Lock()
	fn := ts.flush
	ts.mu.Unlock()
	if fn == nil {
		ts.held <- r
		return
	}
	fn(r)
}

// runRead serves READ.
func (ts *testServer) runRead(r *Request) {
	ts.mu.Lock()
	fn := ts.read
	ts.mu.Unlock()
	if fn == nil {
		fn = testRead
	}
	fn(r)
}

// runWrite serves WRITE: with a panic, unless a test says how.
func (ts *testServer) runWrite(r *Request) {
	ts.mu.Lock()
	fn := ts.write
	ts.mu.Unlock()
	if fn == nil {
		panic("write")
	}
	fn(r)
}

// testTreeConnect connects any share; those that begin with "sealed" want encryption.
func testTreeConnect(r *Request) {
	var m smb2.TreeConnectRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	t, err := r.Session.AddTree(m.Path, strings.HasPrefix(m.Path, "sealed"), nil)
	if err != nil {
		r.FailErr(err)
		return
	}
	r.SetTree(t)
	r.Reply(ntstatus.Success, &smb2.TreeConnectResponse{ShareType: smb2.ShareTypeDisk})
}

// create opens anything but "denied"; "wait" goes pending into the test's hands.
func (ts *testServer) create(r *Request) {
	var m smb2.CreateRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	switch m.Name {
	case "denied":
		r.Fail(ntstatus.AccessDenied)
	case "wait":
		r.Retain()
		r.Pending(func() { ts.upper.note("cancelled create") })
		ts.held <- r
	default:
		testOpen(r)
	}
}

// testOpen ends a CREATE.
func testOpen(r *Request) {
	id := smb2.FileID{Persistent: 7, Volatile: r.Header.MessageID}
	r.SetFileID(id)
	r.Reply(ntstatus.Success, &smb2.CreateResponse{FileID: id})
}

// testClose closes anything but FileId 0xFF..FF.
func testClose(r *Request) {
	r.Reply(ntstatus.Success, &smb2.CloseResponse{})
}

// testRead answers with as many bytes as asked for, which say which open was read.
func testRead(r *Request) {
	n := int(le.Uint32(r.Message()[68:]))
	f := transport.NewFrame(smb2.HeaderSize + 16 + n)
	defer f.Release()
	b := f.Bytes()[:smb2.HeaderSize+16+n]
	clear(b)
	le.PutUint16(b[64:], 17)
	b[66] = 80
	le.PutUint32(b[68:], uint32(n))
	if n > 0 {
		b[80] = byte(r.FileID.Volatile)
	}
	f.SetBytes(b)
	r.ReplyFrame(ntstatus.Success, f)
}

// testNotify waits until it is cancelled.
func testNotify(r *Request) {
	r.Retain()
	r.Pending(func() {
		if r.Closing() {
			r.Reply(ntstatus.NotifyCleanup, &smb2.ChangeNotifyResponse{})
			return
		}
		r.Fail(ntstatus.Cancelled)
	})
}
