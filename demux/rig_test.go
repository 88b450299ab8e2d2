package demux

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os/user"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"smbproxy/acl"
	"smbproxy/demux/backend"
	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
	"smbproxy/session"
	"smbproxy/session/auth"
	"smbproxy/statedb"
)

// rig is clients' side, demux and backends in this process, and real smbd behind it.
type rig struct {
	lab    *lab.Lab
	smbd   []*lab.Samba
	pools  map[string]*backend.Pool
	demux  *Demux
	server *session.Server
	addr   string
	state  *statedb.Owner
	config Config
}

// rigOptions say how a rig differs from one smbd with the shares "share" and "other".
type rigOptions struct {
	backends  int // that all export the same directories; 0: one
	session   func(*session.Config)
	demux     func(*Config)
	lanes     int
	downAfter time.Duration
	quiet     bool // no log: benchmarks
}

// newRig starts everything and ends it with the test.
func newRig(t testing.TB, opt rigOptions) *rig {
	t.Helper()
	r := &rig{lab: lab.New(t, lab.Options{PlainTree: true}), pools: map[string]*backend.Pool{}}
	log := slog.New(slog.DiscardHandler)
	if !opt.quiet {
		log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	for i := range max(1, opt.backends) {
		r.startBackend(t, fmt.Sprintf("b%d", i+1), opt, log)
	}
	r.config = Config{
		Shares: []Share{
			{Name: "share", Backends: []string{"b1"}},
			{Name: "other", Backends: []string{"b1"}},
			{Name: "written", Backends: []string{"b1"}, BackendShare: "share", OtherWriters: true},
			{Name: "readonly", Backends: []string{"b1"}, BackendShare: "share", Policy: acl.Policy{ReadOnly: true}},
			{Name: "sealed", Backends: []string{"b1"}, BackendShare: "share", Encrypt: EncryptionRequired},
			{Name: "private", Backends: []string{"b1"}, BackendShare: "share", Policy: acl.Policy{ValidUsers: mustUsers(t, "user1", "+project")}},
			{Name: "far", Backends: []string{"b1"}, BackendShare: "share", Policy: acl.Policy{HostsAllow: mustHosts(t, "192.0.2.1"), HostsDeny: mustHosts(t, "ALL")}},
			{Name: "second", Backends: []string{fmt.Sprintf("b%d", max(1, opt.backends))}, BackendShare: "other"},
			{Name: "gone", Backends: []string{"b1"}, BackendShare: "nosuchshare"},
		},
		Backends: r.pools, PipeBackend: "b1", Lookup: labLookup{r.lab}, Log: log,
	}
	if opt.demux != nil {
		opt.demux(&r.config)
	}
	var err error
	r.config.Sink = &Sink{}
	state, err := statedb.New(t.Context(), statedb.Config{Node: 7, Sink: r.config.Sink, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	run(t, state.Run)
	r.config.State, r.state = state, state
	if r.demux, err = New(r.config); err != nil {
		t.Fatal(err)
	}
	run(t, r.demux.Run)
	r.serve(t, opt, log)
	return r
}

// startBackend starts an smbd that takes tickets only, and a pool for it.
func (r *rig) startBackend(t testing.TB, name string, opt rigOptions, log *slog.Logger) {
	t.Helper()
	const realm = "LAB.TEST"
	keytab := filepath.Join(t.TempDir(), name+".keytab")
	if err := backend.GenerateKeytab(keytab, "cifs/"+name, realm); err != nil {
		t.Fatal(err)
	}
	smbd := r.lab.MustSamba(lab.SambaOptions{Name: name, Conf: func(d lab.Dirs) string {
		return r.lab.DirectConf("share", "other")(d) + "[global]\n\tsecurity = user\n\trealm = " + realm +
			"\n\tkerberos method = dedicated keytab\n\tdedicated keytab file = FILE:" + keytab +
			"\n\tntlm auth = disabled\n\tserver signing = mandatory\n\tserver min protocol = SMB3_11\n\trestrict anonymous = 2\n"
	}})
	r.smbd = append(r.smbd, smbd)
	pool, err := backend.NewPool(backend.Config{
		Name: name, Address: smbd.Addr(), Realm: realm, KeytabFile: keytab, Lanes: max(1, opt.lanes),
		SuspectAfter: opt.downAfter / 2, DownAfter: opt.downAfter, // 0: the defaults
		Lookup: func(name string) (backend.User, error) {
			for _, u := range r.lab.Users() {
				if u.Name == name {
					return backend.User{Name: u.Name, UID: u.UID}, nil
				}
			}
			return backend.User{}, user.UnknownUserError(name)
		},
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	run(t, pool.Run)
	r.pools[name] = pool
}

// serve starts the clients' side on loopback.
func (r *rig) serve(t testing.TB, opt rigOptions, log *slog.Logger) {
	t.Helper()
	a, err := auth.New(auth.Config{ServerName: "SMBPROXY", Workgroup: "WORKGROUP", PassdbFile: r.lab.PassdbFile(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	cfg := session.Config{ServerGUID: [16]byte{1, 2, 3}, Authenticator: a, Encryption: session.EncryptionEnabled, Log: log}
	if opt.session != nil {
		opt.session(&cfg)
	}
	if r.server, err = session.NewServer(cfg, r.demux.Table(), r.demux); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.6.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	run(t, func(ctx context.Context) error { return r.server.Serve(ctx, ln) })
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
			if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, net.ErrClosed) {
				t.Errorf("run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("does not end")
		}
	})
}

// labLookup knows the lab's groups.
type labLookup struct{ lab *lab.Lab }

func (l labLookup) Member(_ context.Context, user, group string) (bool, error) {
	return slices.Contains(l.lab.User(user).Groups, group), nil
}
func (labLookup) HostNames(context.Context, netip.Addr) []string { return nil }

func mustUsers(t testing.TB, words ...string) acl.Users {
	t.Helper()
	u, err := acl.ParseUsers(words)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func mustHosts(t testing.TB, words ...string) acl.Hosts {
	t.Helper()
	h, err := acl.ParseHosts(words)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// client is one session of a client that sends what a test says.
type client struct {
	t testing.TB
	*rawsmb.Session
	tree uint32
}

// login connects as a user of the lab.
func (r *rig) login(t testing.TB, user string, opt rawsmb.Options) *client {
	t.Helper()
	c, err := rawsmb.Dial(t.Context(), r.addr, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s, err := c.Login(t.Context(), user, r.lab.User(user).Password)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, Session: s}
}

// connect is login and a tree connect.
func (r *rig) connect(t testing.TB, user, share string) *client {
	t.Helper()
	c := r.login(t, user, rawsmb.Options{})
	if st := c.treeConnect(share); st != ntstatus.Success {
		t.Fatalf("tree connect to %s as %s: %v", share, user, st)
	}
	return c
}

// call sends one request on the tree and returns the reply's status and message.
func (c *client) call(cmd smb2.Command, body smb2.Body) (ntstatus.Status, []byte) {
	c.t.Helper()
	m, err := c.Do(smb2.Header{Command: cmd, TreeID: c.tree, CreditCharge: 2}, body)
	if err != nil && m.Bytes == nil {
		c.t.Fatalf("%v: %v", cmd, err)
	}
	return m.Header.Status, m.Bytes
}

// must is call that has to succeed; into, if not nil, is decoded.
func (c *client) must(cmd smb2.Command, body smb2.Body, into smb2.Message) {
	c.t.Helper()
	st, msg := c.call(cmd, body)
	if st != ntstatus.Success {
		c.t.Fatalf("%v %+v: %v", cmd, body, st)
	}
	if into != nil {
		if err := into.Decode(msg); err != nil {
			c.t.Fatalf("%v: %v", cmd, err)
		}
	}
}

// treeConnect makes share the client's tree.
func (c *client) treeConnect(share string) ntstatus.Status {
	c.t.Helper()
	sign := c.Sign
	c.Sign = true // 3.1.1 demands it of this one
	defer func() { c.Sign = sign }()
	m, err := c.Do(smb2.Header{Command: smb2.CommandTreeConnect}, &smb2.TreeConnectRequest{Path: `\\smbproxy\` + share})
	if err != nil && m.Bytes == nil {
		c.t.Fatal(err)
	}
	if m.Header.Status == ntstatus.Success {
		c.tree = m.Header.TreeID
	}
	return m.Header.Status
}

// allAccess is all the access that a test needs.
const allAccess = smb2.AccessMask(0x001F01FF)

// create opens or makes a file.
func (c *client) create(name string, access smb2.AccessMask, d smb2.CreateDisposition, o smb2.CreateOptions) (smb2.CreateResponse, ntstatus.Status) {
	c.t.Helper()
	st, msg := c.call(smb2.CommandCreate, &smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: access, ShareAccess: shareAll,
		CreateDisposition: d, CreateOptions: o, Name: name, RequestedOplockLevel: smb2.OplockLevelNone,
	})
	var m smb2.CreateResponse
	if st == ntstatus.Success {
		if err := m.Decode(msg); err != nil {
			c.t.Fatal(err)
		}
	}
	return m, st
}

// file makes a file with contents and leaves it open.
func (c *client) file(name string, data []byte) smb2.FileID {
	c.t.Helper()
	m, st := c.create(name, allAccess, smb2.FileOverwriteIf, 0)
	if st != ntstatus.Success {
		c.t.Fatalf("create %q: %v", name, st)
	}
	if data != nil {
		c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: m.FileID, Data: data}, nil)
	}
	return m.FileID
}

// read reads from the start of a file.
func (c *client) read(id smb2.FileID, n uint32) []byte {
	c.t.Helper()
	var m smb2.ReadResponse
	c.must(smb2.CommandRead, &smb2.ReadRequest{FileID: id, Length: n}, &m)
	return m.Data
}

// close closes a file.
func (c *client) close(id smb2.FileID) ntstatus.Status {
	c.t.Helper()
	st, _ := c.call(smb2.CommandClose, &smb2.CloseRequest{FileID: id})
	return st
}

// ioctl sends an FSCTL.
func (c *client) ioctl(id smb2.FileID, code smb2.FsctlCode, in []byte) (ntstatus.Status, []byte) {
	c.t.Helper()
	st, msg := c.call(smb2.CommandIoctl, &smb2.IoctlRequest{CtlCode: code, FileID: id, Input: in, MaxOutputResponse: 4096, Flags: smb2.IoctlIsFsctl})
	var m smb2.IoctlResponse
	if m.Decode(msg) != nil {
		return st, nil
	}
	if m.FileID != id {
		c.t.Errorf("FSCTL %v answered for file %v, want %v", code, m.FileID, id)
	}
	return st, m.Output
}

// dialTCP connects a socket that the test closes.
func dialTCP(t testing.TB, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

// eventually waits until a condition holds that another process or goroutine brings about.
func eventually(t testing.TB, what string, condition func() error) {
	t.Helper()
	if err := lab.WaitFor(20*time.Second, condition); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
