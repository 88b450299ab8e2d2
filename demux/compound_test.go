package demux

import (
	"strings"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// TestRelatedCompound opens, asks and closes in one frame, as Windows' explorer does; and the same
// where the CREATE fails.
func TestRelatedCompound(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.connect(t, "user1", "share")
	c.close(c.file("f", []byte("data")))
	for name, want := range map[string]ntstatus.Status{"f": ntstatus.Success, "absent": ntstatus.ObjectNameNotFound} {
		first := smb2.Header{Command: smb2.CommandCreate, TreeID: c.tree}
		related := func(cmd smb2.Command) smb2.Header {
			return smb2.Header{Command: cmd, SessionID: ^uint64(0), TreeID: ^uint32(0), Flags: smb2.FlagRelated}
		}
		parts, err := c.StartCompound(
			rawsmb.Part{Header: first, Body: &smb2.CreateRequest{ImpersonationLevel: 2, DesiredAccess: smb2.FileReadData, ShareAccess: shareAll, CreateDisposition: smb2.FileOpen, Name: name}},
			rawsmb.Part{Header: related(smb2.CommandRead), Body: &smb2.ReadRequest{FileID: smb2.RelatedFileID, Length: 16}},
			rawsmb.Part{Header: related(smb2.CommandQueryInfo), Body: &smb2.QueryInfoRequest{FileID: smb2.RelatedFileID, InfoType: smb2.InfoFile, FileInfoClass: smb2.FileStandardInformation, OutputBufferLength: 24}},
			rawsmb.Part{Header: related(smb2.CommandClose), Body: &smb2.CloseRequest{FileID: smb2.RelatedFileID}},
		)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range parts {
			m, err := p.Final(t.Context())
			if err != nil || m.Header.Status != want {
				t.Errorf("%s: element %d: %v, %v; want %v", name, i, m.Header.Status, err, want)
			}
			var read smb2.ReadResponse
			if i == 1 && want == ntstatus.Success && (read.Decode(m.Bytes) != nil || string(read.Data) != "data") {
				t.Errorf("%s: read %q", name, read.Data)
			}
		}
	}
	if n := len(r.demux.Opens()); n != 0 {
		t.Errorf("%d opens left", n)
	}
}

// TestPipes talks to srvsvc through IPC$, and tries pipes that are not in the table.
func TestPipes(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.connect(t, "user1", "IPC$")
	for name, want := range map[string]ntstatus.Status{
		"srvsvc": ntstatus.Success, "SRVSVC": ntstatus.Success, "wkssvc": ntstatus.Success, "lsarpc": ntstatus.Success,
		"nopipe": ntstatus.ObjectNameNotFound, `a\..\srvsvc`: ntstatus.ObjectNameNotFound, `\srvsvc`: ntstatus.ObjectNameNotFound, `pipe\srvsvc`: ntstatus.ObjectNameNotFound, "..": ntstatus.ObjectNameNotFound, "": ntstatus.ObjectNameNotFound,
	} {
		m, st := c.create(name, smb2.FileReadData|smb2.FileWriteData, smb2.FileOpen, 0)
		if st != want {
			t.Errorf("pipe %q: %v, want %v", name, st, want)
		}
		if st != ntstatus.Success || name != "srvsvc" {
			continue
		}
		if st, out := c.ioctl(m.FileID, smb2.FsctlPipeTransceive, bindSrvsvc); st != ntstatus.Success || len(out) < 24 || out[2] != 12 {
			t.Errorf("bind by transceive: %v, % x", st, out)
		}
		// A read of an idle pipe waits. (Samba 4.17 never ends it, neither for CANCEL nor for CLOSE.)
		p := c.start(smb2.CommandRead, &smb2.ReadRequest{FileID: m.FileID, Length: 1024})
		if st := c.wait(p).Header.Status; st != ntstatus.Pending {
			t.Fatalf("read of an idle pipe: %v", st)
		}
		if st := c.close(m.FileID); st != ntstatus.Success {
			t.Errorf("close of a pipe that is being read: %v", st)
		}
	}
}

// bindSrvsvc is a DCE/RPC bind to srvsvc 3.0 with NDR 2.0 ([C706] 12.6.4.3).
var bindSrvsvc = []byte{
	5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0, 0xB8, 0x10, 0xB8, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0,
	0xC8, 0x4F, 0x32, 0x4B, 0x70, 0x16, 0xD3, 0x01, 0x12, 0x78, 0x5A, 0x47, 0xBF, 0x6E, 0xE1, 0x88, 3, 0, 0, 0,
	0x04, 0x5D, 0x88, 0x8A, 0xEB, 0x1C, 0xC9, 0x11, 0x9F, 0xE8, 0x08, 0x00, 0x2B, 0x10, 0x48, 0x60, 2, 0, 0, 0,
}

// TestNames opens by names that are folded here, and by one that only the backend can judge.
func TestNames(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.connect(t, "user1", "share")
	c.close(c.file("top", []byte("data")))
	for name, want := range map[string]ntstatus.Status{
		`nope\..\top`: ntstatus.Success, `TOP`: ntstatus.Success, `..\top`: ntstatus.ObjectPathSyntaxBad, `\top`: ntstatus.InvalidParameter,
		`top:absent`: ntstatus.ObjectNameNotFound, `.\top`: ntstatus.ObjectPathNotFound, `to*`: ntstatus.ObjectNameInvalid, "a\xed\xa0\x80": ntstatus.Status(0xC0000161),
	} {
		if _, st := c.create(name, smb2.FileReadData, smb2.FileOpen, 0); st != want {
			t.Errorf("%q: %v, want %v", name, st, want)
		}
	}
	m, err := c.Do(smb2.Header{Command: smb2.CommandCreate, TreeID: c.tree, Flags: smb2.FlagDFS}, &smb2.CreateRequest{
		ImpersonationLevel: 2, DesiredAccess: smb2.FileReadData, ShareAccess: shareAll, CreateDisposition: smb2.FileOpen, Name: `smbproxy\share\top`,
	})
	if err != nil {
		t.Errorf("DFS name: %v, %v", m.Header.Status, err)
	}
	if _, st := c.create("12345678", smb2.FileReadData, smb2.FileOpen, smb2.FileOpenByFileID); st != ntstatus.NotSupported {
		t.Errorf("open by id: %v", st)
	}
}

// TestSharesCanGo removes a share from the configuration while it is in use.
func TestSharesCanGo(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.connect(t, "user1", "share")
	id := c.file("f", []byte("data"))
	bad := r.config
	bad.Shares = append(bad.Shares[:len(bad.Shares):len(bad.Shares)], Share{Name: "SHARE", Backends: []string{"nowhere"}})
	if err := r.demux.Reconfigure(bad); err == nil || !strings.Contains(err.Error(), "taken") || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a bad configuration: %v", err)
	}
	less := r.config
	less.Shares = less.Shares[1:]
	if err := r.demux.Reconfigure(less); err != nil {
		t.Fatal(err)
	}
	if got := c.read(id, 16); string(got) != "data" {
		t.Errorf("an open file: %q", got)
	}
	if _, st := c.create("f", smb2.FileReadData, smb2.FileOpen, 0); st != ntstatus.NetworkNameDeleted {
		t.Errorf("a new open: %v", st)
	}
	if st := r.login(t, "user1", rawsmb.Options{}).treeConnect("share"); st != ntstatus.BadNetworkName {
		t.Errorf("a new tree connect: %v", st)
	}
}
