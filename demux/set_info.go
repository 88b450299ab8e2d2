package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// setRule is a row of the allow-list of SET_INFO.
type setRule struct {
	// run serves it; nil: it is relayed as it is.
	run func(r *session.Request, o *open, m *smb2.SetInfoRequest)
	// readOnly is what it ends with on a read-only share; zero: it changes the open only.
	readOnly ntstatus.Status
}

// fileSettings are the file information classes that can be set; another is
// STATUS_INVALID_INFO_CLASS. They are those that Samba 4.17 takes, with its statuses for
// read-only shares, but for links, which it would make.
var fileSettings = map[smb2.InfoClass]setRule{
	smb2.FileBasicInformation:           {readOnly: ntstatus.AccessDenied},
	smb2.FileRenameInformation:          {run: setRename, readOnly: ntstatus.MediaWriteProtected},
	smb2.FileLinkInformation:            {run: setLink, readOnly: ntstatus.MediaWriteProtected},
	smb2.FileDispositionInformation:     {run: setDeletePending, readOnly: ntstatus.AccessDenied},
	smb2.FilePositionInformation:        {},
	smb2.FileFullEaInformation:          {readOnly: ntstatus.AccessDenied},
	smb2.FileModeInformation:            {},
	smb2.FileAllocationInformation:      {run: setSize, readOnly: ntstatus.AccessDenied},
	smb2.FileEndOfFileInformation:       {run: setSize, readOnly: ntstatus.AccessDenied},
	smb2.FileValidDataLengthInformation: {readOnly: ntstatus.AccessDenied},
	smb2.FileShortNameInformation:       {readOnly: ntstatus.AccessDenied},
}

// setInfo serves SET_INFO ([MS-SMB2] 3.3.5.21).
func setInfo(r *session.Request) {
	o := openOf(r)
	if o == nil {
		return
	}
	var m smb2.SetInfoRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	rule := setRule{readOnly: ntstatus.AccessDenied}
	known := true
	switch m.InfoType {
	case smb2.InfoFile:
		rule, known = fileSettings[m.FileInfoClass]
	case smb2.InfoFilesystem:
		known = m.FileInfoClass == smb2.FileFsControlInformation
	case smb2.InfoSecurity: // has no classes
	default:
		r.Fail(ntstatus.InvalidParameter)
		return
	}
	switch {
	case !known:
		r.Fail(ntstatus.InvalidInfoClass)
	case o.tree.readOnly && rule.readOnly != ntstatus.Success:
		r.Fail(rule.readOnly)
	case rule.run != nil:
		rule.run(r, o, &m)
	default:
		if m.InfoType == smb2.InfoFile && m.FileInfoClass == smb2.FilePositionInformation {
			o.data.atNamePosition()
		}
		change := settingChange(&m)
		relay(r, o, uint32(len(m.Buffer)), telling(pass, func() { o.changed(change) }))
	}
}
