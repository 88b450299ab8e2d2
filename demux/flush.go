package demux

import (
	"context"
	"slices"
	"sync"

	"smbproxy/demux/backend"
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
	upto := s.open.mark() // what is acknowledged from here on may come too late for what follows
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
	p := prepareRelay(r, s.open, s.open.held(), 0, pass)
	p.upto = min(p.upto, upto)
	p.at.Submit(&p.call)
}

// flushAt flushes at one backend. What one that cannot be reached any more was given is kept, and written again by the
// backend of the name, which is flushed after it; where it is not kept any more failsOnce has said so, or will (DESIGN 8).
func (s *spread) flushAt(ctx context.Context, r *session.Request, d dirtyAt) ntstatus.Status {
	held := s.open.held()
	if d.backend == held.at.pool.Name() {
		s.file.flushed(d) // the FLUSH through the handle of the name is still to come
		return ntstatus.Success
	}
	place := slices.IndexFunc(s.how.backends, func(b DataBackend) bool { return b.Name == d.backend })
	if place >= 0 {
		h, err := s.obtain(ctx, r, place)
		if err == nil {
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
	if pool := s.open.tree.demux.routes.Load().cfg.Backends[d.backend]; pool != nil {
		if err := s.open.restore(ctx, held, pool); err != nil {
			return ntstatus.From(err)
		}
	}
	s.file.flushed(d)
	return ntstatus.Success
}

// servesData says whether a backend serves data of the open's share apart from names.
func (o *open) servesData(pool *backend.Pool) bool {
	return o.data != nil && slices.ContainsFunc(o.data.how.backends, func(b DataBackend) bool { return b.Name == pool.Name() })
}

// flushDataAt flushes the open's file at a backend of data, through a handle of its own: the open may be closed by now.
func (o *open) flushDataAt(ctx context.Context, pool *backend.Pool, name string) error {
	s := o.data
	users := []string{o.held().at.User()}
	for _, b := range s.how.backends {
		if b.Name == pool.Name() && b.User != "" {
			users = append(users, b.User)
		}
	}
	dirty := s.file.unflushed()
	var err error
	for _, user := range users {
		var at *attachment
		if at, err = o.tree.attachData(ctx, pool, user, s.how.share); err != nil {
			return err
		}
		var h *handle
		if h, err = o.openToWriteAt(ctx, at, name); ntstatus.From(err) == ntstatus.AccessDenied {
			continue
		}
		if err != nil {
			return err
		}
		defer h.close()
		head, reply, err := h.at.Do(ctx, smb2.CommandFlush, &smb2.FlushRequest{FileID: h.fid.Wire()}, 1)
		if err := decodeDone(head, reply, err, &smb2.FlushResponse{}); err != nil {
			return err
		}
		for _, d := range dirty {
			if d.backend == pool.Name() {
				s.file.flushed(d)
			}
		}
		o.tree.demux.dataFiles.cleaned(s.file)
		return nil
	}
	return err
}
