package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"testing"
	"time"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// rig is a real smbd with a keytab, and what a pool for it needs.
type rig struct {
	lab    *lab.Lab
	smbd   *lab.Samba
	keytab string
}

// newRig starts an smbd that takes tickets only; global are more lines for it.
func newRig(t testing.TB, global string) *rig {
	t.Helper()
	l := lab.New(t, lab.Options{PlainTree: true})
	r := &rig{lab: l, keytab: filepath.Join(t.TempDir(), "b1.keytab")}
	if err := GenerateKeytab(r.keytab, testSPN, testRealm); err != nil {
		t.Fatal(err)
	}
	r.smbd = l.MustSamba(lab.SambaOptions{Name: "b1", Conf: func(d lab.Dirs) string {
		return l.DirectConf("share", "other")(d) + r.global(global)
	}})
	return r
}

// global is the part of a backend's smb.conf that has to do with us.
func (r *rig) global(more string) string {
	return `[global]
	security = user
	realm = ` + testRealm + `
	kerberos method = dedicated keytab
	dedicated keytab file = FILE:` + r.keytab + `
	ntlm auth = disabled
	server signing = mandatory
	server min protocol = SMB3_11
	restrict anonymous = 2
	deadtime = 0
` + more
}

// config is a pool's configuration for the rig.
func (r *rig) config() Config {
	return Config{Name: "b1", Address: r.smbd.Addr(), Realm: testRealm, KeytabFile: r.keytab, Lanes: 1, MaxLanes: 1, Lookup: r.lookup}
}

// lookup is the lab's passwd database: the test itself sees the host's.
func (r *rig) lookup(name string) (User, error) {
	for _, u := range append(r.lab.Users(), lab.User{Name: "root"}, lab.User{Name: "ghost", UID: 20099}) {
		if u.Name == name {
			return User{Name: u.Name, UID: u.UID}, nil
		}
	}
	return User{}, user.UnknownUserError(name)
}

// startPool runs a pool until the test ends.
func startPool(t testing.TB, cfg Config) *Pool {
	t.Helper()
	p, err := NewPool(cfg, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Run does not return")
		}
	})
	return p
}

// mustConnect connects and releases at the test's end.
func mustConnect(t testing.TB, p *Pool, user, share string, affinity uint64) *Tree {
	t.Helper()
	tree, err := p.Connect(t.Context(), user, share, affinity)
	if err != nil {
		t.Fatalf("connect as %s: %v", user, err)
	}
	t.Cleanup(tree.Release)
	return tree
}

// create opens or makes a file.
func create(t testing.TB, tree *Tree, name string, access smb2.AccessMask, disposition smb2.CreateDisposition) (FileID, ntstatus.Status) {
	t.Helper()
	h, reply, err := tree.Do(t.Context(), smb2.CommandCreate, &smb2.CreateRequest{
		ImpersonationLevel: 2, DesiredAccess: access, ShareAccess: 7, CreateDisposition: disposition, Name: name,
	}, 1)
	if err != nil {
		t.Fatalf("create %q: %v", name, err)
	}
	defer reply.Release()
	if h.Status != ntstatus.Success {
		return FileID{}, h.Status
	}
	var resp smb2.CreateResponse
	if err := resp.Decode(reply.Bytes()); err != nil {
		t.Fatal(err)
	}
	return FileIDOf(resp.FileID), h.Status
}

// must fails the test unless st is success.
func must(t testing.TB, what string, st ntstatus.Status) {
	t.Helper()
	if st != ntstatus.Success {
		t.Fatalf("%s: %v", what, st)
	}
}

// request runs one request and returns its status.
func request(t testing.TB, tree *Tree, cmd smb2.Command, body smb2.Body, charge uint16) ntstatus.Status {
	t.Helper()
	h, reply, err := tree.Do(t.Context(), cmd, body, charge)
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	reply.Release()
	return h.Status
}

// eventually waits for a condition that other goroutines or processes make true.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	err := lab.WaitFor(30*time.Second, func() error {
		if !condition() {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// path is where a file of the share lies.
func (r *rig) path(name string) string { return filepath.Join(r.lab.Tree.Dir, "share", name) }

// mkdir makes a directory in the share with owner, group and mode.
func (r *rig) mkdir(t testing.TB, name string, uid, gid int, mode os.FileMode) {
	t.Helper()
	dir := r.path(name)
	for _, err := range []error{os.Mkdir(dir, 0o700), os.Chown(dir, uid, gid), os.Chmod(dir, mode)} {
		if err != nil {
			t.Fatal(fmt.Errorf("mkdir %s: %w", name, err))
		}
	}
}
