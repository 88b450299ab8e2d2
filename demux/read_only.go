package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// A read-only share is enforced here and not only at the backend: no request that could change
// anything leaves for it. The statuses are those that Samba 4.17 gives for `read only = yes`,
// with two exceptions, where smbd lets changes through: hard links, and write access granted to
// MAXIMUM_ALLOWED by a backend whose share is writeable.

// writeAccess are the rights that nobody has on a read-only share, which smbd takes out of the
// share's access mask. DELETE, WRITE_DAC and WRITE_OWNER may be asked for; what they are good
// for is refused.
const writeAccess = smb2.FileWriteData | smb2.FileAppendData | smb2.FileWriteEa | smb2.FileWriteAttributes | smb2.FileDeleteChild

// planReadOnly turns a CREATE into one that opens and never changes: FILE_OPEN, without the
// write rights, without DELETE_ON_CLOSE. What would have been refused had it been sent is refused
// when the answer shows whether the file exists.
func (c *creation) planReadOnly(m *smb2.CreateRequest) error {
	disposition, options := m.CreateDisposition, m.CreateOptions
	directory := options&smb2.FileDirectoryFile != 0
	truncates := disposition == smb2.FileSupersede || disposition == smb2.FileOverwrite || disposition == smb2.FileOverwriteIf
	const generic = smb2.GenericWrite | smb2.GenericAll
	writes := m.DesiredAccess&(writeAccess|generic) != 0
	switch {
	case disposition > smb2.FileOverwriteIf, directory && truncates,
		options&smb2.FileDeleteOnClose != 0 && m.DesiredAccess&(smb2.Delete|smb2.GenericAll|smb2.MaximumAllowed) == 0:
		return ntstatus.InvalidParameter
	}
	m.CreateDisposition = smb2.FileOpen
	m.CreateOptions &^= smb2.FileDeleteOnClose
	if m.DesiredAccess &^= writeAccess | generic; m.DesiredAccess == 0 {
		m.DesiredAccess = smb2.FileReadAttributes
	}
	c.readOnly = func(st ntstatus.Status, opened bool) ntstatus.Status {
		switch {
		case opened && disposition == smb2.FileCreate:
			return ntstatus.ObjectNameCollision
		case opened && (truncates || writes || options&smb2.FileDeleteOnClose != 0):
			return ntstatus.AccessDenied
		case !opened && st == ntstatus.ObjectNameNotFound && directory && disposition != smb2.FileOpen:
			return ntstatus.AccessDenied
		}
		return st
	}
	return nil
}
