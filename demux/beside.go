package demux

import (
	"context"
	"errors"
	"fmt"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
)

// beside is the source of a server-side copy, opened a second time in the backend session of the
// target: smbd finds both by its own table only, which is per connection.
type beside struct {
	at  *attachment
	fid backend.FileID
}

// withSourceBeside ends an IOCTL on target that names source, which lies elsewhere: it opens source
// there, lets name put it into q, sends q and closes it again. Blocks.
func (d *Demux) withSourceBeside(ctx context.Context, r *session.Request, target, source *open, q *smb2.IoctlRequest, name func(*beside) error) {
	p := opOf(r)
	to := target.held()
	p.open, p.at, p.limit = target, to.at, ioctlPayload(q)
	b, err := d.openBeside(ctx, target, to, source)
	if err != nil {
		p.lost(err)
		return
	}
	defer b.close()
	if err := name(b); err != nil {
		p.lost(err)
		return
	}
	q.FileID = to.fid.Wire()
	h, reply, err := to.at.Do(ctx, smb2.CommandIoctl, q, smb2.CreditCharge(int(p.limit)))
	if err != nil && reply == nil {
		p.lost(err)
		return
	}
	defer reply.Release()
	telling(passFsctl, func() { target.changedData(dataChange) })(p, &h, reply, nil)
}

// openBeside opens source for reading where target is held, as the same user.
func (d *Demux) openBeside(ctx context.Context, target *open, to *handle, source *open) (*beside, error) {
	pool := to.at.pool
	t, err := pool.Connect(ctx, target.tree.backendUser(), source.tree.share.BackendShare, affinity(target.tree.session.session))
	if err != nil {
		return nil, fmt.Errorf("share %q at backend %q: %w", source.tree.share.Name, pool.Name(), err)
	}
	at := newAttachment(pool, t, 1)
	if !at.besides(to.at) {
		at.drop()
		return nil, errors.Join(errors.New("source and target of a copy are in different backend sessions"), ntstatus.NotSupported)
	}
	h, reply, err := t.Do(ctx, smb2.CommandCreate, &smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation,
		DesiredAccess:      smb2.FileReadData | smb2.FileReadAttributes,
		ShareAccess:        smb2.FileShareRead | smb2.FileShareWrite | smb2.FileShareDelete,
		CreateDisposition:  smb2.FileOpen,
		CreateOptions:      smb2.FileNonDirectoryFile,
		Name:               source.Name(),
	}, 1)
	var m smb2.CreateResponse
	if err = decodeDone(h, reply, err, &m); err != nil {
		at.drop()
		return nil, fmt.Errorf("open the source of a copy: %w", err)
	}
	return &beside{at: at, fid: backend.FileIDOf(m.FileID)}, nil
}

// resumeKey asks the backend for the key of the source.
func (b *beside) resumeKey(ctx context.Context) ([]byte, error) {
	h, reply, err := b.at.Do(ctx, smb2.CommandIoctl, &smb2.IoctlRequest{
		CtlCode: smb2.FsctlSrvRequestResumeKey, FileID: b.fid.Wire(), MaxOutputResponse: 32, Flags: smb2.IoctlIsFsctl,
	}, 1)
	var m smb2.IoctlResponse
	if err := decodeDone(h, reply, err, &m); err != nil {
		return nil, fmt.Errorf("resume key of the source of a copy: %w", err)
	}
	if len(m.Output) < resumeKeySize {
		return nil, ntstatus.UnexpectedNetworkError
	}
	return m.Output[:resumeKeySize], nil
}

// close closes the source and gives its tree back when that is done.
func (b *beside) close() { closeAtBackend(b.at, b.fid) }

// decodeDone is what becomes of a synchronous call that must succeed: its reply in m, whose slices
// stay good, or the error.
func decodeDone(h smb2.Header, reply *transport.Frame, err error, m smb2.Message) error {
	if err != nil {
		return err
	}
	defer reply.Release()
	if h.Status != ntstatus.Success {
		return h.Status
	}
	return m.Decode(append([]byte(nil), reply.Bytes()...))
}
