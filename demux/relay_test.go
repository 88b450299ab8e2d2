package demux

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	gosmb2 "github.com/hirochachacha/go-smb2"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// TestForeignClient lets go-smb2 do what programs do with a share, and looks at the files from
// behind: they are the user's.
func TestForeignClient(t *testing.T) {
	r := newRig(t, rigOptions{})
	nc := dialTCP(t, r.addr)
	d := &gosmb2.Dialer{Initiator: &gosmb2.NTLMInitiator{User: "user1", Password: r.lab.User("user1").Password}}
	s, err := d.Dial(nc)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Logoff()
	fs, err := s.Mount("share")
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Umount()
	want := bytes.Repeat([]byte("0123456789abcdef"), 3<<16) // 3 MiB
	if err := fs.MkdirAll(`dir\deep`, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := fs.WriteFile(`dir\deep\Grüße.bin`, want, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := fs.ReadFile(`dir\deep\Grüße.bin`)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read back %d bytes, %v; want %d equal ones", len(got), err, len(want))
	}
	list, err := fs.ReadDir(`dir\deep`)
	if err != nil || len(list) != 1 || list[0].Name() != "Grüße.bin" || list[0].Size() != int64(len(want)) {
		t.Errorf("directory: %v, %v", list, err)
	}
	if err := fs.Truncate(`dir\deep\Grüße.bin`, 5); err != nil {
		t.Error(err)
	}
	dir, err := r.lab.Tree.Share("share")
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, "dir", "deep", "Grüße.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if uid := st.Sys().(*syscall.Stat_t).Uid; uid != r.lab.User("user1").UID || st.Size() != 5 {
		t.Errorf("the file has uid %d and %d bytes, want user1's %d and 5", uid, st.Size(), r.lab.User("user1").UID)
	}
	if err := fs.RemoveAll("dir"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "dir")); !os.IsNotExist(err) {
		t.Errorf("after RemoveAll: %v", err)
	}
}

// TestSmbclient lets Samba's client list shares (a pipe) and copy.
func TestSmbclient(t *testing.T) {
	r := newRig(t, rigOptions{})
	local := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(local, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	u := lab.As(r.lab.User("user1"))
	res := r.lab.Smbclient(r.addr, "share", u, lab.Command("put "+local+" a; mkdir d; cd d; put "+local+" b; ls; rename b c; get c "+local+".2; del c; cd ..; rmdir d; scopy a a2; del a; del a2; ls"))
	if res.Err != nil {
		t.Fatalf("smbclient: %v", res)
	}
	if got, err := os.ReadFile(local + ".2"); err != nil || string(got) != "hello" {
		t.Errorf("read back %q, %v", got, err)
	}
}

// TestUsersAreThemselves shows two users on one lane: each may what the file system lets him.
func TestUsersAreThemselves(t *testing.T) {
	r := newRig(t, rigOptions{})
	one, two := r.connect(t, "user1", "share"), r.connect(t, "user2", "share")
	dir, err := r.lab.Tree.Share("share")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "secret")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, int(r.lab.User("user1").UID), int(r.lab.User("user1").GID)); err != nil {
		t.Fatal(err)
	}
	if _, st := one.create("secret", smb2.FileReadData, smb2.FileOpen, 0); st != ntstatus.Success {
		t.Errorf("the owner: %v", st)
	}
	if _, st := two.create("secret", smb2.FileReadData, smb2.FileOpen, 0); st != ntstatus.AccessDenied {
		t.Errorf("another user: %v, want STATUS_ACCESS_DENIED", st)
	}
}

// TestOpensAreOfTheirSession shows that no id of one client works for another, and none of a tree
// on another tree.
func TestOpensAreOfTheirSession(t *testing.T) {
	r := newRig(t, rigOptions{})
	a, b := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
	id := a.file("f", []byte("data"))
	if got := a.read(id, 16); string(got) != "data" {
		t.Errorf("own file: %q", got)
	}
	read := &smb2.ReadRequest{FileID: id, Length: 16}
	if st, _ := b.call(smb2.CommandRead, read); st != ntstatus.FileClosed {
		t.Errorf("another session's file: %v", st)
	}
	first := a.tree
	if st := a.treeConnect("other"); st != ntstatus.Success {
		t.Fatal(st)
	}
	if st, _ := a.call(smb2.CommandRead, read); st != ntstatus.FileClosed {
		t.Errorf("another tree's file: %v", st)
	}
	a.tree = first
	opens, trees := r.demux.Opens(), r.demux.Trees()
	if len(opens) != 1 || opens[0].Path != "f" || opens[0].User != "user1" || opens[0].Share != "share" || opens[0].Backend != "b1" || len(trees) != 3 {
		t.Errorf("lists: opens %+v, trees %+v", opens, trees)
	}
	if st := a.close(id); st != ntstatus.Success {
		t.Errorf("close: %v", st)
	}
	if st := a.close(id); st != ntstatus.FileClosed {
		t.Errorf("close again: %v", st)
	}
	if st, _ := a.call(smb2.CommandRead, read); st != ntstatus.FileClosed {
		t.Errorf("closed file: %v", st)
	}
	if n := len(r.demux.Opens()); n != 0 {
		t.Errorf("%d opens left", n)
	}
}

// TestOtherWriters asks for a lease and a durable handle where others write too: reads may be cached.
func TestOtherWriters(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.connect(t, "user1", "written")
	lease := append(bytes.Repeat([]byte{7}, 16), 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	var m smb2.CreateResponse
	c.must(smb2.CommandCreate, &smb2.CreateRequest{
		RequestedOplockLevel: smb2.OplockLevelLease, ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: allAccess,
		ShareAccess: shareAll, CreateDisposition: smb2.FileOpenIf, Name: "granted",
		CreateContexts: []smb2.CreateContext{
			{Name: []byte(smb2.CreateRequestLease), Data: lease}, {Name: []byte(smb2.CreateDurableHandleRequestV2), Data: make([]byte, 32)},
			{Name: []byte(smb2.CreateQueryMaximalAccessRequest)}, {Name: []byte(smb2.CreateQueryOnDiskID)},
		},
	}, &m)
	var names []string
	for _, x := range m.CreateContexts {
		names = append(names, string(x.Name))
	}
	if m.OplockLevel != smb2.OplockLevelLease || strings.Join(names, " ") != "MxAc QFid RqLs" {
		t.Fatalf("oplock %v, contexts %v; want a lease, and MxAc QFid RqLs", m.OplockLevel, names)
	}
	var granted smb2.RequestLease
	if err := granted.Decode(m.CreateContexts[2].Data); err != nil || granted.LeaseState != smb2.LeaseReadCaching {
		t.Errorf("granted %v, %v; want reads only", granted.LeaseState, err)
	}
	if st, _ := c.call(smb2.CommandOplockBreak, &smb2.OplockBreakRequest{}); st != ntstatus.FileClosed {
		t.Errorf("acknowledgement for no file: %v", st)
	}
	if st, _ := c.call(smb2.CommandOplockBreak, &smb2.LeaseBreakRequest{}); st != ntstatus.ObjectNameNotFound {
		t.Errorf("acknowledgement for no lease: %v", st)
	}
}

// TestSharesAndPolicy tries who may connect to what.
func TestSharesAndPolicy(t *testing.T) {
	r := newRig(t, rigOptions{})
	for _, c := range []struct {
		user, share string
		opt         rawsmb.Options
		want        ntstatus.Status
	}{
		{"user1", "share", rawsmb.Options{}, ntstatus.Success},
		{"user1", "SHARE", rawsmb.Options{}, ntstatus.Success},
		{"user1", "IPC$", rawsmb.Options{}, ntstatus.Success},
		{"user1", "ipc$", rawsmb.Options{}, ntstatus.Success},
		{"user1", "nothere", rawsmb.Options{}, ntstatus.BadNetworkName},
		{"user1", "gone", rawsmb.Options{}, ntstatus.BadNetworkName},
		{"user1", "private", rawsmb.Options{}, ntstatus.Success},
		{"user2", "private", rawsmb.Options{}, ntstatus.Success},
		{"user3", "private", rawsmb.Options{}, ntstatus.AccessDenied},
		{"user1", "far", rawsmb.Options{}, ntstatus.AccessDenied},
		{"user1", "sealed", rawsmb.Options{Dialects: []smb2.Dialect{smb2.Dialect210}}, ntstatus.AccessDenied},
		{"user1", "sealed", rawsmb.Options{}, ntstatus.Success},
	} {
		if got := r.login(t, c.user, c.opt).treeConnect(c.share); got != c.want {
			t.Errorf("%s to %s: %v, want %v", c.user, c.share, got, c.want)
		}
	}
	c := r.login(t, "user1", rawsmb.Options{})
	if st := c.treeConnect("sealed"); st != ntstatus.Success {
		t.Fatal(st)
	}
	if _, st := c.create("", smb2.FileReadAttributes, smb2.FileOpen, 0); st != ntstatus.AccessDenied {
		t.Errorf("a plain CREATE on a sealed share: %v", st)
	}
	c.Seal = true
	if _, st := c.create("", smb2.FileReadAttributes, smb2.FileOpen, 0); st != ntstatus.Success {
		t.Errorf("a sealed CREATE on a sealed share: %v", st)
	}
}

// TestReadOnlyShare shows that nothing can be changed through a read-only share of a directory that
// is writeable at the backend.
func TestReadOnlyShare(t *testing.T) {
	r := newRig(t, rigOptions{})
	w := r.connect(t, "user1", "share")
	w.close(w.file("f", []byte("data")))
	c := r.connect(t, "user1", "readonly")
	m, st := c.create("f", smb2.MaximumAllowed, smb2.FileOpenIf, 0)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	id := m.FileID
	if got := c.read(id, 16); string(got) != "data" {
		t.Errorf("read %q", got)
	}
	var q smb2.QueryInfoResponse
	c.must(smb2.CommandQueryInfo, &smb2.QueryInfoRequest{FileID: id, InfoType: smb2.InfoFile, FileInfoClass: smb2.FileAccessInformation, OutputBufferLength: 4}, &q)
	if len(q.OutputBuffer) != 4 || binary.LittleEndian.Uint32(q.OutputBuffer)&uint32(writeAccess) != 0 {
		t.Errorf("granted access % x has write rights", q.OutputBuffer)
	}
	for name, got := range map[string]func() ntstatus.Status{
		"write": func() ntstatus.Status {
			st, _ := c.call(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Data: []byte("x")})
			return st
		},
		"flush": func() ntstatus.Status { st, _ := c.call(smb2.CommandFlush, &smb2.FlushRequest{FileID: id}); return st },
		"create": func() ntstatus.Status {
			_, st := c.create("d", allAccess, smb2.FileCreate, smb2.FileDirectoryFile)
			return st
		},
		"end of file": func() ntstatus.Status { return c.setInfo(id, smb2.FileEndOfFileInformation, make([]byte, 8)) },
		"delete":      func() ntstatus.Status { return c.setInfo(id, smb2.FileDispositionInformation, []byte{1}) },
		"attributes":  func() ntstatus.Status { return c.setInfo(id, smb2.FileBasicInformation, make([]byte, 40)) },
		"security": func() ntstatus.Status {
			st, _ := c.call(smb2.CommandSetInfo, &smb2.SetInfoRequest{FileID: id, InfoType: smb2.InfoSecurity, AdditionalInformation: 4, Buffer: make([]byte, 20)})
			return st
		},
		"zero data": func() ntstatus.Status { st, _ := c.ioctl(id, smb2.FsctlSetZeroData, make([]byte, 16)); return st },
		"delete on close": func() ntstatus.Status {
			_, st := c.create("f", allAccess, smb2.FileOpen, smb2.FileDeleteOnClose)
			return st
		},
	} {
		if st := got(); st != ntstatus.AccessDenied {
			t.Errorf("%s: %v, want STATUS_ACCESS_DENIED", name, st)
		}
	}
	if st, _ := c.ioctl(id, smb2.FsctlSetSparse, nil); st != ntstatus.MediaWriteProtected {
		t.Errorf("sparse: %v", st)
	}
}

// setInfo sets file information.
func (c *client) setInfo(id smb2.FileID, class smb2.InfoClass, b []byte) ntstatus.Status {
	c.t.Helper()
	st, _ := c.call(smb2.CommandSetInfo, &smb2.SetInfoRequest{FileID: id, InfoType: smb2.InfoFile, FileInfoClass: class, Buffer: b})
	return st
}
