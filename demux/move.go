package demux

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// How a move paces itself.
const (
	defaultFailoverTimeout = 60 * time.Second
	// tellAfter is when clients are told that their requests take time.
	tellAfter = 500 * time.Millisecond
	// retryMin and retryMax bound the pause between two rounds through the backends.
	retryMin, retryMax = 10 * time.Millisecond, 250 * time.Millisecond
)

// reopenOptions are the CreateOptions that a handle keeps when it moves. The file is there: what a path may be was
// decided when it was opened first.
const reopenOptions = smb2.FileDirectoryFile | smb2.FileNonDirectoryFile | smb2.FileWriteThrough | smb2.FileNoIntermediateBuffering |
	smb2.FileOpenForBackupIntent | smb2.FileOpenReparsePoint | smb2.FileSequentialOnly | smb2.FileRandomAccess

// errChanged is for an open whose file is not where it was: somebody else has moved, deleted or replaced it.
var errChanged = fmt.Errorf("another file has the name of the open: %w", ntstatus.UnexpectedNetworkError)

// errStays is for an open that is well where it is, and whose home cannot be had.
var errStays = errors.New("no better backend can be reached")

// move takes an open off a handle that is lost or to be given up: it is opened again by its path, as the user who has
// opened it, at its backend if that can still be reached, else at the next one of the share (DESIGN 9). Share modes,
// locks and leases stand in the state and do not move. It has no say in what the client may do: that was decided once.
func (o *open) move(ctx context.Context, old *handle, done chan struct{}) {
	d := o.tree.demux
	ctx, cancel := context.WithTimeoutCause(ctx, d.failoverTimeout(), errNobody)
	defer cancel()
	tell := time.AfterFunc(tellAfter, o.waiting)
	defer tell.Stop()
	began := time.Now()
	if err := old.at.fence(ctx); err != nil {
		d.log.Warn("a backend that was lost with changes under way cannot be fenced: they wait", "share", o.tree.share.Name, "backend", old.at.pool.Name(), "waited", time.Since(began), "error", err)
		o.abort(err, false, done)
		return
	}
	for pause := retryMin; ; pause = min(2*pause, retryMax) {
		h, err := o.reopen(ctx, old)
		if old.at.Alive() { // it is drained, or goes home
			if err == nil {
				err = o.leave(ctx, old, h)
			}
			if err != nil && o.settle(ctx, old, done) {
				d.log.Info("open stays at a backend that it should leave", "share", o.tree.share.Name, "backend", old.at.pool.Name(), "error", err)
				return
			}
		}
		if err == nil {
			if err = o.restoreMoved(ctx, old, h); err != nil {
				h.close()
			}
		}
		if err == nil && o.settle(ctx, h, done) {
			d.log.Debug("open has moved", "share", o.tree.share.Name, "from", old.at.pool.Name(), "to", h.at.pool.Name(), "after", time.Since(began))
			return
		}
		if err == nil { // lost as well
			h.at.drop()
			continue
		}
		if !unreachable(err) || errors.Is(err, errChanged) {
			d.log.Warn("open is lost", "share", o.tree.share.Name, "backend", old.at.pool.Name(), "error", err)
			o.abort(errors.Join(ntstatus.UnexpectedNetworkError, err), true, done)
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			d.log.Warn("no backend for an open", "share", o.tree.share.Name, "waited", time.Since(began), "error", err)
			o.abort(errNobody, false, done)
			return
		}
	}
}

// restoreMoved writes again what the backend that the open has left may not have written to disk, before anything else is
// done to the file. A lane that is lost has left it in its node's cache.
func (o *open) restoreMoved(ctx context.Context, old, h *handle) error {
	from := old.at.pool
	if from == h.at.pool {
		from = nil
	}
	return o.restore(ctx, h, from)
}

// leave closes a handle that is well, when the open has another. smbd answers when all that went through it has been
// done; a deletion that it knows of is not for it to carry out. An error says that the open stays where it is, and h is
// closed instead.
func (o *open) leave(ctx context.Context, old, h *handle) error {
	deletes := false
	if o.arbitrated {
		r := o.tree.demux.tell(&core.Query{Open: o.state})
		deletes = r.Info != nil && r.Info.DeletePending
	}
	if deletes && o.granted&smb2.Delete != 0 {
		head, reply, err := old.at.Do(ctx, smb2.CommandSetInfo, setDisposition(old.fid, false), 1)
		if err := decodeDone(head, reply, err, &smb2.SetInfoResponse{}); err != nil && !unreachable(err) {
			h.close()
			return err
		}
	}
	if upto := o.mark(); upto > 0 && o.data == nil && o.flushAtPool(ctx, old.at.pool, old.name) == nil {
		o.tree.demux.kept.flushed(o.key(), upto)
	}
	head, reply, err := old.at.Do(ctx, smb2.CommandClose, &smb2.CloseRequest{FileID: old.fid.Wire()}, 1)
	_ = decodeDone(head, reply, err, &smb2.CloseResponse{}) // where it fails the handle is closed by other means
	_ = o.deleteAgain(ctx, h)                               // where it fails h is lost, and the next handle is told
	return nil
}

// failoverTimeout is how long a request waits for a backend.
func (d *Demux) failoverTimeout() time.Duration {
	if t := d.routes.Load().cfg.FailoverTimeout; t > 0 {
		return t
	}
	return defaultFailoverTimeout
}

// reopen opens the file of o once more, at the first backend that can be reached. Unreachable errors are
// those of all of them.
func (o *open) reopen(ctx context.Context, old *handle) (*handle, error) {
	name, other := o.currentNames()
	share := o.tree.share
	var tried []*backend.Pool
	var last error = ntstatus.UnexpectedNetworkError
	for {
		pool := o.tree.demux.routes.Load().home(share, name, func(p *backend.Pool) bool { return slices.Contains(tried, p) })
		if pool == nil {
			return nil, last
		}
		if pool == old.at.pool && old.at.Alive() {
			return nil, errStays
		}
		h, err := o.reopenAt(ctx, pool, old, name)
		if other != "" && (errors.Is(err, errChanged) || errors.Is(err, ntstatus.ObjectNameNotFound) || errors.Is(err, ntstatus.ObjectPathNotFound)) {
			h, err = o.reopenAt(ctx, pool, old, other)
		}
		if err == nil {
			return h, nil
		}
		last = err
		if !unreachable(err) || errors.Is(err, errChanged) || ctx.Err() != nil {
			return nil, err
		}
		tried = append(tried, pool)
	}
}

// currentNames are the open's name as the state has it, since others may have renamed the file, and the one that it
// has if a rename under way has happened; empty: none is.
func (o *open) currentNames() (name, other string) {
	o.mu.Lock()
	name, other = o.name, o.renaming
	o.mu.Unlock()
	path, stream := splitStream(name)
	if !o.arbitrated {
		return name, other
	}
	if r := o.tree.demux.tell(&core.Query{Open: o.state}); r.Info != nil && r.Info.Name.Path != foldName(path) {
		name = r.Info.Name.Path + stream
	}
	return name, other
}

// reopenAt opens the file at a backend, with the access that the client has been granted, and sees that it is the
// same file.
func (o *open) reopenAt(ctx context.Context, pool *backend.Pool, old *handle, name string) (*handle, error) {
	at, err := o.tree.attachAgain(ctx, pool, old.at.User())
	if err != nil {
		return nil, err
	}
	q := smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: o.granted, ShareAccess: shareAll,
		CreateDisposition: smb2.FileOpen, CreateOptions: o.options & reopenOptions, Name: name,
		CreateContexts: []smb2.CreateContext{{Name: []byte(smb2.CreateQueryOnDiskID)}},
	}
	if o.file.Snapshot != 0 {
		q.CreateContexts = append(q.CreateContexts, smb2.CreateContext{Name: []byte(smb2.CreateTimewarpToken), Data: (&smb2.TimewarpToken{Timestamp: smb2.Filetime(o.file.Snapshot)}).Append(nil)})
	}
	h, reply, err := at.Do(ctx, smb2.CommandCreate, &q, 1)
	if err == nil && (h.Status == ntstatus.NetworkNameDeleted || h.Status == ntstatus.UserSessionDeleted) {
		reply.Release()
		err = ntstatus.UnexpectedNetworkError
	}
	var m smb2.CreateResponse
	if err := decodeDone(h, reply, err, &m); err != nil {
		at.drop()
		return nil, fmt.Errorf("reopen at backend %q: %w", pool.Name(), err)
	}
	held := &handle{at: at, fid: backend.FileIDOf(m.FileID), name: name}
	if disk, ok := onDiskID(&m); !ok || disk.DiskFileID != o.file.ID {
		held.close()
		return nil, fmt.Errorf("backend %q: %w", pool.Name(), errChanged)
	}
	if err := o.deleteAgain(ctx, held); err != nil {
		held.close()
		return nil, err
	}
	return held, nil
}

// isAt says whether the open's file has a name.
func (o *open) isAt(ctx context.Context, h *handle, name string) bool {
	head, reply, err := h.at.Do(ctx, smb2.CommandCreate, &smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: smb2.FileReadAttributes, ShareAccess: shareAll,
		CreateDisposition: smb2.FileOpen, CreateOptions: smb2.FileOpenReparsePoint, Name: name,
		CreateContexts: []smb2.CreateContext{{Name: []byte(smb2.CreateQueryOnDiskID)}},
	}, 1)
	var m smb2.CreateResponse
	if decodeDone(head, reply, err, &m) != nil {
		return false
	}
	h.at.refs.Add(1)
	closeAtBackend(h.at, backend.FileIDOf(m.FileID))
	disk, ok := onDiskID(&m)
	return ok && disk.DiskFileID == o.file.ID
}

// deleteAgain makes the file delete-pending at its new backend where clients have made it so.
func (o *open) deleteAgain(ctx context.Context, h *handle) error {
	if !o.arbitrated || o.granted&smb2.Delete == 0 {
		return nil
	}
	o.mu.Lock()
	deletes := o.doomed
	o.mu.Unlock()
	if r := o.tree.demux.tell(&core.Query{Open: o.state}); !deletes && (r.Info == nil || !r.Info.DeletePending) {
		return nil
	}
	head, reply, err := h.at.Do(ctx, smb2.CommandSetInfo, setDisposition(h.fid, true), 1)
	if err = decodeDone(head, reply, err, &smb2.SetInfoResponse{}); unreachable(err) {
		return err
	}
	if err != nil {
		o.tree.demux.log.Warn("a file that is to be deleted cannot be made so at its new backend", "share", o.tree.share.Name, "backend", h.at.pool.Name(), "error", err)
	}
	return nil
}

// attachAgain is an attachment for an open that moves, as the user who has it, with a reference for its handle.
func (t *tree) attachAgain(ctx context.Context, pool *backend.Pool, user string) (*attachment, error) {
	t.mu.Lock()
	if a := t.at[pool]; a != nil && a.Alive() && a.User() == user {
		a.refs.Add(1)
		t.mu.Unlock()
		return a, nil
	}
	id, as := t.identity, t.user
	t.mu.Unlock()
	bt, err := pool.Connect(ctx, user, t.share.BackendShare, affinity(t.session.session))
	if err != nil {
		return nil, fmt.Errorf("share %q: %w", t.share.Name, t.share.connectFault(err))
	}
	if as != user {
		return newAttachment(pool, bt, 1), nil // of a user who was here before: the tree has no use for it
	}
	a := newAttachment(pool, bt, 2)
	if kept, err := t.keep(a, id, as); err == nil {
		return kept, nil
	}
	// The tree is closed, its opens are being closed: the handle has it alone.
	if bt, err = pool.Connect(ctx, user, t.share.BackendShare, affinity(t.session.session)); err != nil {
		return nil, fmt.Errorf("share %q: %w", t.share.Name, t.share.connectFault(err))
	}
	return newAttachment(pool, bt, 1), nil
}

// ask sends what build makes for the open's handle, and waits; where its lane is lost meanwhile, it waits for the open
// to move and does so again, unless did finds that it has happened. Sent and lost twice, it is not sent again (DESIGN 5).
// The reply is the caller's to release, nil where did says so. r's client is told when it takes time.
func (o *open) ask(ctx context.Context, r *session.Request, build func(h *handle) *transport.Frame, charge uint16, did func(ctx context.Context, h *handle) (bool, error)) (smb2.Header, *transport.Frame, error) {
	held := o.held()
	for losses := 0; ; {
		h, reply, err := ask(ctx, r, held.at, build(held), charge)
		if !o.lostOn(held, &h, err) {
			return h, reply, err
		}
		if reply != nil {
			reply.Release()
		}
		was := err == nil || sent(err)
		if was {
			losses++
		}
		if losses > 1 {
			return h, nil, ntstatus.UnexpectedNetworkError
		}
		next, moved := o.elsewhere(ctx, held)
		if moved != nil {
			return h, nil, moved
		}
		held = next
		if was && did != nil {
			done, err := did(ctx, held)
			if done || err != nil {
				return smb2.Header{}, nil, err
			}
		}
	}
}
