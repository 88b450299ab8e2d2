package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// oplockBreak serves OPLOCK_BREAK: acknowledgements of breaks ([MS-SMB2] 3.3.5.22). No oplock and
// no lease is ever granted, so there is nothing to acknowledge; the statuses are those of
// Samba 4.17.
func oplockBreak(r *session.Request) {
	msg := r.Message()
	if smb2.IsLeaseBreak(msg) {
		var m smb2.LeaseBreakRequest
		if err := m.Decode(msg); err != nil {
			r.FailErr(err)
			return
		}
		r.Fail(ntstatus.ObjectNameNotFound)
		return
	}
	var m smb2.OplockBreakRequest
	if err := m.Decode(msg); err != nil {
		r.FailErr(err)
		return
	}
	if o := treeOf(r).session.find(m.FileID); o == nil {
		r.Fail(ntstatus.FileClosed)
		return
	}
	r.Fail(ntstatus.InvalidOplockProtocol)
}
