package demux

import (
	"encoding/binary"

	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// smbd keeps the position behind the last READ of a handle. Where that READ went through another handle, it is ours to tell.

// atNamePosition notes that the backend of the name knows the position.
func (s *spread) atNamePosition() {
	if s != nil && s.position.Load() != 0 {
		s.position.Store(0)
	}
}

// withPosition is finish with the position put into the answer to a query that has it.
func (s *spread) withPosition(m *smb2.QueryInfoRequest, finish finisher) finisher {
	if s == nil || m.InfoType != smb2.InfoFile || s.position.Load() == 0 {
		return finish
	}
	var at int
	switch m.FileInfoClass {
	case smb2.FilePositionInformation:
	case smb2.FileAllInformation:
		at = 80 // [MS-FSCC] 2.4.2: Basic 40, Standard 24, Internal 8, Ea 4, Access 4
	default:
		return finish
	}
	return func(p *op, h *smb2.Header, reply *transport.Frame, err error) {
		if position := s.position.Load(); position != 0 && err == nil && carries(h) {
			var m smb2.QueryInfoResponse
			if m.Decode(reply.Bytes()) == nil && len(m.OutputBuffer) >= at+8 {
				binary.LittleEndian.PutUint64(m.OutputBuffer[at:], position-1)
			}
		}
		finish(p, h, reply, err)
	}
}
