package pcap

import "bytes"

// smbMagic is what the protocol ids of all SMB versions and of the transform headers
// end in.
var smbMagic = []byte("SMB")

// Frames splits the chunks of a stream into SMB frames (length prefix of
// [MS-SMB2] 2.1 removed). A chunk that begins in the middle of a frame is searched for
// the next one. lost counts the bytes that belong to no whole frame.
func (s *Stream) Frames() (frames [][]byte, lost int) {
	for _, b := range s.Chunks {
		for len(b) > 0 {
			if n, ok := frameAt(b); ok {
				if n == 0 || len(b) < 4+n {
					if n != 0 {
						lost += len(b)
						break
					}
					b = b[4:] // keep-alive
					continue
				}
				frames = append(frames, b[4:4+n])
				b = b[4+n:]
				continue
			}
			i := resync(b[1:])
			lost += 1 + i
			b = b[1+i:]
		}
	}
	return frames, lost
}

// frameAt says whether a frame can begin at b and how long it is.
func frameAt(b []byte) (n int, ok bool) {
	if len(b) < 4 || (b[0] != 0 && b[0] != 0x85) {
		return 0, false
	}
	n = int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	if b[0] == 0x85 {
		return 0, n == 0 // NetBIOS keep-alive
	}
	if len(b) < 8 {
		return n, true
	}
	return n, b[4] >= 0xfc && bytes.Equal(b[5:8], smbMagic)
}

// resync finds the next place where a frame can begin; len(b) if there is none.
func resync(b []byte) int {
	for i := range b {
		if len(b)-i >= 8 {
			if n, ok := frameAt(b[i:]); ok && n > 0 {
				return i
			}
		}
	}
	return len(b)
}
