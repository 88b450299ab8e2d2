package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// minReferralRequest is MaxReferralLevel and an empty RequestFileName, [MS-DFSC] 2.2.2.
const minReferralRequest = 4

// dfsGetReferrals serves FSCTL_DFS_GET_REFERRALS ([MS-SMB2] 3.3.5.15.2). No share is a DFS root
// or link, and a backend's own names must not be told. Samba: the statuses (4.17).
func dfsGetReferrals(_ *Demux, r *session.Request, _ *open, m *smb2.IoctlRequest) {
	if len(m.Input) < minReferralRequest {
		r.Fail(ntstatus.InvalidParameter)
		return
	}
	r.Fail(ntstatus.NotFound)
}
