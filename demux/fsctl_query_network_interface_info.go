package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// queryNetworkInterfaceInfo serves FSCTL_QUERY_NETWORK_INTERFACE_INFO ([MS-SMB2] 3.3.5.15.11): our
// own addresses, never a backend's. Without multichannel it does not exist.
func queryNetworkInterfaceInfo(d *Demux, r *session.Request, _ *open, m *smb2.IoctlRequest) {
	interfaces := d.routes.Load().cfg.Interfaces
	if len(interfaces) == 0 || r.Connection.Dialect() < smb2.Dialect300 {
		r.Fail(ntstatus.InvalidDeviceRequest)
		return
	}
	list := make([]smb2.NetworkInterfaceInfo, len(interfaces))
	for i, f := range interfaces {
		list[i] = smb2.NetworkInterfaceInfo{IfIndex: f.Index, LinkSpeed: f.LinkSpeed, Address: f.Addr}
		if f.RSS {
			list[i].Capability = smb2.NetworkInterfaceRSS
		}
	}
	replyFsctl(r, m, smb2.AppendNetworkInterfaces(nil, list))
}
