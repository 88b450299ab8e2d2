package demux

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// TestOneIdentity asks everything about one file and its volume through two backends, one after the other: the answers
// are those of one server.
func TestOneIdentity(t *testing.T) {
	r := newRig(t, rigOptions{backends: 2, demux: bothShare})
	c := r.connect(t, "user1", "both")
	id := c.file("f", []byte("data"))
	if st := c.close(id); st != ntstatus.Success {
		t.Fatal(st)
	}
	if err := os.Mkdir(filepath.Join(r.lab.Tree.Dir, "share", "d"), 0o777); err != nil {
		t.Fatal(err)
	}
	ask := func() map[string][]byte {
		t.Helper()
		got := map[string][]byte{}
		st, msg := c.call(smb2.CommandCreate, &smb2.CreateRequest{
			ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: smb2.FileReadData | smb2.FileReadAttributes | smb2.ReadControl, ShareAccess: shareAll,
			CreateDisposition: smb2.FileOpen, Name: "f",
			CreateContexts: []smb2.CreateContext{{Name: []byte(smb2.CreateQueryOnDiskID)}, {Name: []byte(smb2.CreateQueryMaximalAccessRequest)}},
		})
		var m smb2.CreateResponse
		if st != ntstatus.Success || m.Decode(msg) != nil {
			t.Fatal(st)
		}
		for _, x := range m.CreateContexts {
			got["context "+string(x.Name)] = bytes.Clone(x.Data)
		}
		query := func(kind smb2.InfoType, class smb2.InfoClass, extra uint32) {
			st, msg := c.call(smb2.CommandQueryInfo, &smb2.QueryInfoRequest{
				InfoType: kind, FileInfoClass: class, OutputBufferLength: 4096, AdditionalInformation: extra, FileID: m.FileID,
			})
			var q smb2.QueryInfoResponse
			_ = q.Decode(msg) // an error has none
			got[fmt.Sprintf("type %d class %d: %v", kind, class, st)] = bytes.Clone(q.OutputBuffer)
		}
		for class := range fileQueries {
			query(smb2.InfoFile, class, 0)
		}
		for class := range fsQueries {
			if class != smb2.FileFsSizeInformation && class != smb2.FileFsFullSizeInformation { // others use the disk too
				query(smb2.InfoFilesystem, class, 0)
			}
		}
		query(smb2.InfoSecurity, 0, 7)
		if st := c.close(m.FileID); st != ntstatus.Success {
			t.Fatal(st)
		}
		root, st := c.create("", smb2.FileReadData, smb2.FileOpen, smb2.FileDirectoryFile)
		if st != ntstatus.Success {
			t.Fatal(st)
		}
		for class := range directoryClasses {
			st, msg := c.call(smb2.CommandQueryDirectory, &smb2.QueryDirectoryRequest{
				FileInformationClass: class, FileID: root.FileID, FileName: "f", OutputBufferLength: 4096, Flags: smb2.QueryDirectoryRestartScans,
			})
			var q smb2.QueryDirectoryResponse
			_ = q.Decode(msg)
			got[fmt.Sprintf("entry of class %d: %v", class, st)] = bytes.Clone(q.OutputBuffer)
		}
		if st := c.close(root.FileID); st != ntstatus.Success {
			t.Fatal(st)
		}
		return got
	}
	r.pools["b2"].Disable()
	first := ask()
	r.pools["b2"].Enable()
	r.pools["b1"].Disable()
	second := ask()
	if len(first) != len(second) || len(first) < 30 {
		t.Errorf("%d answers, %d from the other backend", len(first), len(second))
	}
	for what, data := range first {
		if other, ok := second[what]; !ok || !bytes.Equal(data, other) {
			t.Errorf("%s: %x, and from the other backend %x (%v)", what, data, other, ok)
		}
	}
}
