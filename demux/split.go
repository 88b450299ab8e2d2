package demux

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"smbproxy/demux/backend"
	"smbproxy/demux/layout"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
)

// A READ or WRITE that crosses from one backend to another is split, its pieces are sent in parallel, and the
// last answer ends it:
//
//	request ──> piece 0 ──> backend of data 2 ──┐
//	        ──> piece 1 ──> backend of data 0 ──┼──> joined: one reply
//	        ──> piece 2 ──> backend of name   ──┘
//
// The data of a READ are copied from the pieces' replies to their place in the one reply, those of a WRITE from
// the client's message into the pieces' requests: once, as anywhere.

// split is a READ or WRITE in pieces. It is used again.
type split struct {
	spread *spread
	req    *session.Request
	write  bool
	frame  *transport.Frame // of a READ's reply
	min    uint32           // MinimumCount
	pieces []*piece         // in the order of their offsets
	n      int              // how many of them are in use
	left   atomic.Int32     // pieces without an answer, and 1 while they are being sent
	waits  atomic.Bool      // the client knows that it takes time
}

// piece is a part of a split.
type piece struct {
	call    backend.Call
	split   *split
	place   int
	data    *dataHandle // that it goes through, counted in; nil: the handle of the name
	off     uint64      // in the file
	at      uint32      // in the request's payload
	length  uint32
	got     uint32 // read or written
	status  ntstatus.Status
	held    *handle // through which it was sent last
	losses  int     // how often a backend was lost with it
	through bool    // it is on disk when it is acknowledged
}

// splits are those not in use.
var splits = sync.Pool{New: func() any { return new(split) }}

// split serves a request whose range is at more than one place, its first head bytes at the backend of the name; false: it is for the backend of the name after all.
func (s *spread) split(r *session.Request, l *layout.Layout, off, n, head uint64, write, prepared bool) bool {
	x := splits.Get().(*split)
	x.spread, x.req, x.write, x.n, x.frame = s, r, write, 0, nil
	x.waits.Store(false)
	for at := uint64(0); at < n; {
		place, run := s.run(l, off+at, n-at, write)
		if at < head {
			place, run = atName, head-at
		}
		p := x.next()
		if p == nil {
			return x.give(false)
		}
		*p = piece{split: x, place: place, off: off + at, at: uint32(at), length: uint32(run)}
		at += run
		if place == atName {
			s.wentToName(write)
			continue
		}
		if p.data = s.held(place); p.data == nil && !prepared {
			return x.give(s.later(r, off, n, head, write))
		}
	}
	r.Retain() // WRITE's data are needed until the end; a READ may have to go to the backend of the name as it is
	if !write {
		var m smb2.ReadRequest
		_ = m.Decode(r.Message())
		x.min = m.MinimumCount
		x.frame = transport.NewFrame(smb2.ReadResponseDataOffset + int(n))
		x.frame.SetBytes(x.frame.Bytes()[:smb2.ReadResponseDataOffset+int(n)])
	}
	x.left.Store(int32(x.n) + 1)
	for _, p := range x.pieces[:x.n] {
		p.send()
	}
	x.answered()
	return true
}

// next is a piece that is not in use yet; nil: there are too many.
func (x *split) next() *piece {
	if x.n == maxPieces {
		return nil
	}
	if x.n == len(x.pieces) {
		x.pieces = append(x.pieces, new(piece))
	}
	x.n++
	return x.pieces[x.n-1]
}

// give gives the split back before anything has been sent, with what split shall return.
func (x *split) give(served bool) bool {
	for _, p := range x.pieces[:x.n] {
		if p.data != nil {
			p.data.end()
		}
	}
	x.free()
	return served
}

// free forgets what the split was for.
func (x *split) free() {
	x.spread, x.req, x.frame = nil, nil, nil
	for _, p := range x.pieces[:x.n] {
		p.data, p.split, p.held = nil, nil, nil
	}
	splits.Put(x)
}

// send sends the piece to where it goes.
func (p *piece) send() {
	s := p.split.spread
	if p.data != nil {
		if p.split.write {
			s.file.written(s.how.backends[p.place].Name)
		}
		p.sendTo(&p.data.handle)
		return
	}
	p.sendTo(s.open.held())
}

// sendTo sends it through a handle.
func (p *piece) sendTo(h *handle) {
	head := smb2.Header{Command: smb2.CommandRead}
	var f *transport.Frame
	if p.split.write {
		var m smb2.WriteRequest
		_ = m.Decode(p.split.req.Message()) // it has been before
		head.Command = smb2.CommandWrite
		f = transport.NewFrame(smb2.WriteRequestDataOffset + int(p.length))
		q := smb2.WriteRequest{Offset: p.off, FileID: h.fid.Wire(), Flags: m.Flags}
		if p.split.spread.open.writesThrough(h.at.pool) {
			q.Flags |= smb2.WriteFlagWriteThrough
		}
		p.through = q.Flags&smb2.WriteFlagWriteThrough != 0

		f.SetBytes(append(q.AppendFixed(head.Append(f.Bytes()), int(p.length)), m.Data[p.at:p.at+p.length]...))
	} else {
		f = transport.NewFrame(smb2.HeaderSize + 49)
		q := smb2.ReadRequest{Offset: p.off, FileID: h.fid.Wire(), Length: p.length}
		f.SetBytes(q.Append(head.Append(f.Bytes())))
	}
	p.held = h
	p.call = backend.Call{Frame: f, CreditCharge: smb2.CreditCharge(int(p.length)), Done: p}
	h.at.Submit(&p.call)
}

// Pending tells the client that it takes time (backend.Completion).
func (p *piece) Pending(*backend.Call) { p.wait() }

// wait sends the interim reply, once (parkable). READ and WRITE end by themselves, so CANCEL is not passed on.
func (p *piece) wait() {
	if !p.split.waits.Swap(true) {
		p.split.req.Pending(func() {})
	}
}

// gone says whether a status means that a handle is not there any more.
func gone(st ntstatus.Status) bool {
	return st == ntstatus.FileClosed || st == ntstatus.NetworkNameDeleted || st == ntstatus.UserSessionDeleted
}

// Complete takes a piece's answer in (backend.Completion). Where its backend is lost, the one of the name does it, which may
// have to move first: to read or write at an offset once more does no harm (replay.go).
func (p *piece) Complete(_ *backend.Call, h *smb2.Header, reply *transport.Frame, err error) {
	x := p.split
	o := x.spread.open
	lost := o.lostOn(p.held, h, err)
	if d := p.data; d != nil {
		p.data = nil
		if lost {
			x.spread.drop(d)
		}
		d.end()
	}
	if lost {
		if err != nil && sent(err) {
			p.losses++
		}
		if p.losses < 2 {
			_, why := o.park(p, p.held)
			if why == nil {
				return
			}
			err = why
		} else {
			err = ntstatus.UnexpectedNetworkError
		}
	}
	if err != nil {
		p.fail(err)
		return
	}
	if p.status = h.Status; p.status == ntstatus.Success {
		p.take(reply)
	}
	x.answered()
}

// again sends the piece through another handle of its open, where it is sure that a WRITE that may have reached the lost backend is
// not carried out there later (parkable).
func (p *piece) again(ctx context.Context, h *handle) {
	if p.losses > 0 && p.split.write {
		if err := p.held.at.fence(ctx); err != nil {
			p.fail(err)
			return
		}
	}
	_ = p.split.spread.open.restoreFirst(ctx)
	p.sendTo(h)
}

// fail ends the piece without an answer (parkable).
func (p *piece) fail(err error) {
	p.status = ntstatus.From(err)
	p.split.req.SetFault(session.FaultBackend)
	p.split.answered()
}

// take takes the data or the count out of a reply.
func (p *piece) take(reply *transport.Frame) {
	x := p.split
	if x.write {
		var m smb2.WriteResponse
		if err := within(m.Decode(reply.Bytes()), smb2.CommandWrite, int(m.Count), p.length); err != nil {
			p.malformed(err)
			return
		}
		p.got = m.Count
		x.spread.keep(p)
		return
	}
	var m smb2.ReadResponse
	if err := within(m.Decode(reply.Bytes()), smb2.CommandRead, len(m.Data), p.length); err != nil {
		p.malformed(err)
		return
	}
	p.got = uint32(copy(x.frame.Bytes()[smb2.ReadResponseDataOffset+p.at:], m.Data))
}

// keep keeps the data of a WRITE's piece until they are flushed, in the client's message (kept.go).
func (s *spread) keep(p *piece) {
	if p.through || s.open.options&smb2.FileWriteThrough != 0 {
		return
	}
	f := p.split.req.Frame()
	f.Retain()
	at := int(binary.LittleEndian.Uint16(f.Bytes()[smb2.HeaderSize+2:]))
	s.open.keep(p.held.at.pool, p.off, f, at+int(p.at), int(p.got))
}

// malformed is for an answer that is none.
func (p *piece) malformed(err error) {
	p.split.req.Connection.Log().Error("malformed reply of a backend", "error", err)
	p.status = ntstatus.UnexpectedNetworkError
}

// answered counts an answer; the last one ends the request.
func (x *split) answered() {
	if x.left.Add(-1) != 0 {
		return
	}
	if x.write {
		x.endWrite()
	} else {
		x.endRead()
	}
}

// endRead joins a READ. What comes behind the end of the file is empty; a hole before data of another piece means that the
// file has grown meanwhile, and then the backend of the name reads all of it.
func (x *split) endRead() {
	r, f, o := x.req, x.frame, x.spread.open
	total, short := uint32(0), false
	for _, p := range x.pieces[:x.n] {
		switch {
		case p.status == ntstatus.EndOfFile, p.status == ntstatus.Success && !short:
		case p.status == ntstatus.Success && p.got > 0:
			length := x.pieces[x.n-1].at + x.pieces[x.n-1].length
			x.done()
			f.Release()
			relay(r, o, length, pass)
			return
		case p.status == ntstatus.Success:
		default:
			x.fail(p.status)
			f.Release()
			return
		}
		if !short {
			total += p.got
		}
		short = short || p.got < p.length
	}
	minimum, s, end := x.min, x.spread, x.pieces[0].off+uint64(total)
	x.done()
	defer f.Release()
	if total == 0 || total < minimum {
		r.Fail(ntstatus.EndOfFile)
		return
	}
	s.position.Store(end + 1)
	b := f.Bytes()
	(&smb2.ReadResponse{}).AppendFixed(b[:smb2.HeaderSize], int(total))
	f.SetBytes(b[:smb2.ReadResponseDataOffset+total])
	r.ReplyFrame(ntstatus.Success, f)
}

// endWrite joins a WRITE: the count is that of the bytes before the first that was not written.
func (x *split) endWrite() {
	r := x.req
	total, short := uint32(0), false
	for _, p := range x.pieces[:x.n] {
		if p.status != ntstatus.Success {
			x.fail(p.status)
			return
		}
		if !short {
			total += p.got
		}
		short = short || p.got < p.length
	}
	x.spread.open.wroteData()
	x.done()
	r.Reply(ntstatus.Success, &smb2.WriteResponse{Count: total})
}

// fail ends the request with a piece's status.
func (x *split) fail(st ntstatus.Status) {
	r, d, share, at := x.req, x.spread.open.tree.demux, x.spread.open.tree.share, x.spread.open.held().at.pool
	x.done()
	if st == ntstatus.DiskFull {
		d.diskFull(at, share)
	}
	r.Fail(st)
}

// done gives the split back; the request is still to be ended.
func (x *split) done() { x.free() }
