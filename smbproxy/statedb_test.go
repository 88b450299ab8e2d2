package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/statedb"
	"smbproxy/statedb/core"
	"smbproxy/statedb/store"
)

// stateRig is the configuration of a stopped smbproxy.
type stateRig struct {
	t      *testing.T
	state  string // the state directory
	config string
	socket string
}

func newStateRig(t *testing.T) *stateRig {
	t.Helper()
	dir := t.TempDir()
	r := &stateRig{t: t, state: filepath.Join(dir, "state"), config: filepath.Join(dir, "conf"), socket: filepath.Join(dir, "sock")}
	if err := os.Mkdir(r.state, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("[global]\nstate directory = %s\nadmin socket = %s\n", r.state, r.socket)
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// store opens the store, for fn.
func (r *stateRig) store(fn func(s store.Store) error) {
	r.t.Helper()
	b, err := store.OpenBadger(store.Config{Dir: stateDatabase(r.state)})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := fn(b); err != nil {
		r.t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// noSink is for opens that nobody is in the way of.
type noSink struct{}

func (noSink) BreakOplock(core.BreakOplock) {}
func (noSink) BreakLease(core.BreakLease)   {}
func (noSink) Closed(core.Closed)           {}

// handles makes persistent handles as a node does.
func (r *stateRig) handles(n int) {
	r.t.Helper()
	r.store(func(s store.Store) error {
		o, err := statedb.New(r.t.Context(), statedb.Config{Node: 1, Store: s, Sink: noSink{}})
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(r.t.Context())
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		for i := range n {
			id := uint64(i + 1)
			c := &core.Open{
				Req: o.NewRequestID(), ID: o.NewOpenID(), Session: 1, Client: core.GUID{1}, User: "user1", File: core.FileKey{Volume: 1, ID: id},
				Name: core.Name{Volume: 1, Path: fmt.Sprintf(`DIR\F%d`, id)}, Access: smb2.FileReadData | smb2.FileWriteData, Share: smb2.FileShareRead,
				Oplock: smb2.OplockLevelBatch, Durable: &core.DurableRequest{V2: true, Persistent: true, Create: core.GUID{byte(id)}, Timeout: time.Minute},
			}
			if x := o.Do(r.t.Context(), c, nil); x.Status != 0 {
				r.t.Fatal(x.Status)
			}
			lock := &core.Lock{Req: o.NewRequestID(), Open: c.ID, Locks: []smb2.LockElement{{Offset: 7, Length: 8, Flags: core.LockExclusive}}}
			if x := o.Do(r.t.Context(), lock, nil); x.Status != 0 {
				r.t.Fatal(x.Status)
			}
		}
		stop()
		if err := <-done; err != nil {
			return err
		}
		return statedb.AddFences(r.t.Context(), s, statedb.Fence{Backend: "b1", User: "user1", SessionID: 0x77})
	})
}

// run runs a subcommand of statedb.
func (r *stateRig) run(args ...string) (status int, out, stderr string) {
	r.t.Helper()
	return runCommand(r.t, append([]string{"-c", r.config, "statedb"}, args...)...)
}

// must runs one that has to succeed.
func (r *stateRig) must(args ...string) string {
	r.t.Helper()
	status, out, stderr := r.run(args...)
	if status != 0 {
		r.t.Fatalf("%v: status %d, %s", args, status, stderr)
	}
	return out
}

// refused runs one that has to fail and say why.
func (r *stateRig) refused(why string, args ...string) string {
	r.t.Helper()
	status, out, stderr := r.run(args...)
	if status != 1 || !strings.Contains(stderr, why) {
		r.t.Errorf("%v: status %d, %q, want %q", args, status, stderr, why)
	}
	return out
}

// TestStatedb takes a stopped smbproxy's database through its life.
func TestStatedb(t *testing.T) {
	r := newStateRig(t)
	for _, command := range []string{"list", "check", "backup"} {
		args := []string{command}
		if command == "backup" {
			args = append(args, filepath.Join(r.state, "x"))
		}
		r.refused("there is no state database in "+stateDatabase(r.state), args...)
	}
	r.handles(3)
	var list stateList
	if err := json.Unmarshal([]byte(r.must("list", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Opens) != 3 || list.Opens[0].Name != `DIR\F1` || list.Opens[0].Oplock != "EXCLUSIVE+BATCH" || list.Opens[0].DenyMode != "DENY_WRITE" ||
		len(list.Opens[0].Locks) != 1 || list.Opens[0].Locks[0] != (handleLockRow{"W", 7, 8}) || len(list.Fences) != 1 || list.Fences[0].Session != "0x77" {
		t.Errorf("list: %+v", list)
	}
	text := r.must("list")
	if !strings.Contains(text, `DIR\F3`) || !strings.Contains(text, "Session to be fenced") {
		t.Errorf("list:\n%s", text)
	}
	r.must("check")

	backup := filepath.Join(filepath.Dir(r.config), "backup")
	r.must("backup", backup)
	if st, err := os.Stat(backup); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("backup: %v, %v", st, err)
	}
	r.refused("exists", "backup", backup)
	r.refused("never written over", "restore", backup)
	if got := r.must("list", "--from", backup); got != text {
		t.Errorf("the backup:\n%s\nwant\n%s", got, text)
	}
	r.moveAway(1)
	r.must("restore", backup)
	if got := r.must("list"); got != text {
		t.Errorf("restored:\n%s\nwant\n%s", got, text)
	}
	r.handles(0) // a node starts with it

	// Half a backup, and one of something else.
	whole, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	half := backup + ".half"
	if err := os.WriteFile(half, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	r.moveAway(2)
	r.refused("damaged or cut short", "restore", half)
	r.refused("not a backup", "restore", r.config)
	if entries, err := os.ReadDir(r.state); err != nil || len(entries) != 2 {
		t.Errorf("refused restores left %v, %v", entries, err)
	}
	if err := os.Mkdir(stateDatabase(r.state), 0o700); err != nil { // empty: nothing to lose
		t.Fatal(err)
	}
	r.must("restore", backup)
	r.must("check")
}

// moveAway is what an admin does before a restore.
func (r *stateRig) moveAway(n int) {
	r.t.Helper()
	if err := os.Rename(stateDatabase(r.state), fmt.Sprintf("%s.old%d", stateDatabase(r.state), n)); err != nil {
		r.t.Fatal(err)
	}
}

// TestStatedbFaults: a record that cannot be right is found, keeps a node from starting, and can be left out.
func TestStatedbFaults(t *testing.T) {
	r := newStateRig(t)
	r.handles(2)
	r.store(func(s store.Store) error {
		_, _, err := s.Txn(t.Context(), nil, []store.Op{{Key: "open/0010000000000009", Value: []byte(`{"v":99}`)}, {Key: "stray", Value: nil}})
		return err
	})
	out := r.refused("2 records cannot be right, 3 are", "check")
	if out != "\"open/0010000000000009\": version 99, this release reads up to 1\n\"stray\": this release has no such records\n" {
		t.Errorf("check:\n%s", out)
	}
	var faults []statedb.Fault
	if err := json.Unmarshal([]byte(r.refused("2 records", "check", "--json")), &faults); err != nil || len(faults) != 2 || faults[1].Key != "stray" {
		t.Errorf("%+v, %v", faults, err)
	}
	if out := r.refused("2 records are left out", "list"); !strings.Contains(out, `DIR\F2`) {
		t.Errorf("list:\n%s", out)
	}
	r.store(func(s store.Store) error {
		if _, err := statedb.New(t.Context(), statedb.Config{Node: 1, Store: s, Sink: noSink{}}); err == nil {
			t.Error("a node starts with it")
		}
		return nil
	})
	backup := filepath.Join(filepath.Dir(r.config), "backup")
	r.must("backup", backup)
	r.moveAway(1)
	r.refused("2 records of the backup cannot be right", "restore", backup)
	r.must("restore", "--skip-faulty", backup)
	r.must("check")
	r.handles(0)
}

// TestStatedbInUse: a database that another process has open is asked for there, and never restored over.
func TestStatedbInUse(t *testing.T) {
	r := newStateRig(t)
	r.handles(1)
	backup := filepath.Join(filepath.Dir(r.config), "backup")
	r.must("backup", backup)
	r.store(func(store.Store) error {
		r.refused("another process has the state database open: no smbproxy is running at "+r.socket, "list")
		return nil
	})
	ln, err := net.Listen("unix", r.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r.moveAway(1)
	r.refused("smbproxy is running", "restore", backup)
	if os.Geteuid() == 0 {
		if err := os.Chown(r.state, 4711, 4711); err != nil {
			t.Fatal(err)
		}
		if err := ours(r.state); err == nil || !strings.Contains(err.Error(), "runuser -u 4711") {
			t.Errorf("another user's directory: %v", err)
		}
	}
}

// TestStatedbLive asks a running smbproxy that has a client with a persistent handle, then looks at what it leaves when
// it is killed, and closes the handle that nobody comes back for.
func TestStatedbLive(t *testing.T) {
	c := lab.New(t, lab.Options{}).MustCluster(lab.ClusterOptions{Shares: []lab.Share{{Name: "share", Lines: []string{"other writers = no", "continuous availability = yes"}}}})
	_, tree := liveClient(t, c, c.Lab.Users()[0])
	id := openLive(t, tree, "Kept.txt", func(q *smb2.CreateRequest) {
		persistent := smb2.DurableHandleRequestV2{Flags: smb2.DurableFlagPersistent, Timeout: 60000, CreateGUID: smb2.GUID{7}}
		q.CreateContexts = []smb2.CreateContext{{Name: []byte(smb2.CreateDurableHandleRequestV2), Data: persistent.Append(nil)}}
		q.ShareAccess = smb2.FileShareRead
	})
	if st := statusOf(t, tree, smb2.CommandLock, lockLive(id, 40, smb2.LockFlagExclusiveLock|smb2.LockFlagFailImmediately)); st != ntstatus.Success {
		t.Fatal(st)
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := c.Proxy.Run(t.Context(), args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	listed := func(when string) {
		t.Helper()
		var list stateList
		if err := json.Unmarshal([]byte(run("statedb", "list", "--json")), &list); err != nil || list.FirstOpenID == "0x0" {
			t.Fatalf("%s: %+v, %v", when, list, err)
		}
		if len(list.Opens) != 1 || list.Opens[0].ID != hexID(id.Persistent) || list.Opens[0].DenyMode != "DENY_WRITE" || len(list.Opens[0].Locks) != 1 || len(list.Fences) == 0 {
			t.Errorf("%s: %+v", when, list)
		}
		run("statedb", "check")
	}
	listed("running")
	backup := filepath.Join(c.Proxy.Dir, "backup")
	run("statedb", "backup", backup)
	if _, err := c.Proxy.Run(t.Context(), "statedb", "restore", backup); err == nil || !strings.Contains(err.Error(), "smbproxy is running") {
		t.Errorf("restore while it runs: %v", err)
	}
	if err := c.Proxy.Kill(); err != nil {
		t.Fatal(err)
	}
	listed("killed")
	if err := c.Proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	opens := ask[[]openRow](t, c, "opens")
	if len(opens) != 1 || opens[0].Name != "Kept.txt" || opens[0].Share != "share" || opens[0].Durable != "persistent" || opens[0].Session != "" || opens[0].Locks != 1 {
		t.Errorf("opens after the restart: %+v", opens)
	}
	closeLive(t, c, "share/kept.txt", "(disconnected): Kept.txt in share share")
	_, tree = liveClient(t, c, c.Lab.Users()[0])
	openLive(t, tree, "Kept.txt", nil) // nobody is in the way any more
	run("statedb", "check")
	if out := run("statedb", "list"); strings.Contains(out, hexID(id.Persistent)) {
		t.Errorf("the closed handle is still stored:\n%s", out)
	}
}
