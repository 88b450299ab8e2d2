package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// ioctl serves IOCTL ([MS-SMB2] 3.3.5.15): the FSCTLs of the table in fsctl.go. The order of the
// checks is smbd's: the file, the flag, the code.
func (d *Demux) ioctl(r *session.Request) {
	var m smb2.IoctlRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	rule, known := fsctls[m.CtlCode]
	var o *open
	if rule.noFile {
		if r.FileID != smb2.RelatedFileID {
			r.Fail(ntstatus.InvalidParameter) // [MS-SMB2] 3.3.5.15
			return
		}
	} else if o = openOf(r); o == nil {
		return
	}
	switch {
	case m.Flags != smb2.IoctlIsFsctl:
		r.Fail(ntstatus.NotSupported)
	case !known:
		r.Fail(ntstatus.InvalidDeviceRequest)
	case o != nil && o.tree.readOnly && rule.readOnly != ntstatus.Success:
		r.Fail(rule.readOnly)
	case o != nil && o.local != nil && m.CtlCode != smb2.FsctlPipeTransceive:
		r.Fail(localFsctlStatus(m.CtlCode))
	default:
		rule.run(d, r, o, &m)
	}
}

// ioctlPayload is what an IOCTL costs in credits, and as much as may come back.
func ioctlPayload(m *smb2.IoctlRequest) uint32 {
	return max(m.MaxInputResponse+m.MaxOutputResponse, uint32(len(m.Input)+len(m.Output)))
}
