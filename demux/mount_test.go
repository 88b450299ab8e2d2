package demux

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pkg/xattr"

	"smbproxy/demux/layout"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// testXattr stands for lustre.lov on a file system that is no Lustre.
const testXattr = "user.lov"

// lov is a layout of stripes of size bytes over OSTs (lov_user_md_v1).
func lov(size uint32, osts ...uint32) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0x0BD10BD0)
	b = le.AppendUint32(b, 1)
	b = append(b, make([]byte, 16)...)
	b = le.AppendUint32(b, size)
	b = le.AppendUint16(b, uint16(len(osts)))
	b = le.AppendUint16(b, 0)
	for _, ost := range osts {
		b = le.AppendUint32(append(b, make([]byte, 20)...), ost)
	}
	return b
}

// setLayout gives a file a layout.
func setLayout(t *testing.T, path string, value []byte) {
	t.Helper()
	if err := xattr.Set(path, testXattr, value); err != nil {
		t.Fatal(err)
	}
}

// TestMountStaysBelowItsRoot: whatever a client calls a file and wherever links lead, nothing outside the share is looked at.
func TestMountStaysBelowItsRoot(t *testing.T) {
	top := t.TempDir()
	root := filepath.Join(top, "root")
	if err := os.MkdirAll(filepath.Join(root, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"outside", "root/dir/file", "root/none"} {
		if err := os.WriteFile(filepath.Join(top, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	setLayout(t, filepath.Join(top, "outside"), lov(4096, 1))
	setLayout(t, filepath.Join(root, "dir/file"), lov(4096, 2, 3))
	for link, to := range map[string]string{"out": "../outside", "abs": filepath.Join(top, "outside"), "up": "..", "in": "dir/file", "proc": "/proc/self/root"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	m := &mount{root: root, attr: testXattr}
	for _, name := range []string{`dir\file`, "in"} {
		if l, err := m.layout(name); err != nil || len(l.Targets()) != 2 {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
	for _, name := range []string{"out", "abs", `up\outside`, `..\outside`, `dir\..\..\outside`, `proc\etc\passwd`, `\dir\file`, ""} {
		if l, err := m.layout(name); err == nil {
			t.Errorf("%s: %v", name, l)
		}
	}
	if _, err := m.layout("none"); !errors.Is(err, errNoLayout) {
		t.Errorf("a file without layout: %v", err)
	}
	setLayout(t, filepath.Join(root, "none"), []byte("nonsense"))
	var broken *layout.FormatError
	if _, err := m.layout("none"); !errors.As(err, &broken) {
		t.Errorf("a broken layout: %v", err)
	}
}

// TestLayoutIsReadAgain: a layout that changes is seen after a truncation, after the file was replaced, and after a while; names
// are those of the disk, whatever case the client writes them in.
func TestLayoutIsReadAgain(t *testing.T) {
	r := striped(t, 3, 1<<20, func(s *Striping) { s.MountPoint = "/nonexistent" })
	share := r.demux.routes.Load().share("share")
	share.stripes.mount = &mount{root: shareDirOf(t, r), attr: testXattr}
	c := r.connect(t, "user1", "share")
	path := filepath.Join(shareDirOf(t, r), "File")
	id := c.file("File", stripedData(1, 4096))
	setLayout(t, path, lov(4096, 2))
	c.close(id)
	m, st := c.create("fILE", allAccess, smb2.FileOpen, 0)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	o := r.demux.clientSession(c.Session.ID).find(m.FileID)
	at := func() layout.Target {
		t.Helper()
		c.read(m.FileID, 16)
		l := o.data.layout()
		if l == nil {
			t.Fatal("no layout after a READ")
		}
		target, _ := l.Run(0, 1, false)
		return target
	}
	if got := at(); got != 2 {
		t.Errorf("%v, want ost 2", got)
	}
	setLayout(t, path, lov(4096, 1))
	if got := at(); got != 2 {
		t.Errorf("%v at once, the layout is not looked at each time", got)
	}
	end := smb2.FileEndOfFileInfo{EndOfFile: 100}
	if st := c.setInfo(m.FileID, smb2.FileEndOfFileInformation, end.Append(nil)); st != ntstatus.Success {
		t.Fatal(st)
	}
	if got := at(); got != 1 {
		t.Errorf("%v after a truncation, want ost 1", got)
	}
	setLayout(t, path, lov(4096, 0))
	o.data.file.read.Add(-int64(layoutAge + time.Second))
	if got := at(); got != 0 {
		t.Errorf("%v after a while, want ost 0", got)
	}

	// Another file by that name: a layout is the file's, not the name's.
	other := c.file("other", stripedData(1, 4096))
	setLayout(t, filepath.Join(shareDirOf(t, r), "other"), lov(4096, 2))
	info := smb2.FileRenameInfo{ReplaceIfExists: true, FileName: "File"}
	c.close(m.FileID)
	if st := c.setInfo(other, smb2.FileRenameInformation, info.Append(nil)); st != ntstatus.Success {
		t.Fatal(st)
	}
	c.close(other)
	if m, st = c.create("File", allAccess, smb2.FileOpen, 0); st != ntstatus.Success {
		t.Fatal(st)
	}
	o = r.demux.clientSession(c.Session.ID).find(m.FileID)
	if got := at(); got != 2 {
		t.Errorf("%v after another file took the name, want ost 2", got)
	}
}
