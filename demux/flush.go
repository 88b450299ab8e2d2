package demux

import (
	"context"
	"slices"
	"sync"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// flush serves FLUSH ([MS-SMB2] 3.3.5.11). It is for the file, not for the handle: where data went to other backends, by
// whichever open, those are flushed too.
func flush(r *session.Request) {
	o := openOf(r)
	if o == nil {
		return
	}
	if o.tree.readOnly {
		// Samba: a handle without write access may not flush, and here none has it (4.17).
		r.Fail(ntstatus.AccessDenied)
		return
	}
	if o.failsOnce() {
		r.Fail(ntstatus.IoDeviceError)
		return
	}
	if o.data == nil || o.data.file.clean() {
		relay(r, o, 0, pass)
		return
	}
	r.Go(func(ctx context.Context) { o.data.flush(ctx, r) })
}

// flush flushes at all backends that the file is dirty at, and then at the one of the name, whose answer is the client's
// if the others had none that is worse.
func (s *spread) flush(ctx context.Context, r *session.Request) {
	if s.open.granted&(smb2.FileWriteData|smb2.FileAppendData) == 0 {
		relay(r, s.open, 0, pass) // the backend has a status for it
		return
	}
	list := s.file.unflushed()
	failed := make([]ntstatus.Status, len(list))
	var all sync.WaitGroup
	for i, d := range list {
		all.Go(func() { failed[i] = s.flushAt(ctx, r, d) })
	}
	all.Wait()
	s.open.tree.demux.dataFiles.cleaned(s.file)
	if i := slices.IndexFunc(failed, func(st ntstatus.Status) bool { return st != ntstatus.Success }); i >= 0 {
		r.SetFault(session.FaultBackend)
		r.Fail(failed[i])
		return
	}
	relay(r, s.open, 0, pass)
}

// flushAt flushes at one backend. One that cannot be reached any more may have lost what it was given: that is said once
// (STATUS_IO_DEVICE_ERROR, DESIGN 8).
func (s *spread) flushAt(ctx context.Context, r *session.Request, d dirtyAt) ntstatus.Status {
	if d.backend == s.open.held().at.pool.Name() {
		s.file.flushed(d) // the FLUSH through the handle of the name is still to come
		return ntstatus.Success
	}
	place := slices.IndexFunc(s.how.backends, func(b DataBackend) bool { return b.Name == d.backend })
	if place >= 0 {
		if h, err := s.obtain(ctx, r, place); err == nil {
			defer h.end()
			head, reply, err := ask(ctx, r, h.at, newRequest(smb2.CommandFlush, &smb2.FlushRequest{FileID: h.fid.Wire()}, 24), 1)
			switch err := decodeDone(head, reply, err, &smb2.FlushResponse{}); {
			case err == nil:
				s.file.flushed(d)
				return ntstatus.Success
			case !unreachable(err) && !gone(ntstatus.From(err)):
				return ntstatus.From(err)
			}
			s.drop(h)
		}
	}
	s.file.flushed(d)
	return ntstatus.IoDeviceError
}
