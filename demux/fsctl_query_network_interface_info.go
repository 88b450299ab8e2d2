package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// assumedLinkSpeed is what an interface is said to have of which nothing is known, in bits per
// second. Samba: the same (4.17).
const assumedLinkSpeed = 1e9

// queryNetworkInterfaceInfo serves FSCTL_QUERY_NETWORK_INTERFACE_INFO ([MS-SMB2] 3.3.5.15.11): our
// own addresses, never a backend's. Without a list it is the one that the client has found already.
func queryNetworkInterfaceInfo(d *Demux, r *session.Request, _ *open, m *smb2.IoctlRequest) {
	interfaces := d.routes.Load().cfg.Interfaces
	if r.Connection.Dialect() < smb2.Dialect300 {
		r.Fail(ntstatus.InvalidDeviceRequest)
		return
	}
	if len(interfaces) == 0 {
		interfaces = []Interface{{Index: 1, Addr: address(r.Connection.LocalAddr()).Unmap(), LinkSpeed: assumedLinkSpeed}}
	}
	list := make([]smb2.NetworkInterfaceInfo, len(interfaces))
	for i, f := range interfaces {
		list[i] = smb2.NetworkInterfaceInfo{IfIndex: f.Index, LinkSpeed: f.LinkSpeed, Address: f.Addr}
		if f.RSS {
			list[i].Capability = smb2.NetworkInterfaceRSS
		}
	}
	out := smb2.AppendNetworkInterfaces(nil, list)
	if uint64(len(out)) > uint64(m.MaxOutputResponse) {
		r.Fail(ntstatus.BufferTooSmall)
		return
	}
	replyFsctl(r, m, out)
}
