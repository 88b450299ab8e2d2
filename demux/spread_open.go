package demux

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
)

// How long a backend of data that could not be used for an open is left alone.
const (
	lostPause    = time.Second
	refusedPause = time.Hour // what it says of the user will hardly change while the file is open
)

// errClosing is for a handle that comes too late.
var errClosing = errors.New("the file is being closed")

// obtain is a place's handle, with a request counted in, opened if need be. Blocks. An error means that the backend of the
// name has to serve.
func (s *spread) obtain(ctx context.Context, r *session.Request, place int) (*dataHandle, error) {
	for {
		if h := s.held(place); h != nil {
			return h, nil
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, errClosing
		}
		if s.slots.Load() == nil {
			list := make([]dataSlot, len(s.how.backends))
			s.slots.Store(&list)
		}
		slot := s.slot(place)
		if slot.err != nil && time.Now().Before(slot.until) {
			defer s.mu.Unlock()
			return nil, slot.err
		}
		if wait := slot.opening; wait != nil {
			s.mu.Unlock()
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		done := make(chan struct{})
		slot.opening = done
		s.mu.Unlock()
		if old := slot.handle.Load(); old != nil && !old.at.Alive() {
			s.drop(old)
		}
		fresh, err := s.openAt(ctx, r, place)
		s.opened(slot, fresh, err)
		close(done)
		if err != nil {
			return nil, err
		}
	}
}

// opened puts what a try to open has brought into its slot.
func (s *spread) opened(slot *dataSlot, fresh *handle, err error) {
	d := s.open.tree.demux
	s.mu.Lock()
	slot.opening, slot.err = nil, err
	if err != nil {
		slot.until = time.Now().Add(lostPause)
		if ntstatus.From(err) == ntstatus.AccessDenied {
			slot.until = time.Now().Add(refusedPause)
		}
		s.mu.Unlock()
		return
	}
	if s.closed {
		s.mu.Unlock()
		fresh.close()
		return
	}
	h := &dataHandle{handle: *fresh, slot: slot}
	slot.handle.Store(h)
	out := d.dataHandles.add(h, d.routes.Load().cfg.DataHandles)
	s.mu.Unlock()
	for _, old := range out {
		if old.slot.handle.CompareAndSwap(old, nil) {
			old.leave()
		}
	}
}

// openAt opens the file at a place: as the user who has it open, and where that is refused although he may (a file that
// was created read-only, one whose ACL has changed since) as the backend's data user, for reading and writing
// only (DESIGN 7, Access is decided once).
func (s *spread) openAt(ctx context.Context, r *session.Request, place int) (*handle, error) {
	o, b := s.open, s.how.backends[place]
	pool := o.tree.demux.routes.Load().cfg.Backends[b.Name]
	if pool == nil {
		return nil, fmt.Errorf("backend %q is not configured any more: %w", b.Name, ntstatus.UnexpectedNetworkError)
	}
	if !pool.State().Usable() {
		return nil, fmt.Errorf("backend %q is %v: %w", b.Name, pool.State(), ntstatus.UnexpectedNetworkError)
	}
	user := o.held().at.User()
	h, err := s.openAs(ctx, r, pool, user)
	if b.User == "" || b.User == user || ntstatus.From(err) != ntstatus.AccessDenied {
		return h, err
	}
	log := o.tree.demux.log.With("share", o.tree.share.Name, "backend", b.Name, "user", user, "data_user", b.User, "access", fmt.Sprintf("%#x", uint32(o.granted&dataAccess)))
	if h, err = s.openAs(ctx, r, pool, b.User); err != nil {
		log.Warn("the data user cannot open a file either", "error", err)
		return nil, err
	}
	log.Info("file opened for its user by the data user")
	return h, nil
}

// openAs opens the file as a user and sees that it is the same file.
func (s *spread) openAs(ctx context.Context, r *session.Request, pool *backend.Pool, user string) (*handle, error) {
	o := s.open
	at, err := o.tree.attachData(ctx, pool, user, s.how.share)
	if err != nil {
		return nil, err
	}
	h, reply, err := ask(ctx, r, at, newRequest(smb2.CommandCreate, &smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: o.granted&dataAccess | smb2.FileReadAttributes,
		ShareAccess: shareAll, CreateDisposition: smb2.FileOpen, CreateOptions: smb2.FileNonDirectoryFile | o.options&smb2.FileWriteThrough,
		Name: o.Name(), CreateContexts: []smb2.CreateContext{{Name: []byte(smb2.CreateQueryOnDiskID)}},
	}, 256), 1)
	var m smb2.CreateResponse
	if err := decodeDone(h, reply, err, &m); err != nil {
		at.drop()
		return nil, fmt.Errorf("open at backend %q: %w", pool.Name(), err)
	}
	fresh := &handle{at: at, fid: backend.FileIDOf(m.FileID)}
	if disk, ok := onDiskID(&m); !ok || disk.DiskFileID != o.file.ID {
		fresh.close()
		return nil, fmt.Errorf("backend %q has another file of this name: %w", pool.Name(), ntstatus.ObjectNameNotFound)
	}
	return fresh, nil
}

// prepare brings what a READ or WRITE of a range needs and has not: the layout, handles. Blocks. What cannot be had is left
// to the backend of the name.
func (s *spread) prepare(ctx context.Context, r *session.Request, off, n uint64, write bool) {
	l := s.layout()
	if l == nil {
		l = s.readLayout(ctx, r)
	}
	places := map[int]bool{}
	for end := off + n; off < end && len(places) < maxPieces; {
		place, run := s.run(l, off, end-off, write)
		places[place] = place != atName
		off += run
	}
	var all sync.WaitGroup
	var lost atomic.Bool
	for place, needed := range places {
		if needed {
			all.Go(func() {
				if h, err := s.obtain(ctx, r, place); err == nil {
					h.end()
				} else if unreachable(err) {
					lost.Store(true)
				}
			})
		}
	}
	all.Wait()
	if lost.Load() { // what is kept of what it was given comes before what the backend of the name is given in its place
		_ = s.open.restoreFirst(ctx)
	}
}

// closeThen closes the handle at its backend, does then when that has answered, and gives the reference back.
func (h *dataHandle) closeThen(then func()) {
	submit(h.at, smb2.CommandClose, &smb2.CloseRequest{FileID: h.fid.Wire()}, func(*smb2.Header, *transport.Frame, error) {
		then()
		h.at.drop()
	})
}

// flushAndClose is closeThen after a FLUSH.
func (s *spread) flushAndClose(h *dataHandle, then func()) {
	dirty, name := s.file.unflushed(), h.at.pool.Name()
	submit(h.at, smb2.CommandFlush, &smb2.FlushRequest{FileID: h.fid.Wire()}, func(head *smb2.Header, _ *transport.Frame, err error) {
		if err == nil && head.Status == ntstatus.Success {
			for _, d := range dirty {
				if d.backend == name {
					s.file.flushed(d)
				}
			}
		}
		h.closeThen(then)
	})
}
