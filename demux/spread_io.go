package demux

import (
	"context"
	"math"

	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
)

// maxPieces bounds the requests that one READ or WRITE is split into: what would be more goes to the backend of the name as
// it is.
const maxPieces = 128

// read takes a READ over; false: it is for the backend of the name.
func (s *spread) read(r *session.Request, m *smb2.ReadRequest) bool {
	if s == nil || m.Channel != smb2.ChannelNone || len(m.ReadChannelInfo) > 0 {
		return false
	}
	return s.serve(r, m.Offset, uint64(m.Length), false, false)
}

// write takes a WRITE over; false: it is for the backend of the name, as an append and an open's first WRITE are.
func (s *spread) write(r *session.Request, m *smb2.WriteRequest) bool {
	if s == nil || m.Channel != smb2.ChannelNone || len(m.WriteChannelInfo) > 0 {
		return false
	}
	if !s.primed.Load() {
		s.primed.Store(true)
		return false
	}
	return s.serve(r, m.Offset, uint64(len(m.Data)), true, false)
}

// serve sends a READ or WRITE to where its bytes are served. prepared says that what it lacks cannot be had.
func (s *spread) serve(r *session.Request, off, n uint64, write, prepared bool) bool {
	if n == 0 || off > math.MaxInt64 || off+n > math.MaxInt64 {
		return false
	}
	l := s.layout()
	if l == nil {
		if prepared {
			return false
		}
		return s.later(r, off, n, write)
	}
	place, run := s.run(l, off, n, write)
	if run < n {
		return s.split(r, l, off, n, write, prepared)
	}
	if place == atName {
		s.wentToName(write)
		return false
	}
	h := s.held(place)
	if h == nil {
		return !prepared && s.later(r, off, n, write)
	}
	if write {
		s.file.written(s.how.backends[place].Name)
	}
	relayData(r, s.open, h, uint32(n))
	return true
}

// wentToName notes that the backend of the name writes where a layout says MDS: it may be about to get objects.
func (s *spread) wentToName(write bool) {
	if write && s.how.mount != nil && !s.file.hurry.Load() {
		s.file.hurry.Store(true)
	}
}

// later is serve after what is lacking has been brought.
func (s *spread) later(r *session.Request, off, n uint64, write bool) bool {
	r.Go(func(ctx context.Context) {
		s.prepare(ctx, r, off, n, write)
		if !s.serve(r, off, n, write, true) {
			relay(r, s.open, uint32(n), wrote)
		}
	})
	return true
}

// relayData is relay to a backend of data, with h's request counted in.
func relayData(r *session.Request, o *open, h *dataHandle, payload uint32) {
	p := prepareRelay(r, o, &h.handle, payload, passData)
	p.data = h
	p.at.Submit(&p.call)
}

// passData is pass from a backend of data.
func passData(p *op, h *smb2.Header, reply *transport.Frame, err error) {
	d := p.data
	p.data = nil
	if err != nil || gone(h.Status) {
		p.open.data.drop(d)
	}
	d.end()
	wrote(p, h, reply, err)
}
