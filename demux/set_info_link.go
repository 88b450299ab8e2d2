package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// setLink serves FileLinkInformation ([MS-FSCC] 2.4.27.2): the link's name is normalised like any
// other. Streams have no links.
func setLink(r *session.Request, o *open, m *smb2.SetInfoRequest) {
	var info smb2.FileLinkInfo
	if err := retarget(m, &info, &info.FileName); err != nil {
		r.FailErr(err)
		return
	}
	name := info.FileName
	if _, stream := splitStream(name); stream != "" {
		r.Fail(ntstatus.InvalidParameter) // Samba: the same (4.17)
		return
	}
	if o.tree.share.crosses(o.Name(), name) {
		r.Fail(ntstatus.NotSameDevice)
		return
	}
	sendSetInfo(r, o, m, o.linking(name))
}
