package pcap

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
)

// Stream is one direction of a TCP connection.
type Stream struct {
	Src, Dst netip.AddrPort
	// Chunks are the bytes in order. Where the capture lost some, a new chunk begins.
	Chunks [][]byte
}

// segment is the payload of one TCP segment.
type segment struct {
	seq  uint32
	data []byte
}

// flow names a direction of a connection.
type flow struct{ src, dst netip.AddrPort }

// Streams reads all TCP streams of a capture, in the order of their first packet. A
// port pair that was used twice is one stream with two chunks or more.
func Streams(path string) ([]Stream, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var order []flow
	segments := map[flow][]segment{}
	err = packets(b, func(ip []byte) {
		f, s, ok := parseTCP(ip)
		if !ok || len(s.data) == 0 {
			return
		}
		if _, seen := segments[f]; !seen {
			order = append(order, f)
		}
		segments[f] = append(segments[f], s)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	streams := make([]Stream, 0, len(order))
	for _, f := range order {
		streams = append(streams, Stream{Src: f.src, Dst: f.dst, Chunks: assemble(segments[f])})
	}
	return streams, nil
}

// parseTCP reads the headers of an IP packet.
func parseTCP(ip []byte) (f flow, s segment, ok bool) {
	var src, dst netip.Addr
	var tcp []byte
	switch ip[0] >> 4 {
	case 4:
		head, total := int(ip[0]&0xf)*4, int(binary.BigEndian.Uint16(ip[2:]))
		if total == 0 {
			total = len(ip) // left to the network card
		}
		fragment := binary.BigEndian.Uint16(ip[6:]) & 0x3fff
		if ip[9] != 6 || fragment != 0 || head < 20 || total < head || total > len(ip) {
			return f, s, false
		}
		src, dst, tcp = netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20])), ip[head:total]
	case 6:
		if len(ip) < 40 || ip[6] != 6 {
			return f, s, false
		}
		total := 40 + int(binary.BigEndian.Uint16(ip[4:]))
		if total > len(ip) {
			return f, s, false
		}
		src, dst, tcp = netip.AddrFrom16([16]byte(ip[8:24])), netip.AddrFrom16([16]byte(ip[24:40])), ip[40:total]
	}
	if len(tcp) < 20 || int(tcp[12]>>4)*4 > len(tcp) {
		return f, s, false
	}
	f = flow{netip.AddrPortFrom(src, binary.BigEndian.Uint16(tcp)), netip.AddrPortFrom(dst, binary.BigEndian.Uint16(tcp[2:]))}
	return f, segment{binary.BigEndian.Uint32(tcp[4:]), tcp[int(tcp[12]>>4)*4:]}, true
}

// assemble puts segments in order, drops what was sent twice and begins a new chunk at
// each gap. Sequence numbers are taken relative to the first segment, so that they may
// wrap; what lies before it is sorted before it.
func assemble(list []segment) (chunks [][]byte) {
	base := list[0].seq
	slices.SortStableFunc(list, func(a, b segment) int { return cmp.Compare(int32(a.seq-base), int32(b.seq-base)) })
	var chunk []byte
	next := int32(0)
	for i, s := range list {
		at := int32(s.seq - base)
		switch end := at + int32(len(s.data)); {
		case i == 0 || at > next:
			if chunk != nil {
				chunks = append(chunks, chunk)
			}
			chunk = append([]byte(nil), s.data...)
			next = end
		case end > next:
			chunk = append(chunk, s.data[next-at:]...)
			next = end
		}
	}
	return append(chunks, chunk)
}
