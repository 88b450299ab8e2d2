package demux

import (
	"context"
	"errors"
	"fmt"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/statedb/core"
)

// lostAt marks what is kept of what a backend had that is down: it has to be written again, wherever the file is then.
func (k *keptWrites) lostAt(pool *backend.Pool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.files {
		for _, w := range f.log {
			if w.pool == pool {
				if len(f.lost) == 0 {
					f.lost = map[*backend.Pool]bool{}
					k.anyLost.Add(1)
				}
				f.lost[pool] = true
				break
			}
		}
	}
}

// restore writes again, through h, what is kept of the open's file and was written at from or at a backend that was down
// since, and all that came after it. Whoever else wants to use the file waits. nil: there is nothing to write any more.
func (o *open) restore(ctx context.Context, h *handle, from *backend.Pool) error {
	k := &o.tree.demux.kept
	key := o.key()
	for {
		k.mu.Lock()
		f := k.files[key]
		if f == nil {
			k.mu.Unlock()
			return nil
		}
		if wait := f.restored; wait != nil {
			k.mu.Unlock()
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		first := -1
		for i, w := range f.log {
			if w.pool == from || f.lost[w.pool] {
				first = i
				break
			}
		}
		if first < 0 {
			k.mu.Unlock()
			return nil
		}
		list := append([]keptWrite(nil), f.log[first:]...)
		for _, w := range list {
			if w.frame != nil {
				w.frame.Retain()
			}
		}
		done := make(chan struct{})
		f.restored = done
		k.mu.Unlock()
		err := o.rewrite(ctx, h, list)
		for _, w := range list {
			if w.frame != nil {
				w.frame.Release()
			}
		}
		k.mu.Lock()
		f.restored = nil
		if err == nil {
			k.movedLocked(f, list[0].seq, list[len(list)-1].seq, h.at.pool)
		}
		k.mu.Unlock()
		close(done)
		switch {
		case err == nil || unreachable(err):
		case notThere(err):
			k.forget(key) // deleted, or replaced
			return nil
		default:
			o.tree.demux.log.Error("data that were acknowledged and not flushed are gone with their backend", "share", o.tree.share.Name, "backend", h.at.pool.Name(), "error", err)
			k.fail(key)
			return nil
		}
		return err
	}
}

// notThere says whether a file has gone with its name.
func notThere(err error) bool {
	return errors.Is(err, ntstatus.ObjectNameNotFound) || errors.Is(err, ntstatus.ObjectPathNotFound) || errors.Is(err, ntstatus.DeletePending) || errors.Is(err, errChanged)
}

// restoreFirst is restore for an open that has just been made: what is kept of the file may be at a backend that is lost,
// while nobody who had it open there has moved yet.
func (o *open) restoreFirst(ctx context.Context) error {
	k, h := &o.tree.demux.kept, o.held()
	var from *backend.Pool
	k.mu.Lock()
	if f := k.files[o.key()]; f != nil {
		for _, w := range f.log {
			if w.pool != h.at.pool && down(w.pool) {
				from = w.pool
				break
			}
		}
	}
	k.mu.Unlock()
	if from == nil {
		return nil
	}
	return o.restore(ctx, h, from)
}

// down says whether a backend has taken with it what was not on disk, as far as anybody can tell.
func down(p *backend.Pool) bool {
	st := p.State()
	return st == backend.StateDown || st == backend.StateFenced
}

// movedLocked notes that the log from one seq to another is pool's now; what is older is still where it was.
func (k *keptWrites) movedLocked(f *keptFile, from, upto uint64, pool *backend.Pool) {
	if k.files[f.key] != f {
		return
	}
	for i := range f.log {
		if w := &f.log[i]; w.seq >= from && w.seq <= upto {
			k.sum(w.pool).Add(-int64(w.size))
			k.sum(pool).Add(int64(w.size))
			w.pool = pool
		}
	}
	if len(f.lost) > 0 {
		f.lost = nil
		k.anyLost.Add(-1)
	}
}

// rewrite carries out a part of a log where h is, through a handle of its own: the write time that the file has then, which
// a client may have set, is put back, and smbd (4.17) keeps one that a handle has set as long as that is open.
func (o *open) rewrite(ctx context.Context, at *handle, list []keptWrite) error {
	h, err := o.openToWrite(ctx, at.at.pool, at.at.User(), at.name)
	switch {
	case err == nil:
		defer h.closeNow(ctx)
	case errors.Is(err, ntstatus.AccessDenied) && o.granted&smb2.FileWriteData != 0:
		h = at // made read-only while it was open, say: who has it open may go on writing
	default:
		return err
	}
	var times smb2.FileBasicInfo
	if queryFile(ctx, h, smb2.FileBasicInformation, 40, &times) == nil {
		defer func() {
			head, reply, err := h.at.Do(ctx, smb2.CommandSetInfo, &smb2.SetInfoRequest{
				InfoType: smb2.InfoFile, FileInfoClass: smb2.FileBasicInformation, FileID: h.fid.Wire(),
				Buffer: (&smb2.FileBasicInfo{LastWriteTime: times.LastWriteTime}).Append(nil),
			}, 1)
			_ = decodeDone(head, reply, err, &smb2.SetInfoResponse{}) // who may write may set it
		}()
	}
	for _, w := range list {
		var err error
		if w.frame == nil {
			head, reply, e := h.at.Do(ctx, smb2.CommandSetInfo, &smb2.SetInfoRequest{
				InfoType: smb2.InfoFile, FileInfoClass: smb2.FileEndOfFileInformation, FileID: h.fid.Wire(), Buffer: (&smb2.FileEndOfFileInfo{EndOfFile: w.off}).Append(nil),
			}, 1)
			err = decodeDone(head, reply, e, &smb2.SetInfoResponse{})
		} else {
			data := w.frame.Bytes()[w.at : w.at+w.size]
			head, reply, e := h.at.Do(ctx, smb2.CommandWrite, &smb2.WriteRequest{FileID: h.fid.Wire(), Offset: w.off, Data: data}, smb2.CreditCharge(w.size))
			err = decodeDone(head, reply, e, &smb2.WriteResponse{})
		}
		if err != nil {
			return fmt.Errorf("write again what is kept: %w", err)
		}
	}
	return nil
}

// openToWrite opens the open's file once more, to write or flush what is kept of it.
func (o *open) openToWrite(ctx context.Context, pool *backend.Pool, user, name string) (*handle, error) {
	at, err := o.tree.attachAgain(ctx, pool, user)
	if err != nil {
		return nil, err
	}
	return o.openToWriteAt(ctx, at, name)
}

// openToWriteAt is openToWrite through an attachment, whose reference it takes over.
func (o *open) openToWriteAt(ctx context.Context, at *attachment, name string) (*handle, error) {
	head, reply, err := at.Do(ctx, smb2.CommandCreate, &smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: smb2.FileWriteData | smb2.FileReadAttributes | smb2.FileWriteAttributes, ShareAccess: shareAll,
		CreateDisposition: smb2.FileOpen, CreateOptions: smb2.FileNonDirectoryFile, Name: name,
		CreateContexts: []smb2.CreateContext{{Name: []byte(smb2.CreateQueryOnDiskID)}},
	}, 1)
	var m smb2.CreateResponse
	if err := decodeDone(head, reply, err, &m); err != nil {
		at.drop()
		return nil, err
	}
	h := &handle{at: at, fid: backend.FileIDOf(m.FileID), name: name}
	if disk, ok := onDiskID(&m); !ok || disk.DiskFileID != o.file.ID {
		h.close()
		return nil, errChanged
	}
	return h, nil
}

// flushKept flushes a file at every backend that something is kept of, and gives that up. What a backend that is down had
// is left for restore.
func (d *Demux) flushKept(ctx context.Context, f *keptFile) {
	k := &d.kept
	k.mu.Lock()
	if k.files[f.key] != f || f.flushing || f.restored != nil || len(f.lost) > 0 {
		k.mu.Unlock()
		return
	}
	f.flushing = true
	o, upto, name := f.by, f.seq, f.name
	var pools []*backend.Pool
	for _, w := range f.log {
		if len(pools) == 0 || pools[len(pools)-1] != w.pool {
			pools = append(pools, w.pool)
		}
	}
	k.mu.Unlock()
	seen := map[*backend.Pool]bool{}
	var err error
	for _, p := range pools {
		if !seen[p] && err == nil {
			seen[p] = true
			err = o.flushAtPool(ctx, p, name)
		}
	}
	k.mu.Lock()
	f.flushing = false
	k.mu.Unlock()
	switch {
	case err == nil:
		k.flushed(f.key, upto)
	case notThere(err), errors.Is(err, ntstatus.AccessDenied):
		k.flushed(f.key, upto) // deleted, or nobody's any more who could say so
	case !unreachable(err):
		d.log.Error("a file cannot be flushed", "share", o.tree.share.Name, "error", err)
		k.fail(f.key)
	}
}

// turn waits for a name's turn among those that are being created, renamed or deleted, alone where nobody has it open; the
// result ends it.
func (o *open) turn(ctx context.Context, name string) (end func()) {
	d := o.tree.demux
	path, _ := splitStream(name)
	b := &core.Begin{Req: d.state.NewRequestID(), MayCreate: true, Name: core.Name{Volume: o.tree.volume(), Path: foldName(path)}}
	if d.state.Do(ctx, b, nil).Status != ntstatus.Success {
		return func() {}
	}
	return func() { d.tell(&core.End{Req: b.Req, Name: b.Name}) }
}

// flushAtPool flushes the open's file at a backend: through a handle of its own, or where its user may not have one any more through
// the open's.
//
// Samba: a FLUSH sets the write time if its handle has written (4.17), which the client has not asked for.
func (o *open) flushAtPool(ctx context.Context, pool *backend.Pool, name string) error {
	held := o.held()
	if held.at.pool != pool && o.servesData(pool) {
		return o.flushDataAt(ctx, pool, name)
	}
	turn := o.turn(ctx, name)
	defer turn()
	h, err := o.openToWrite(ctx, pool, held.at.User(), name)
	if ntstatus.From(err) == ntstatus.AccessDenied && held.at.pool == pool && o.granted&smb2.FileWriteData != 0 {
		head, reply, err := held.at.Do(ctx, smb2.CommandFlush, &smb2.FlushRequest{FileID: held.fid.Wire()}, 1)
		return decodeDone(head, reply, err, &smb2.FlushResponse{})
	}
	if err != nil {
		return err
	}
	defer h.closeNow(ctx) // before the name's turn ends
	head, reply, err := h.at.Do(ctx, smb2.CommandFlush, &smb2.FlushRequest{FileID: h.fid.Wire()}, 1)
	return decodeDone(head, reply, err, &smb2.FlushResponse{})
}
