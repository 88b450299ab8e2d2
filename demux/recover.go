package demux

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// After a restart the state holds the persistent handles of the process before this one, without sessions; their
// handles at the backends went with its connections, whose last requests smbd may still be working on. Nobody
// connects to a share before
//
//	its backends have fenced the old sessions      nothing of the past changes data any more: DESIGN 9
//	its persistent handles are open again          names and file systems are what they were
//
// and then clients come back for their handles (reconnect.go), or their time runs out.

// Past is what the process before this one has left behind.
type Past struct {
	Sessions map[string][]backend.OldSession // that it had at backends, by their names
	Opens    []core.OpenInfo                 // its persistent handles, as the state has restored them
}

// recovery keeps clients from shares whose past is not over.
type recovery struct {
	past  Past
	gates map[string]chan struct{} // by Share.space; closed when clients may come. Never changes
	runs  sync.Once
}

// newRecovery makes the gates.
func newRecovery(past Past, cfg *Config) *recovery {
	v := &recovery{past: past, gates: map[string]chan struct{}{}}
	for i := range cfg.Shares {
		s := &cfg.Shares[i]
		if len(v.opens(s)) > 0 || len(v.backends(s)) > 0 {
			v.gates[s.space()] = make(chan struct{})
		}
	}
	return v
}

// opens are the persistent handles on a share's files.
func (v *recovery) opens(s *Share) (list []core.OpenInfo) {
	for _, o := range v.past.Opens {
		if o.Name.Volume == s.volume() {
			list = append(list, o)
		}
	}
	return list
}

// backends are those of a share where there were sessions.
func (v *recovery) backends(s *Share) (list []string) {
	for name := range v.past.Sessions {
		if s.uses(name) {
			list = append(list, name)
		}
	}
	return list
}

// uses says whether a backend serves the share or a part of it.
func (s *Share) uses(name string) bool {
	for _, b := range s.Backends {
		if b == name {
			return true
		}
	}
	for _, r := range s.Routes {
		for _, b := range r.Backends {
			if b == name {
				return true
			}
		}
	}
	return false
}

// wait blocks until the share's past is over, or ctx ends. TREE_CONNECT waits here, without an interim reply: that has
// no room for the TreeId ([MS-SMB2] 2.2.1.1).
func (v *recovery) wait(ctx context.Context, s *Share) error {
	gate := v.gates[s.space()]
	if gate == nil {
		return nil
	}
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("share %q is being recovered: %w", s.Name, context.Cause(ctx))
	}
}

// recovered waits for the share's past to be over, as long as for a backend.
func (d *Demux) recovered(ctx context.Context, s *Share) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.failoverTimeout(), errNobody)
	defer cancel()
	return d.recovery.wait(ctx, s)
}

// Recover ends the past that New was given, and returns when it is over or ctx has ended. It is run once, beside the
// server.
func (d *Demux) Recover(ctx context.Context) error {
	var err error
	d.recovery.runs.Do(func() { err = d.recover(ctx) })
	return err
}

// recover is Recover.
func (d *Demux) recover(ctx context.Context) error {
	v, routes := d.recovery, d.routes.Load()
	for name, list := range v.past.Sessions {
		if pool := routes.cfg.Backends[name]; pool != nil {
			pool.Inherit(list...)
		}
	}
	var group errgroup.Group
	begun := map[string]bool{}
	for i := range routes.cfg.Shares {
		s := routes.share(routes.cfg.Shares[i].Name)
		gate := v.gates[s.space()]
		if gate == nil || begun[s.space()] {
			continue
		}
		begun[s.space()] = true
		group.Go(func() error {
			if err := d.recoverShare(ctx, s); err != nil {
				return fmt.Errorf("recovery of share %q: %w", s.Name, err)
			}
			close(gate)
			return nil
		})
	}
	return group.Wait()
}

// recoverShare fences and opens again.
func (d *Demux) recoverShare(ctx context.Context, s *Share) error {
	start := time.Now()
	routes := d.routes.Load()
	for _, name := range d.recovery.backends(s) {
		if pool := routes.cfg.Backends[name]; pool != nil {
			if err := d.fencePast(ctx, pool, d.recovery.past.Sessions[name], len(s.Backends) > 1); err != nil {
				return err
			}
		}
	}
	list := d.recovery.opens(s)
	var group errgroup.Group
	group.SetLimit(recoverAtOnce)
	for _, info := range list {
		group.Go(func() error {
			d.restore(ctx, s, info)
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	d.log.Info("share is recovered", "share", s.Name, "handles", len(list), "after", time.Since(start))
	return nil
}

// fencePast waits until the old sessions at a backend can do nothing any more; with others beside it, also until it is
// known to be down: then what changes something waits by itself (creation.fenceOthers), and reading goes on.
func (d *Demux) fencePast(ctx context.Context, pool *backend.Pool, list []backend.OldSession, others bool) error {
	fenced := make(chan error, 1)
	if !d.spawn(func(life context.Context) { fenced <- pool.Fence(life, list...) }) {
		return context.Canceled
	}
	look := time.NewTicker(retryMax)
	defer look.Stop()
	for {
		select {
		case err := <-fenced:
			return err
		case <-look.C:
			if others && !pool.State().Usable() {
				d.log.Warn("a backend is down and its old sessions are not fenced: changes wait", "backend", pool.Name())
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// recoverAtOnce is how many handles are opened at a time.
const recoverAtOnce = 32

// restore gives a persistent handle of the past its handle at a backend, and keeps it for its client. One whose file has
// gone meanwhile is given up; one that cannot be opened now is tried again when its client comes back.
func (d *Demux) restore(ctx context.Context, s *Share, info core.OpenInfo) {
	o := d.pastOpen(s, info)
	h, err := d.openPast(ctx, o, info)
	switch st := ntstatus.From(err); {
	case err == nil:
		o.names.Store(h)
	case st == ntstatus.ObjectNameNotFound || st == ntstatus.ObjectPathNotFound:
		d.log.Warn("the file of a persistent handle has gone", "open", uint64(info.Open), "share", s.Name)
		d.unlinked(d.tell(&core.Close{Open: info.Open}).Delete, ntstatus.Success)
		return
	default:
		d.log.Warn("a persistent handle is not open at a backend", "open", uint64(info.Open), "share", s.Name, "error", err)
	}
	d.detached.put(o)
	if d.tell(&core.Query{Open: info.Open}).Info == nil { // its time has run out meanwhile
		if o = d.detached.take(info.Open); o != nil {
			o.closeAtBackend(core.Result{})
		}
	}
}

// pastOpen is an open of the past, in a tree that nobody has.
func (d *Demux) pastOpen(s *Share, info core.OpenInfo) *open {
	nobody := &session.Session{ID: hashed(string(info.Client[:]), 0)} // the handles of one client lie together
	t := &tree{
		demux: d, session: &clientSession{session: nobody, demux: d, closed: true}, share: s, readOnly: s.Policy.ReadOnly, user: info.User,
		born: time.Now(), closed: true,
	}
	name := info.Display
	if name == "" {
		name = info.Name.Path
	}
	if info.Stream != "" {
		name += ":" + info.Stream
	}
	return &open{
		id: fileID(info.Open), state: info.Open, tree: t, directory: info.Directory, access: info.Access, born: time.Now(),
		arbitrated: true, granted: info.Access, name: name, file: info.File, options: pastOptions(&info),
		deleteOnClose: info.DeleteOnClose || info.DeletePending && info.Access&smb2.Delete != 0,
	}
}

// openPast opens its file, in the name of its user.
func (d *Demux) openPast(ctx context.Context, o *open, info core.OpenInfo) (*handle, error) {
	s := o.tree.share
	pool := d.routes.Load().home(s, info.Name.Path, func(*backend.Pool) bool { return false })
	if pool == nil {
		return nil, ntstatus.NetworkNameDeleted
	}
	bt, err := pool.Connect(ctx, info.User, s.BackendShare, affinity(o.tree.session.session))
	if err != nil {
		return nil, err
	}
	at := newAttachment(pool, bt, 1)
	h, reply, err := bt.Do(ctx, smb2.CommandCreate, pastCreate(o, &info), 1)
	var m smb2.CreateResponse
	if err := decodeDone(h, reply, err, &m); err != nil {
		at.drop()
		return nil, err
	}
	held := &handle{at: at, fid: backend.FileIDOf(m.FileID), name: o.Name()}
	disk, ok := onDiskID(&m)
	if !ok || disk.DiskFileID != info.File.ID {
		held.close()
		return nil, errors.Join(errors.New("the name leads to another file"), ntstatus.ObjectNameNotFound)
	}
	d.volumes.seed(device{pool, disk.VolumeID}, info.File.Volume)
	return held, nil
}

// pastCreate is the CREATE that opens an open's file again: what it may do was decided when it was opened first, so the
// access is the one that was granted.
func pastCreate(o *open, info *core.OpenInfo) *smb2.CreateRequest {
	q := &smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation, ShareAccess: shareAll, CreateDisposition: smb2.FileOpen,
		DesiredAccess: o.granted, Name: o.Name(), CreateOptions: pastOptions(info),
		CreateContexts: []smb2.CreateContext{{Name: []byte(smb2.CreateQueryOnDiskID)}},
	}
	if info.File.Snapshot != 0 {
		t := smb2.TimewarpToken{Timestamp: smb2.Filetime(info.File.Snapshot)}
		q.CreateContexts = append(q.CreateContexts, smb2.CreateContext{Name: []byte(smb2.CreateTimewarpToken), Data: t.Append(nil)})
	}
	return q
}

// pastOptions are the CreateOptions by which a file is opened again.
func pastOptions(info *core.OpenInfo) smb2.CreateOptions {
	o := smb2.FileNonDirectoryFile
	if info.Directory {
		o = smb2.FileDirectoryFile
	}
	if info.Durable == core.DurablePersistent {
		o |= smb2.FileWriteThrough
	}
	return o
}
