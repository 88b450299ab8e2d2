package smb2

import (
	"encoding/binary"
	"net/netip"
)

// Bits of NetworkInterfaceInfo.Capability.
const (
	NetworkInterfaceRSS  uint32 = 0x00000001
	NetworkInterfaceRDMA uint32 = 0x00000002
)

// Families and length of SOCKADDR_STORAGE, [MS-SMB2] 2.2.32.5.1: Windows' numbers.
const (
	sockaddrFamilyINET    = 0x0002
	sockaddrFamilyINET6   = 0x0017
	networkInterfaceEntry = 152
)

// NetworkInterfaceInfo is one entry of the output of
// FSCTL_QUERY_NETWORK_INTERFACE_INFO, [MS-SMB2] 2.2.32.5.
type NetworkInterfaceInfo struct {
	IfIndex    uint32
	Capability uint32
	LinkSpeed  uint64 // bits per second
	Address    netip.Addr
}

// DecodeNetworkInterfaces reads the list. An address of another family is the zero
// Addr.
func DecodeNetworkInterfaces(b []byte) (list []NetworkInterfaceInfo, err error) {
	err = entries("NETWORK_INTERFACE_INFO", b, networkInterfaceEntry, func(e []byte) error {
		n := NetworkInterfaceInfo{IfIndex: le.Uint32(e[4:]), Capability: le.Uint32(e[8:]), LinkSpeed: le.Uint64(e[16:])}
		switch le.Uint16(e[24:]) {
		case sockaddrFamilyINET:
			n.Address = netip.AddrFrom4([4]byte(e[28:32]))
		case sockaddrFamilyINET6:
			n.Address = netip.AddrFrom16([16]byte(e[32:48]))
		}
		list = append(list, n)
		return nil
	})
	return list, err
}

// AppendNetworkInterfaces appends the list. The port, whose bytes would be in network
// order, is 0: clients use the one they know.
func AppendNetworkInterfaces(dst []byte, list []NetworkInterfaceInfo) []byte {
	start, prev := len(dst), -1
	for _, n := range list {
		dst = link(dst, start, prev, 8)
		prev = len(dst)
		var b []byte
		dst, b = grow(dst, networkInterfaceEntry)
		le.PutUint32(b[4:], n.IfIndex)
		le.PutUint32(b[8:], n.Capability)
		le.PutUint64(b[16:], n.LinkSpeed)
		switch a := n.Address; {
		case a.Is4():
			le.PutUint16(b[24:], sockaddrFamilyINET)
			binary.BigEndian.PutUint32(b[28:], binary.BigEndian.Uint32(a.AsSlice()))
		case a.Is6():
			le.PutUint16(b[24:], sockaddrFamilyINET6)
			copy(b[32:], a.AsSlice())
		}
	}
	return dst
}
