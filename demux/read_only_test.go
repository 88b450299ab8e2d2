package demux

import (
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// TestReadOnlyCreate holds what Samba 4.17 answers to CREATE on a share with `read only = yes`.
func TestReadOnlyCreate(t *testing.T) {
	const (
		read   = smb2.GenericRead
		exists = ntstatus.Success
		absent = ntstatus.ObjectNameNotFound
		nopath = ntstatus.ObjectPathNotFound
	)
	for _, c := range []struct {
		name        string
		access      smb2.AccessMask
		disposition smb2.CreateDisposition
		options     smb2.CreateOptions
		backend     ntstatus.Status
		want        ntstatus.Status
	}{
		{"read", read, smb2.FileOpen, 0, exists, ntstatus.Success},
		{"read, absent", read, smb2.FileOpen, 0, absent, absent},
		{"maximum", smb2.MaximumAllowed, smb2.FileOpen, 0, exists, ntstatus.Success},
		{"delete", smb2.Delete, smb2.FileOpen, 0, exists, ntstatus.Success},
		{"write DAC", smb2.WriteDac, smb2.FileOpen, 0, exists, ntstatus.Success},
		{"write", smb2.FileWriteData, smb2.FileOpen, 0, exists, ntstatus.AccessDenied},
		{"append", smb2.FileAppendData, smb2.FileOpen, 0, exists, ntstatus.AccessDenied},
		{"EA", smb2.FileWriteEa, smb2.FileOpen, 0, exists, ntstatus.AccessDenied},
		{"attributes", smb2.FileWriteAttributes, smb2.FileOpen, 0, exists, ntstatus.AccessDenied},
		{"delete child", smb2.FileDeleteChild, smb2.FileOpen, 0, exists, ntstatus.AccessDenied},
		{"generic write", smb2.GenericWrite, smb2.FileOpen, 0, exists, ntstatus.AccessDenied},
		{"generic all", smb2.GenericAll, smb2.FileOpen, 0, exists, ntstatus.AccessDenied},
		{"write, absent", smb2.GenericWrite, smb2.FileOpen, 0, absent, absent},
		{"write, no path", smb2.GenericWrite, smb2.FileCreate, 0, nopath, nopath},
		{"open if", read, smb2.FileOpenIf, 0, exists, ntstatus.Success},
		{"open if, absent", read, smb2.FileOpenIf, 0, absent, absent},
		{"create", read, smb2.FileCreate, 0, absent, absent},
		{"create, exists", read, smb2.FileCreate, 0, exists, ntstatus.ObjectNameCollision},
		{"overwrite", read, smb2.FileOverwrite, 0, exists, ntstatus.AccessDenied},
		{"overwrite, absent", read, smb2.FileOverwrite, 0, absent, absent},
		{"overwrite if", read, smb2.FileOverwriteIf, 0, exists, ntstatus.AccessDenied},
		{"supersede", read, smb2.FileSupersede, 0, exists, ntstatus.AccessDenied},
		{"mkdir", read, smb2.FileCreate, smb2.FileDirectoryFile, absent, ntstatus.AccessDenied},
		{"mkdir, exists", read, smb2.FileCreate, smb2.FileDirectoryFile, exists, ntstatus.ObjectNameCollision},
		{"mkdir if", read, smb2.FileOpenIf, smb2.FileDirectoryFile, absent, ntstatus.AccessDenied},
		{"mkdir if, exists", read, smb2.FileOpenIf, smb2.FileDirectoryFile, exists, ntstatus.Success},
		{"directory, absent", read, smb2.FileOpen, smb2.FileDirectoryFile, absent, absent},
		{"overwrite directory", read, smb2.FileOverwriteIf, smb2.FileDirectoryFile, exists, ntstatus.InvalidParameter},
		{"delete on close", read | smb2.Delete, smb2.FileOpen, smb2.FileDeleteOnClose, exists, ntstatus.AccessDenied},
		{"delete on close, absent", read | smb2.Delete, smb2.FileOpen, smb2.FileDeleteOnClose, absent, absent},
		{"delete on close without DELETE", read, smb2.FileOpen, smb2.FileDeleteOnClose, exists, ntstatus.InvalidParameter},
	} {
		m := smb2.CreateRequest{DesiredAccess: c.access, CreateDisposition: c.disposition, CreateOptions: c.options}
		p := &creation{}
		got := ntstatus.From(p.planReadOnly(&m))
		if got == ntstatus.Success {
			if m.CreateDisposition != smb2.FileOpen || m.CreateOptions&smb2.FileDeleteOnClose != 0 || m.DesiredAccess == 0 ||
				m.DesiredAccess&(writeAccess|smb2.GenericWrite|smb2.GenericAll) != 0 {
				t.Errorf("%s: the backend would be asked for %+v", c.name, m)
			}
			got = p.readOnly(c.backend, c.backend == exists)
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
