package rpc

import "encoding/binary"

// mgmtSyntax is AFA8BD80-7D8A-11C9-BEF4-08002B102989 version 1.0: the remote management interface, which every pipe
// offers beside its own ([C706] appendix Q).
var mgmtSyntax = syntax{uuid: [16]byte{0x80, 0xbd, 0xa8, 0xaf, 0x8a, 0x7d, 0xc9, 0x11, 0xbe, 0xf4, 0x08, 0x00, 0x2b, 0x10, 0x29, 0x89}, major: 1}

// withManagement are the interfaces of a pipe: its own, and the management of it.
func withManagement(own ...service) []service {
	m := service{syntax: mgmtSyntax}
	list := append(own, m)
	all := list[:len(list):len(list)]
	list[len(list)-1].call = func(_ Caller, opnum uint16, stub []byte, order binary.ByteOrder) ([]byte, uint32) {
		return manage(all, opnum, stub, order)
	}
	return list
}

// manage is the five methods of the interface. Samba: what they tell (4.17).
func manage(all []service, opnum uint16, stub []byte, order binary.ByteOrder) (answer []byte, fault uint32) {
	argument := func(i int) uint32 {
		if len(stub) < 4*i+4 {
			return 0
		}
		return order.Uint32(stub[4*i:])
	}
	switch opnum {
	case 0: // rpc__mgmt_inq_if_ids
		n := uint32(len(all))
		b := words(1, n, n)
		for i := range n {
			b = le.AppendUint32(b, 2+i)
		}
		for i := range all {
			b = all[i].syntax.append(b)
		}
		return le.AppendUint32(b, success), 0
	case 1: // rpc__mgmt_inq_stats: calls and packets, in and out, which nobody counts
		n := min(argument(0), 4)
		b := words(n, n)
		return append(b, make([]byte, 4*n+4)...), 0
	case 2: // rpc__mgmt_is_server_listening
		return words(success, 1), 0
	case 3: // rpc__mgmt_stop_server_listening
		return words(errorAccessDenied), 0
	case 4: // rpc__mgmt_inq_princ_name: there is none
		return words(argument(1), 0, 1, 0, errorAccessDenied), 0
	}
	return nil, faultOpRange
}
