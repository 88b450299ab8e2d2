package demux

import (
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// TestRename goes through targets as Samba 4.17 answers them, and looks whether the open knows its
// new name.
func TestRename(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.connect(t, "user1", "share")
	m, st := c.create("d", allAccess, smb2.FileCreate, smb2.FileDirectoryFile)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	c.close(m.FileID)
	for _, x := range []struct {
		target, name string
		status       ntstatus.Status
	}{
		{`plain`, `plain`, ntstatus.Success},
		{`\leading`, `leading`, ntstatus.Success},
		{`x\..\folded`, `folded`, ntstatus.Success},
		{`d/below`, `d\below`, ntstatus.Success},
		{`..\out`, `from`, ntstatus.ObjectPathSyntaxBad},
		{`d\..\..\out`, `from`, ntstatus.ObjectPathSyntaxBad},
		{`..:s`, `from`, ntstatus.ObjectNameInvalid},
		{`wild*`, `from`, ntstatus.ObjectNameInvalid},
		{``, `from`, ntstatus.InvalidParameter},
		{`nodir\x`, `from`, ntstatus.ObjectPathNotFound},
		{`from:s`, `from`, ntstatus.ObjectNameInvalid},
		{`:s`, `from`, ntstatus.ObjectNameInvalid}, // smbd would die of it
		{`\x\..\:s`, `from`, ntstatus.ObjectNameInvalid},
	} {
		id := c.file("from", nil)
		info := smb2.FileRenameInfo{ReplaceIfExists: true, FileName: x.target}
		if st := c.setInfo(id, smb2.FileRenameInformation, info.Append(nil)); st != x.status {
			t.Errorf("rename to %q: %v, want %v", x.target, st, x.status)
		}
		if got := openName(r.demux, id); got != x.name {
			t.Errorf("after the rename to %q the open is called %q, want %q", x.target, got, x.name)
		}
		if st := c.setInfo(id, smb2.FileDispositionInformation, []byte{1}); st != ntstatus.Success {
			t.Errorf("delete after the rename to %q: %v", x.target, st)
		}
		c.close(id)
	}
}

// TestRenameStream renames a stream by its short target.
func TestRenameStream(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.connect(t, "user1", "share")
	id := c.file("base:one", []byte("x"))
	info := smb2.FileRenameInfo{FileName: ":two"}
	if st := c.setInfo(id, smb2.FileRenameInformation, info.Append(nil)); st != ntstatus.Success {
		t.Fatal(st)
	}
	if got := openName(r.demux, id); got != "base:two" {
		t.Errorf("the open is called %q", got)
	}
}

// TestLink makes hard links.
func TestLink(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.connect(t, "user1", "share")
	for target, want := range map[string]ntstatus.Status{
		`x\..\linked`: ntstatus.Success, `..\linked`: ntstatus.ObjectPathSyntaxBad, `:s`: ntstatus.InvalidParameter, `from:s`: ntstatus.InvalidParameter,
	} {
		id := c.file("from", []byte("data"))
		info := smb2.FileLinkInfo{FileName: target}
		if st := c.setInfo(id, smb2.FileLinkInformation, info.Append(nil)); st != want {
			t.Errorf("link %q: %v, want %v", target, st, want)
		}
		c.close(id)
	}
	m, st := c.create("linked", smb2.FileReadData, smb2.FileOpen, 0)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	if got := c.read(m.FileID, 16); string(got) != "data" {
		t.Errorf("the link has %q", got)
	}
}

// openName is what the listing calls a client's open.
func openName(d *Demux, id smb2.FileID) string {
	for _, o := range d.Opens() {
		if o.FileID == id.Volatile {
			return o.Path
		}
	}
	return "(not open)"
}
