package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// liveClient is a session with a tree on the share "share".
func liveClient(t *testing.T, c *lab.Cluster, user lab.User) (*rawsmb.Session, *rawsmb.Tree) {
	t.Helper()
	conn, err := rawsmb.Dial(t.Context(), c.Proxy.Addr(), rawsmb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	s, err := conn.Login(t.Context(), user.Name, user.Password)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.TreeConnect("share")
	if err != nil {
		t.Fatal(err)
	}
	return s, tree
}

// openLive opens or makes a file, which others may use too.
func openLive(t *testing.T, tree *rawsmb.Tree, name string, edit func(*smb2.CreateRequest)) smb2.FileID {
	t.Helper()
	q := smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: smb2.FileReadData | smb2.FileWriteData,
		ShareAccess: smb2.FileShareRead | smb2.FileShareWrite | smb2.FileShareDelete, CreateDisposition: smb2.FileOpenIf, Name: name,
	}
	if edit != nil {
		edit(&q)
	}
	m, err := tree.Create(q)
	if err != nil {
		t.Fatal(err)
	}
	return m.FileID
}

// statusOf is the status of a request.
func statusOf(t *testing.T, tree *rawsmb.Tree, cmd smb2.Command, body smb2.Body) ntstatus.Status {
	t.Helper()
	m, err := tree.Do(cmd, body)
	if err != nil && m.Bytes == nil {
		t.Fatal(err)
	}
	return m.Header.Status
}

// lockLive is a LOCK of ten bytes.
func lockLive(id smb2.FileID, offset uint64, flags uint32) *smb2.LockRequest {
	return &smb2.LockRequest{FileID: id, Locks: []smb2.LockElement{{Offset: offset, Length: 10, Flags: flags}}}
}

// TestAdminLists: what two clients hold and wait for is listed, as JSON and for people, and closed.
func TestAdminLists(t *testing.T) {
	c := lab.New(t, lab.Options{}).MustCluster(lab.ClusterOptions{Shares: []lab.Share{{Name: "share", Lines: []string{"other writers = no"}}}})
	user := c.Lab.Users()[0]
	sa, a := liveClient(t, c, user)
	_, b := liveClient(t, c, user)

	key := smb2.LeaseKey{1, 2, 3}
	lease := smb2.RequestLease{LeaseKey: key, LeaseState: 7}
	leased := openLive(t, a, "leased.txt", func(q *smb2.CreateRequest) {
		q.RequestedOplockLevel = smb2.OplockLevelLease
		q.CreateContexts = []smb2.CreateContext{{Name: []byte(smb2.CreateRequestLease), Data: lease.Append(nil)}}
		q.ShareAccess = smb2.FileShareRead
	})
	batch := openLive(t, a, "batch.txt", func(q *smb2.CreateRequest) { q.RequestedOplockLevel = smb2.OplockLevelBatch })
	mine, theirs := openLive(t, a, "locked.txt", nil), openLive(t, b, "LOCKED.TXT", nil)
	if st := statusOf(t, a, smb2.CommandLock, lockLive(mine, 100, smb2.LockFlagExclusiveLock|smb2.LockFlagFailImmediately)); st != ntstatus.Success {
		t.Fatal(st)
	}
	waits, err := b.Start(smb2.CommandLock, lockLive(theirs, 105, smb2.LockFlagSharedLock))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := waits.Wait(t.Context()); err != nil || m.Header.Status != ntstatus.Pending {
		t.Fatalf("a lock that must wait: %v, %v", m.Header.Status, err)
	}
	dir := openLive(t, b, "", func(q *smb2.CreateRequest) {
		q.DesiredAccess, q.CreateDisposition, q.CreateOptions = smb2.FileListDirectory, smb2.FileOpen, smb2.FileDirectoryFile
	})
	watch := &smb2.ChangeNotifyRequest{FileID: dir, OutputBufferLength: 4096, CompletionFilter: smb2.FileNotifyChangeFileName, Flags: smb2.ChangeNotifyWatchTree}
	watches, err := b.Start(smb2.CommandChangeNotify, watch)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := watches.Wait(t.Context()); err != nil || m.Header.Status != ntstatus.Pending {
		t.Fatalf("a notification that must wait: %v, %v", m.Header.Status, err)
	}

	rows := map[string]openRow{}
	for _, o := range ask[[]openRow](t, c, "opens") {
		rows[o.ID] = o
	}
	if o := rows[hexID(leased.Volatile)]; o.Oplock != "LEASE(RWH)" || o.DenyMode != "DENY_WRITE" || o.ShareMode != "R" || o.ReadWrite != "RDWR" || o.LeaseKey != "01020300000000000000000000000000" || o.Name != "leased.txt" {
		t.Errorf("leased open: %+v", o)
	}
	if o := rows[hexID(batch.Volatile)]; o.Oplock != "EXCLUSIVE+BATCH" || o.DenyMode != "DENY_NONE" || o.Session != hexID(sa.ID) {
		t.Errorf("open with a batch oplock: %+v", o)
	}
	if o := rows[hexID(mine.Volatile)]; o.Oplock != "NONE" || o.Locks != 1 || o.User != user.Name || o.Client == "" {
		t.Errorf("open with a lock: %+v", o)
	}
	locks := ask[[]lockRow](t, c, "locks")
	if len(locks) != 2 || locks[0].Waiting == locks[1].Waiting {
		t.Fatalf("locks: %+v", locks)
	}
	for _, l := range locks {
		want := lockRow{Open: hexID(mine.Volatile), User: user.Name, Client: l.Client, Share: "share", Name: "locked.txt", Type: "W", Start: 100, Size: 10}
		if l.Waiting {
			want = lockRow{Open: hexID(theirs.Volatile), User: user.Name, Client: l.Client, Share: "share", Name: "LOCKED.TXT", Type: "R", Start: 105, Size: 10, Waiting: true}
		}
		if l != want || l.Client == "" {
			t.Errorf("lock: got %+v, want %+v", l, want)
		}
	}
	leases := ask[[]leaseRow](t, c, "leases")
	if len(leases) != 1 || leases[0].Key != "01020300000000000000000000000000" || leases[0].Caching != "RWH" || leases[0].Name != "leased.txt" || leases[0].User != user.Name || leases[0].Version != 1 || len(leases[0].Opens) != 1 {
		t.Errorf("leases: %+v", leases)
	}
	notifies := ask[[]notifyRow](t, c, "notify")
	if len(notifies) != 1 || notifies[0].Client == "" {
		t.Fatalf("notify: %+v", notifies)
	}
	if want := (notifyRow{Open: hexID(dir.Volatile), User: user.Name, Client: notifies[0].Client, Share: "share", Name: `\`, Filter: "0x00000001", Subtree: true, Requests: 1}); notifies[0] != want {
		t.Errorf("notify: got %+v, want %+v", notifies[0], want)
	}
	if s := ask[statusReply](t, c, "status"); s.Opens != 5 || s.Files != 4 || s.Leases != 1 || s.Waiting != 2 || s.Watches != 1 || s.Disconnected != 0 {
		t.Errorf("status: %+v", s)
	}
	for command, words := range map[string][]string{
		"opens": {"DenyMode", "EXCLUSIVE+BATCH", "LEASE(RWH)", "RDWR", "locked.txt"}, "locks": {"Start", "100", "waits"},
		"leases": {"RWH", "leased.txt"}, "notify": {"Filter", "0x00000001", "yes"}, "status": {"4 files, 1 leases, 1 watched"}, "sessions": {"Username", hexID(sa.ID)},
	} {
		out, err := c.Proxy.Run(t.Context(), command)
		for _, w := range words {
			if err != nil || !strings.Contains(out, w) {
				t.Errorf("%s: %v, no %q in\n%s", command, err, w, out)
			}
		}
	}

	closeLive(t, c, hexID(mine.Volatile), "closed open "+hexID(mine.Volatile))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if m, err := waits.Wait(ctx); err != nil || m.Header.Status != ntstatus.Success {
		t.Errorf("the lock that waited for a closed open's: %v, %v", m.Header.Status, err)
	}
	closeLive(t, c, hexID(dir.Volatile), "closed open")
	if m, err := watches.Wait(ctx); err != nil || m.Header.Status != ntstatus.NotifyCleanup {
		t.Errorf("the notification of a closed directory: %v, %v", m.Header.Status, err)
	}
	closeLive(t, c, "share/Leased.txt", "leased.txt in share share")
	closeLive(t, c, `share\locked.txt`, "closed open "+hexID(theirs.Volatile))
	for tree, id := range map[*rawsmb.Tree]smb2.FileID{a: leased, b: theirs} {
		if st := statusOf(t, tree, smb2.CommandRead, &smb2.ReadRequest{FileID: id, Length: 1}); st != ntstatus.FileClosed {
			t.Errorf("reading from a file that an admin has closed: %v", st)
		}
	}
	if left := ask[[]leaseRow](t, c, "leases"); len(left) != 0 {
		t.Errorf("leases of what is closed: %+v", left)
	}
	closeLive(t, c, hexID(sa.ID), "closed session "+hexID(sa.ID)+" of "+user.Name)
	if st := statusOf(t, a, smb2.CommandRead, &smb2.ReadRequest{FileID: batch, Length: 1}); st != ntstatus.UserSessionDeleted {
		t.Errorf("using a session that an admin has closed: %v", st)
	}
	for what, want := range map[string]string{
		hexID(sa.ID): "there is no session and no open " + hexID(sa.ID), "0x1": "there is no session and no open 0x1", "share/none.txt": `nobody has "none.txt" open in share share`,
		"noshare/x": `there is no share "noshare"`, "batch.txt": "neither an id", "0xnothing": "neither an id", "share/batch.txt": `nobody has "batch.txt" open`,
	} {
		if out, err := c.Proxy.Run(t.Context(), "close", what); err == nil || !strings.Contains(err.Error(), want) || out != "" {
			t.Errorf("close %s: %v, want %q; printed %q", what, err, want, out)
		}
	}
}

// closeLive runs close, which must say want.
func closeLive(t *testing.T, c *lab.Cluster, what, want string) {
	t.Helper()
	out, err := c.Proxy.Run(t.Context(), "close", what)
	if err != nil || !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
		t.Errorf("close %s: %v, got %q, want %q", what, err, out, want)
	}
}

// TestAdminClosesSmbclient closes a file that smbclient has open: its next use fails as with Samba.
func TestAdminClosesSmbclient(t *testing.T) {
	c := lab.New(t, lab.Options{}).MustCluster(lab.ClusterOptions{})
	user := c.Lab.Users()[0]
	binary, err := lab.Binary()
	if err != nil {
		t.Fatal(err)
	}
	listed := filepath.Join(t.TempDir(), "listed")
	run := binary + " --config " + c.Proxy.ConfFile()
	if err := os.WriteFile(filepath.Join(c.Lab.Dir, "up.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := c.Lab.Smbclient(c.Proxy.Addr(), "share", lab.As(user), lab.Input(
		"put up.txt held.txt", "open held.txt", "!"+run+" opens > "+listed, "!"+run+" close share/held.txt", "close 1", "ls held.txt"))
	out, err := os.ReadFile(listed)
	if err != nil || !strings.Contains(string(out), "held.txt") || !strings.Contains(string(out), user.Name) {
		t.Errorf("opens while smbclient has one: %v\n%s\n%v", err, out, r)
	}
	if !strings.Contains(r.Output, "closed open ") || r.Status() != "NT_STATUS_FILE_CLOSED" || !strings.Contains(r.Output, "held.txt ") {
		t.Errorf("%v", r)
	}
	if left := ask[[]openRow](t, c, "opens"); len(left) != 0 {
		t.Errorf("left open: %+v", left)
	}
}
