package hostile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// climbs are names that would leave the share if `..` were taken at its word; outside is a file beside the
// share's directory.
func climbs(outside string) []string {
	var list []string
	for _, up := range []string{`..`, `..\..`, `a\..\..`, `a\b\..\..\..`, `..\.`, `...\..\..`, `..\..\..\..\..\..\..\..\..\..`, `../`, `a/../..`, `a\../..`, `\..`, `\\..`, `..\\`} {
		list = append(list, up+`\`+outside, up)
	}
	return append(list, `..\`+strings.ToUpper(outside), `..:stream`, `..\`+outside+`:stream`, `..::$DATA`, "..\x00\\"+outside, "\x00..\\"+outside)
}

// TestDotDot: no name in CREATE, rename or link leaves the share: none of the climbs opens, creates, moves or links
// anything beside it.
func TestDotDot(t *testing.T) {
	b := theBinary(t)
	c := b.client(t, "user1", rawsmb.Options{})
	share := b.cluster.ShareDir("share")
	parent := filepath.Dir(share)
	const outside = "outside"
	must(t, os.WriteFile(filepath.Join(parent, outside), []byte("outside"), 0o666))
	must(t, os.Chmod(filepath.Join(parent, outside), 0o666))
	before := names(t, parent)
	c.call(ntstatus.Success, smb2.CommandClose, &smb2.CloseRequest{FileID: c.create("a", smb2.FileDirectoryFile)})
	id := c.create("inside", 0)

	for _, name := range climbs(outside) {
		for _, disposition := range []smb2.CreateDisposition{smb2.FileOpen, smb2.FileCreate, smb2.FileOverwriteIf} {
			m, err := c.Do(smb2.Header{Command: smb2.CommandCreate, TreeID: c.tree}, createRequest(name, disposition, 0))
			if m.Bytes == nil {
				t.Fatalf("CREATE %q: %v", name, err)
			}
			if st := m.Header.Status; !slices.Contains([]ntstatus.Status{ntstatus.ObjectPathSyntaxBad, ntstatus.InvalidParameter, ntstatus.ObjectNameInvalid}, st) {
				t.Errorf("CREATE %q: got %v", name, st)
			}
		}
		for class, info := range map[smb2.InfoClass]smb2.Body{
			smb2.FileRenameInformation: rawsmb.Body((&smb2.FileRenameInfo{FileName: name}).Append(nil)),
			smb2.FileLinkInformation:   rawsmb.Body((&smb2.FileLinkInfo{FileName: name}).Append(nil)),
		} {
			st := c.ask(smb2.CommandSetInfo, &smb2.SetInfoRequest{InfoType: smb2.InfoFile, FileInfoClass: class, FileID: id, Buffer: info.Append(nil)})
			if !slices.Contains([]ntstatus.Status{ntstatus.ObjectPathSyntaxBad, ntstatus.InvalidParameter, ntstatus.ObjectNameInvalid}, st) {
				t.Errorf("class %d to %q: got %v", class, name, st)
			}
		}
	}
	c.call(ntstatus.Success, smb2.CommandClose, &smb2.CloseRequest{FileID: id})
	if after := names(t, parent); !slices.Equal(before, after) {
		t.Errorf("beside the share there is now %q, was %q", after, before)
	}
	if data, err := os.ReadFile(filepath.Join(parent, outside)); err != nil || string(data) != "outside" {
		t.Errorf("the file beside the share holds %q, %v", data, err)
	}
	// `.` is a component like any other, so this one goes nowhere but back into the share.
	_ = c.ask(smb2.CommandCreate, createRequest(`.\..\`+outside, smb2.FileOverwriteIf, 0))
	if data, err := os.ReadFile(filepath.Join(parent, outside)); err != nil || string(data) != "outside" {
		t.Errorf("the file beside the share holds %q, %v", data, err)
	}
	// With SMB2_FLAGS_DFS_OPERATIONS the first two components go ([MS-SMB2] 3.3.5.9), and no more.
	for _, name := range []string{`smbproxy\share\..\` + outside, `\smbproxy\share\..\..\` + outside, `..\..\..\` + outside} {
		h := smb2.Header{Command: smb2.CommandCreate, TreeID: c.tree, Flags: smb2.FlagDFS}
		c.want(ntstatus.ObjectPathSyntaxBad, h, createRequest(name, smb2.FileOpen, 0))
	}
	// A name that begins with `..` is a name.
	c.call(ntstatus.Success, smb2.CommandClose, &smb2.CloseRequest{FileID: c.create("..x", 0)})
}

// names lists a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestSymlinksLeadNowhere: a symlink that leads out of the share is not followed (wide links = no in the printed
// configuration).
func TestSymlinksLeadNowhere(t *testing.T) {
	b := theBinary(t)
	c := b.client(t, "user1", rawsmb.Options{})
	share := b.cluster.ShareDir("share")
	must(t, os.Symlink("/etc", filepath.Join(share, "etc")))
	must(t, os.Symlink("/etc/passwd", filepath.Join(share, "passwd")))
	t.Cleanup(func() { _ = os.Remove(filepath.Join(share, "etc")); _ = os.Remove(filepath.Join(share, "passwd")) })
	for _, name := range []string{`etc\passwd`, `passwd`, `etc\..\etc\passwd`} {
		st := c.ask(smb2.CommandCreate, createRequest(name, smb2.FileOpen, 0))
		if st == ntstatus.Success {
			t.Errorf("%s opens", name)
		}
	}
}

// TestHugeNames: long names end as smbd has it end; what the frame cannot hold is malformed.
func TestHugeNames(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		w := newWitness(s.client(t, "user2", rawsmb.Options{}))
		c := s.client(t, "user1", rawsmb.Options{})
		long := []string{
			strings.Repeat("a", 300), strings.Repeat("a", 32_767), strings.Repeat(`a\`, 16_000) + "a", strings.Repeat(`..\`, 10_000) + "x",
			strings.Repeat(`\`, 1) + strings.Repeat("a", 32_000), strings.Repeat("a:", 16_000), strings.Repeat("\U0001F600", 8_000),
		}
		for _, name := range long {
			st := c.ask(smb2.CommandCreate, createRequest(name, smb2.FileOpen, 0))
			if _, ok := s.(*stack); !ok && !st.IsError() {
				t.Errorf("CREATE of %d bytes: got %v", len(name), st)
			}
		}
		// NameLength and NameOffset lie.
		for _, lie := range [][2]uint16{{0xFFFF, 0xFFFF}, {120, 0xFFFF}, {0xFFFF, 2}, {119, 2}, {0, 2}, {63, 2}, {120, 3}} {
			msg := createRequest("abc", smb2.FileOpen, 0).Append(ptr(c.header(smb2.CommandCreate)).Append(nil))
			le.PutUint16(msg[smb2.HeaderSize+44:], lie[0])
			le.PutUint16(msg[smb2.HeaderSize+46:], lie[1])
			c.SignMessage(msg)
			c.status(ntstatus.InvalidParameter, msg)
		}
		// So do CreateContextsOffset and CreateContextsLength.
		for _, lie := range [][2]uint32{{0xFFFFFFFF, 16}, {128, 0xFFFFFFFF}, {0xFFFFFFF8, 0xFFFFFFF8}, {1, 16}} {
			msg := createRequest("abc", smb2.FileOpen, 0).Append(ptr(c.header(smb2.CommandCreate)).Append(nil))
			le.PutUint32(msg[smb2.HeaderSize+48:], lie[0])
			le.PutUint32(msg[smb2.HeaderSize+52:], lie[1])
			c.SignMessage(msg)
			c.status(ntstatus.InvalidParameter, msg)
		}
		c.echo()
		w.undisturbed(t)
	})
}

// TestPipeNames: pipes that are not in the table are not there, whatever smbd would do with them.
func TestPipeNames(t *testing.T) {
	b := theBinary(t)
	c := b.client(t, "user1", rawsmb.Options{})
	ipc := c.connect("IPC$")
	for _, name := range []string{"nosuchpipe", "", `..\srvsvc`, `srvsvc\..\..\x`, "srvsvc\x00", `pipe\pipe\srvsvc`, "browser", "atsvc", "/etc/passwd", strings.Repeat("x", 30_000)} {
		m, err := c.Do(smb2.Header{Command: smb2.CommandCreate, TreeID: ipc}, createRequest(name, smb2.FileOpen, 0))
		if m.Bytes == nil {
			t.Fatalf("%q: %v", name, err)
		}
		if st := m.Header.Status; !slices.Contains([]ntstatus.Status{ntstatus.ObjectNameNotFound, ntstatus.ObjectPathSyntaxBad, ntstatus.ObjectNameInvalid, ntstatus.InvalidParameter}, st) {
			t.Errorf("pipe %q: got %v", name, st)
		}
	}
	c.want(ntstatus.Success, smb2.Header{Command: smb2.CommandCreate, TreeID: ipc}, createRequest("srvsvc", smb2.FileOpen, 0))
}

// TestDotDotStaysHere: no `..` reaches a backend, which would fold it likewise: the store notes one, and the test then
// fails.
func TestDotDotStaysHere(t *testing.T) {
	s := newStack(t, nil)
	c := s.client(t, "user1", rawsmb.Options{})
	id := c.create("inside", 0)
	for _, name := range append(climbs("outside"), `a\..\b`, `a\b\..\..\c`, `a/../b`, `.\..\b`, `a\..`) {
		c.ask(smb2.CommandCreate, createRequest(name, smb2.FileOpenIf, 0))
		c.ask(smb2.CommandSetInfo, &smb2.SetInfoRequest{InfoType: smb2.InfoFile, FileInfoClass: smb2.FileRenameInformation, FileID: id, Buffer: (&smb2.FileRenameInfo{FileName: name}).Append(nil)})
		c.ask(smb2.CommandSetInfo, &smb2.SetInfoRequest{InfoType: smb2.InfoFile, FileInfoClass: smb2.FileLinkInformation, FileID: id, Buffer: (&smb2.FileLinkInfo{FileName: name}).Append(nil)})
	}
}
