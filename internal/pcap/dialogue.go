package pcap

import (
	"errors"
	"fmt"
	"net/netip"
)

// Frame is one SMB frame of a capture, its length prefix removed.
type Frame struct {
	Src, Dst netip.AddrPort
	Data     []byte
}

// ErrOrder is wrapped by the error about a capture whose packets are not in the order in which they were sent.
var ErrOrder = errors.New("packets lost or out of order")

// Frames reads the SMB frames of all connections of a capture in the order in which they were complete, both directions
// mixed as they happened: who answered what. A capture that does not tell (packets lost, swapped, repeated; connections
// without their start) is an error, wrapped around ErrOrder.
func Frames(path string) ([]Frame, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var list []Frame
	type side struct {
		next uint32
		left []byte
	}
	sides := map[flow]*side{}
	var fault error
	err = packets(b, func(ip []byte) {
		f, s, ok := parseTCP(ip)
		if !ok || len(s.data) == 0 || fault != nil {
			return
		}
		d := sides[f]
		if d == nil {
			d = &side{next: s.seq}
			sides[f] = d
		}
		if s.seq != d.next {
			fault = fmt.Errorf("%w: %v to %v: sequence number %d, want %d", ErrOrder, f.src, f.dst, s.seq, d.next)
			return
		}
		d.next += uint32(len(s.data))
		d.left = append(d.left, s.data...)
		for len(d.left) >= 4 {
			n, ok := frameAt(d.left)
			if !ok {
				fault = fmt.Errorf("%w: %v to %v: no frame begins with %x", ErrOrder, f.src, f.dst, d.left[:min(8, len(d.left))])
				return
			}
			if len(d.left) < 4+n {
				return
			}
			if n > 0 {
				list = append(list, Frame{f.src, f.dst, d.left[4 : 4+n : 4+n]})
			}
			d.left = d.left[4+n:]
		}
	})
	if err == nil {
		err = fault
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}
