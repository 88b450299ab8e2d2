package demux

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"smbproxy/demux/backend"
	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// lanesOf are the processes of an smbd that serve a connection.
func lanesOf(t testing.TB, s *lab.Samba) (pids []int) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, stat := range dirs {
		b, err := os.ReadFile(stat)
		if err != nil {
			continue
		}
		_, rest, ok := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest)
		if !ok || len(fields) < 2 || fields[1] != strconv.Itoa(s.Pid()) {
			continue
		}
		title, _ := os.ReadFile(filepath.Join(filepath.Dir(stat), "cmdline"))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if !bytes.Contains(title, []byte("notifyd")) && !bytes.Contains(title, []byte("cleanupd")) && !bytes.Contains(title, []byte("lpqd")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killLanes ends every process of an smbd that serves a connection, as kill -9 does.
func killLanes(t testing.TB, s *lab.Samba) {
	t.Helper()
	pids := lanesOf(t, s)
	if len(pids) == 0 {
		t.Fatal("no lane to kill")
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
}

// bothShare is a share of two backends.
func bothShare(c *Config) {
	c.Shares = append(c.Shares, Share{Name: "both", Backends: []string{"b1", "b2"}, BackendShare: "share"})
	c.FailoverTimeout = 20 * time.Second
}

// rename is a SET_INFO that renames.
func renaming(id smb2.FileID, to string) *smb2.SetInfoRequest {
	return &smb2.SetInfoRequest{InfoType: smb2.InfoFile, FileInfoClass: smb2.FileRenameInformation, FileID: id, Buffer: (&smb2.FileRenameInfo{FileName: to}).Append(nil)}
}

// TestLaneDies kills the smbd process of a lane under open files: no request fails, and what is locked stays so.
func TestLaneDies(t *testing.T) {
	r := newRig(t, rigOptions{})
	c, other := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
	id := c.file("f", []byte("data"))
	lock := &smb2.LockRequest{FileID: id, Locks: []smb2.LockElement{{Length: 1, Flags: smb2.LockFlagExclusiveLock | smb2.LockFlagFailImmediately}}}
	c.must(smb2.CommandLock, lock, nil)
	killLanes(t, r.smbd[0])
	if got := c.read(id, 4); string(got) != "data" {
		t.Errorf("read %q", got)
	}
	killLanes(t, r.smbd[0])
	c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Offset: 4, Data: []byte("more")}, nil)
	m, st := other.create("f", allAccess, smb2.FileOpen, 0)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	if st, _ := other.call(smb2.CommandRead, &smb2.ReadRequest{FileID: m.FileID, Length: 4}); st != ntstatus.FileLockConflict {
		t.Errorf("READ of a range locked before: %v", st)
	}
	killLanes(t, r.smbd[0])
	c.must(smb2.CommandSetInfo, renaming(id, "g"), nil)
	killLanes(t, r.smbd[0])
	if got := c.read(id, 8); string(got) != "datamore" {
		t.Errorf("read %q", got)
	}
	killLanes(t, r.smbd[0])
	if st := c.close(id); st != ntstatus.Success {
		t.Errorf("CLOSE: %v", st)
	}
	if got, err := os.ReadFile(filepath.Join(r.lab.Tree.Dir, "share", "g")); err != nil || string(got) != "datamore" {
		t.Errorf("the file holds %q, %v", got, err)
	}
}

// TestBackendDies kills one of two smbd under the open files of a share that both serve, and the second when the first
// is back: what has no backend left waits.
func TestBackendDies(t *testing.T) {
	r := newRig(t, rigOptions{backends: 2, demux: bothShare})
	c := r.connect(t, "user1", "both")
	var ids []smb2.FileID
	for i := range 8 {
		ids = append(ids, c.file(fmt.Sprintf("f%d", i), []byte{byte(i)}))
	}
	if err := r.smbd[0].Kill(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i, id := range ids {
		if got := c.read(id, 9); !bytes.Equal(got, []byte{byte(i)}) {
			t.Errorf("f%d holds %x", i, got)
		}
		c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Data: []byte{byte(i), 1}}, nil)
	}
	if pause := time.Since(began); pause > time.Second {
		t.Errorf("a killed backend is noticed for %v, want less than a second", pause)
	}
	for _, o := range r.demux.Opens() {
		if o.Backend != "b2" {
			t.Errorf("%s is open at %s", o.Path, o.Backend)
		}
	}
	if err := r.smbd[1].Kill(); err != nil {
		t.Fatal(err)
	}
	read := c.start(smb2.CommandRead, &smb2.ReadRequest{FileID: ids[0], Length: 9})
	made := c.start(smb2.CommandCreate, &smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: allAccess, ShareAccess: shareAll, CreateDisposition: smb2.FileCreate, Name: "new",
	})
	for _, p := range []*rawsmb.Pending{read, made} {
		if st := c.wait(p).Header.Status; st != ntstatus.Pending {
			t.Errorf("request with no backend left: %v", st)
		}
	}
	if err := r.smbd[0].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m := c.wait(read); m.Header.Status != ntstatus.Success {
		t.Errorf("READ: %v", m.Header.Status)
	}
	if m := c.wait(made); m.Header.Status != ntstatus.Success {
		t.Errorf("CREATE: %v", m.Header.Status)
	}
	for i, id := range ids {
		if st := c.close(id); st != ntstatus.Success {
			t.Errorf("CLOSE of f%d: %v", i, st)
		}
	}
}

// TestNoBackendLeft lets the time pass in which a backend could come back.
func TestNoBackendLeft(t *testing.T) {
	r := newRig(t, rigOptions{demux: func(c *Config) { c.FailoverTimeout = 200 * time.Millisecond }})
	c := r.connect(t, "user1", "share")
	id := c.file("f", []byte("data"))
	if err := r.smbd[0].Kill(); err != nil {
		t.Fatal(err)
	}
	if st, _ := c.call(smb2.CommandRead, &smb2.ReadRequest{FileID: id, Length: 4}); st != ntstatus.FileNotAvailable {
		t.Errorf("READ: %v", st)
	}
	if _, st := c.create("g", allAccess, smb2.FileCreate, 0); st != ntstatus.FileNotAvailable {
		t.Errorf("CREATE: %v", st)
	}
	if err := r.smbd[0].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the backend is used again", func() error {
		if st, _ := c.call(smb2.CommandRead, &smb2.ReadRequest{FileID: id, Length: 4}); st != ntstatus.Success {
			return st
		}
		return nil
	})
}

// TestListingMoves kills the lane in the middle of a directory's listing: every name comes once.
func TestListingMoves(t *testing.T) {
	r := newRig(t, rigOptions{})
	dir := filepath.Join(r.lab.Tree.Dir, "share", "d")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{".": 1, "..": 1}
	for i := range 500 {
		name := fmt.Sprintf("file%d", i)
		want[name] = 1
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	c := r.connect(t, "user1", "share")
	m, st := c.create("d", smb2.FileReadData, smb2.FileOpen, smb2.FileDirectoryFile)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	got := map[string]int{}
	for round := 0; ; round++ {
		st, msg := c.call(smb2.CommandQueryDirectory, &smb2.QueryDirectoryRequest{
			FileInformationClass: smb2.FileIdBothDirectoryInformation, FileID: m.FileID, FileName: "*", OutputBufferLength: 8 << 10,
		})
		if st == ntstatus.NoMoreFiles {
			break
		}
		var reply smb2.QueryDirectoryResponse
		if st != ntstatus.Success || reply.Decode(msg) != nil {
			t.Fatal(st)
		}
		list, err := smb2.DecodeDirectory(smb2.FileIdBothDirectoryInformation, reply.OutputBuffer)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			got[e.FileName]++
		}
		if round == 2 || round == 5 {
			killLanes(t, r.smbd[0])
		}
	}
	for name := range want {
		if got[name] != 1 {
			t.Errorf("%s comes %d times", name, got[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d names, want %d", len(got), len(want))
	}
}

// TestDrain moves everybody off a backend: nothing fails, nothing is left there, and a file that shall be deleted is not
// by the move.
func TestDrain(t *testing.T) {
	r := newRig(t, rigOptions{backends: 2, demux: bothShare})
	c := r.connect(t, "user1", "both")
	var ids []smb2.FileID
	for i := range 8 {
		ids = append(ids, c.file(fmt.Sprintf("f%d", i), []byte{byte(i)}))
	}
	pending := &smb2.SetInfoRequest{InfoType: smb2.InfoFile, FileInfoClass: smb2.FileDispositionInformation, FileID: ids[0], Buffer: []byte{1}}
	c.must(smb2.CommandSetInfo, pending, nil)
	for _, name := range []string{"b1", "b2", "b1"} {
		r.pools[name].Drain()
		eventually(t, "drained", func() error {
			if n := r.pools[name].Clients(); n > 0 {
				return fmt.Errorf("%d clients at %s: %v", n, name, r.demux.Opens())
			}
			return nil
		})
		for i, id := range ids {
			if got := c.read(id, 9); !bytes.Equal(got, []byte{byte(i)}) {
				t.Errorf("f%d holds %x", i, got)
			}
		}
		r.pools[name].Enable()
	}
	eventually(t, "opens at home", func() error {
		at := map[string]int{}
		for _, o := range r.demux.Opens() {
			at[o.Backend]++
		}
		if at["b1"] == 0 || at["b2"] == 0 {
			return fmt.Errorf("%v", at)
		}
		return nil
	})
	for i, id := range ids {
		if st := c.close(id); st != ntstatus.Success {
			t.Errorf("CLOSE of f%d: %v", i, st)
		}
		_, err := os.Stat(filepath.Join(r.lab.Tree.Dir, "share", fmt.Sprintf("f%d", i)))
		if gone := os.IsNotExist(err); gone != (i == 0) {
			t.Errorf("f%d is gone: %v", i, gone)
		}
	}
}

// TestThaw freezes a backend with a WRITE in its socket, has the client write newer data as soon as it is let, and thaws the
// backend: the newer data win, since nothing was written elsewhere before the old process could do no harm any more.
// Without the fence (attachment.fence) the WRITE is repeated at the other backend at once and the old one comes last.
func TestThaw(t *testing.T) {
	r := newRig(t, rigOptions{backends: 2, downAfter: 300 * time.Millisecond, demux: bothShare})
	c := r.connect(t, "user1", "both")
	home := 0
	id := c.file("f", []byte("first"))
	if r.demux.Opens()[0].Backend == "b2" {
		home = 1
	}
	if err := r.smbd[home].Freeze(); err != nil {
		t.Fatal(err)
	}
	thawed := false
	thaw := func() {
		if !thawed {
			thawed = true
			if err := r.smbd[home].Thaw(); err != nil {
				t.Fatal(err)
			}
		}
	}
	defer thaw()
	old := c.start(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Data: []byte("older")})
	eventually(t, "backend down", func() error {
		if st := r.pools[fmt.Sprintf("b%d", home+1)].State(); st.Usable() {
			return fmt.Errorf("it is %v", st)
		}
		return nil
	})
	if st := c.wait(old).Header.Status; st == ntstatus.Pending { // as it has to be: it waits for the fence
		thaw()
		st = c.wait(old).Header.Status
		if st != ntstatus.Success {
			t.Fatal(st)
		}
	}
	c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Data: []byte("newer")}, nil)
	thaw()
	eventually(t, "old processes done", func() error { // they answer an ECHO of ours, or are gone
		if st := r.pools[fmt.Sprintf("b%d", home+1)].State(); st != backend.StateUp {
			return fmt.Errorf("the backend is %v", st)
		}
		return nil
	})
	eventually(t, "idle", func() error {
		if n := len(r.pools[fmt.Sprintf("b%d", home+1)].Lost()); n > 0 {
			return fmt.Errorf("%d sessions not fenced", n)
		}
		return nil
	})
	if got := c.read(id, 5); string(got) != "newer" {
		t.Errorf("the file holds %q, want what was written last", got)
	}
}
