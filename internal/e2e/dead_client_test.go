package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// TestDeadClient cuts a client's wire: what it has open is free within the configured time, and what a client has that
// closes its connection is free at once.
func TestDeadClient(t *testing.T) {
	const timeout = 4 * time.Second
	l := lab.New(t, lab.Options{})
	wire, err := l.Network(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := l.MustCluster(lab.ClusterOptions{
		IP:          wire.Host,
		GlobalLines: []string{"keepalive = 1", fmt.Sprintf("dead client timeout = %d", int(timeout.Seconds()))},
		Shares:      []lab.Share{{Name: "share", Lines: []string{"other writers = no"}}},
	})
	holds := func(n int) *writer {
		w := &writer{t: t, addr: c.Proxy.Addr(), user: l.User("user1"), n: n}
		w.connectTo("share")
		if _, err := w.tree.Create(smb2.CreateRequest{Name: "held", ShareAccess: smb2.FileShareDelete}); err != nil {
			t.Fatal(err)
		}
		return w
	}
	if err := wire.Run(func() error { holds(1); return nil }); err != nil {
		t.Fatal(err)
	}
	other := &writer{t: t, addr: c.Proxy.Addr(), user: l.User("user1"), n: 2}
	other.connectTo("share")
	free := func() error { _, err := other.tree.Create(smb2.CreateRequest{Name: "held"}); return err }
	if err := free(); !errors.Is(err, ntstatus.SharingViolation) {
		t.Fatalf("beside a living client: %v", err)
	}
	if err := wire.CutOff(); err != nil {
		t.Fatal(err)
	}
	cut := time.Now()
	if err := lab.WaitFor(10*timeout, free); err != nil {
		t.Fatalf("a dead client's file: %v", err)
	}
	if d := time.Since(cut); d > timeout+time.Second {
		t.Errorf("freed %v after the client vanished, configured are %v", d, timeout)
	} else {
		t.Logf("freed after %v", d)
	}
	other.tree.Conn.Close()
	closes := holds(3)
	other.connectTo("share")
	closes.tree.Conn.Close()
	if err := lab.WaitFor(timeout, free); err != nil {
		t.Errorf("a client that has closed its connection: %v", err)
	}
}

// connectTo logs on and connects a share.
func (w *writer) connectTo(share string) {
	w.t.Helper()
	c, err := rawsmb.Dial(w.t.Context(), w.addr, rawsmb.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	s, err := c.Login(w.t.Context(), w.user.Name, w.user.Password)
	if err != nil {
		w.t.Fatal(err)
	}
	s.Sign = true
	if w.tree, err = s.TreeConnect(share); err != nil {
		w.t.Fatal(err)
	}
}

// TestFullStateDirectory fills the disk of the state directory: new persistent handles are refused, with a line in the
// log, and nothing else is.
func TestFullStateDirectory(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{
		Shares: []lab.Share{{Name: "share", Lines: []string{"other writers = no", "continuous availability = yes"}}},
	})
	if err := c.Proxy.Stop(); err != nil {
		t.Fatal(err)
	}
	dir := c.Proxy.StateDir()
	smallDisk(t, dir)
	t.Cleanup(func() { _ = c.Proxy.Stop() }) // before the disk goes
	if err := c.Proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := &writer{t: t, addr: c.Proxy.Addr(), user: c.Lab.User("user1"), n: 1}
	before.begin()
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 60<<20), 0o600); err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	mark := c.Proxy.LogSize()
	w := &writer{t: t, addr: c.Proxy.Addr(), user: c.Lab.User("user1"), n: 2}
	w.connect()
	q := smb2.DurableHandleRequestV2{Flags: smb2.DurableFlagPersistent, CreateGUID: smb2.GUID(w.guid('O'))}
	persistent := smb2.CreateRequest{
		Name: "new", CreateContexts: []smb2.CreateContext{{Name: []byte(smb2.CreateDurableHandleRequestV2), Data: q.Append(nil)}},
	}
	if _, err := w.tree.Create(persistent); !errors.Is(err, ntstatus.DiskFull) {
		t.Errorf("persistent handle on a full disk: %v", err)
	}
	if log := c.Proxy.LogSince(mark); !strings.Contains(log, "persistent handle refused") {
		t.Errorf("no line in the log")
	}
	other := &writer{t: t, addr: c.Proxy.Addr(), user: c.Lab.User("user2"), n: 3} // a backend session of its own
	other.connect()
	r, err := other.tree.Create(smb2.CreateRequest{Name: "plain"})
	if err != nil {
		t.Fatalf("plain open: %v", err)
	}
	if _, err := other.tree.Do(smb2.CommandWrite, &smb2.WriteRequest{FileID: r.FileID, Data: []byte("x")}); err != nil {
		t.Errorf("write: %v", err)
	}
	if _, err := before.tree.Do(smb2.CommandWrite, &smb2.WriteRequest{FileID: before.id, Data: []byte("x")}); err != nil {
		t.Errorf("write through a persistent handle of before: %v", err)
	}
	fillUp(t, filler)
	if _, err := other.tree.Create(smb2.CreateRequest{Name: "plain"}); err != nil {
		t.Errorf("plain open without a byte left: %v", err)
	}
	if err := os.Truncate(filler, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tree.Create(persistent); err != nil {
		t.Errorf("persistent handle when there is room again: %v", err)
	}
	fillUp(t, filler)
	if err := c.Proxy.Stop(); err != nil { // does not die of it either
		t.Error(err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := c.Proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	before.reclaim()
}

// fillUp leaves nothing of the disk that path is on.
func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Write(make([]byte, 100<<20)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("filling the disk: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// smallDisk puts a disk of 100 MB in the place of a directory, with what was in it.
func smallDisk(t *testing.T, dir string) {
	t.Helper()
	st, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	owner := st.Sys().(*syscall.Stat_t)
	keep := t.TempDir()
	if err := os.CopyFS(keep, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=100m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	if err := os.CopyFS(dir, os.DirFS(keep)); err != nil {
		t.Fatal(err)
	}
	err = filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.IsDir() {
			err = os.Chmod(path, 0o700)
		} else if err == nil {
			err = os.Chmod(path, 0o600)
		}
		return errors.Join(err, os.Chown(path, int(owner.Uid), int(owner.Gid)))
	})
	if err != nil {
		t.Fatal(err)
	}
}
