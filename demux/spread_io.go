package demux

import (
	"context"
	"math"
	"time"

	"smbproxy/internal/ntstatus"
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
	return s.serve(r, m.Offset, uint64(m.Length), 0, false, false)
}

// The smbd of the name keeps the write time by its own rules, if it learns that data are written: from the first WRITE of an
// open and from one in primeEvery after it, whose first bytes go through its handle.
//
// Samba: the time is set 2 s after a first write ("smbd:writetimeupdatedelay"; smbtorture wants half a second), and again at
// CLOSE if there was one since (4.17).
const (
	primeEvery = 500 * time.Millisecond
	primeBytes = 4096
)

// prime is how many of a WRITE's n bytes go through the handle of the name.
func (s *spread) prime(n uint64) uint64 {
	last, now := s.primed.Load(), time.Now().UnixNano()
	if now-last < int64(primeEvery) || !s.primed.CompareAndSwap(last, now) {
		return 0
	}
	return min(n, primeBytes)
}

// write takes a WRITE over; false: it is for the backend of the name, as an append is.
func (s *spread) write(r *session.Request, m *smb2.WriteRequest) bool {
	if s == nil || m.Channel != smb2.ChannelNone || len(m.WriteChannelInfo) > 0 {
		return false
	}
	return s.serve(r, m.Offset, uint64(len(m.Data)), s.prime(uint64(len(m.Data))), true, false)
}

// serve sends a READ or WRITE to where its bytes are served, the first head of them to the backend of the name. prepared says that what it lacks cannot be had.
func (s *spread) serve(r *session.Request, off, n, head uint64, write, prepared bool) bool {
	if n == head || off > math.MaxInt64 || off+n > math.MaxInt64 {
		return false
	}
	l := s.layout()
	if l == nil {
		if prepared {
			return false
		}
		return s.later(r, off, n, head, write)
	}
	place, run := s.run(l, off, n, write)
	if run < n || head > 0 && place != atName {
		return s.split(r, l, off, n, head, write, prepared)
	}
	if place == atName {
		s.wentToName(write)
		return false
	}
	h := s.held(place)
	if h == nil {
		return !prepared && s.later(r, off, n, 0, write)
	}
	if write {
		s.file.written(s.how.backends[place].Name)
		if s.open.writesThrough(h.at.pool) {
			throughDisk(r.Frame().Bytes())
		}
	}
	relayData(r, s.open, h, off, uint32(n))
	return true
}

// wentToName notes that the backend of the name writes where a layout says MDS: it may be about to get objects.
func (s *spread) wentToName(write bool) {
	if write && s.how.mount != nil && !s.file.hurry.Load() {
		s.file.hurry.Store(true)
	}
}

// later is serve after what is lacking has been brought.
func (s *spread) later(r *session.Request, off, n, head uint64, write bool) bool {
	r.Go(func(ctx context.Context) {
		s.prepare(ctx, r, off, n, write)
		if !s.serve(r, off, n, head, write, true) {
			relay(r, s.open, uint32(n), wrote)
		}
	})
	return true
}

// relayData is relay to a backend of data, with h's request counted in.
func relayData(r *session.Request, o *open, h *dataHandle, off uint64, payload uint32) {
	p := prepareRelay(r, o, &h.handle, payload, passData)
	p.data, p.offset = h, off
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
	if err == nil && h.Status == ntstatus.Success && h.Command == smb2.CommandRead {
		var m smb2.ReadResponse
		if m.Decode(reply.Bytes()) == nil {
			p.open.data.position.Store(p.offset + uint64(len(m.Data)) + 1)
		}
	}
	wrote(p, h, reply, err)
}
