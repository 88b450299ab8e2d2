package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// directoryClasses are the forms of a directory entry that are relayed ([MS-SMB2] 2.2.33); smbd
// 4.17 knows the same.
var directoryClasses = map[smb2.InfoClass]bool{
	smb2.FileDirectoryInformation:       true,
	smb2.FileFullDirectoryInformation:   true,
	smb2.FileBothDirectoryInformation:   true,
	smb2.FileNamesInformation:           true,
	smb2.FileIdBothDirectoryInformation: true,
	smb2.FileIdFullDirectoryInformation: true,
}

// queryDirectory serves QUERY_DIRECTORY ([MS-SMB2] 3.3.5.18).
func queryDirectory(r *session.Request) {
	o := openOf(r)
	if o == nil {
		return
	}
	var m smb2.QueryDirectoryRequest
	switch err := m.Decode(r.Message()); {
	case err != nil:
		r.FailErr(err)
	case !directoryClasses[m.FileInformationClass]:
		r.Fail(ntstatus.InvalidInfoClass)
	case !validPattern(m.FileName):
		r.Fail(ntstatus.ObjectNameInvalid)
	default:
		relay(r, o, m.OutputBufferLength, pass)
	}
}
