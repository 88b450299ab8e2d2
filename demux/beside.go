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

// serverCopy is an IOCTL on target that names source.
type serverCopy struct {
	source, target *open
	q              *smb2.IoctlRequest
	near           func(from *handle) bool // puts the source's own handle into q; false: it cannot be named
	name           func(ctx context.Context, b *beside) error
}

// run does the copy on a goroutine, before which neither of its opens is closed.
func (c *serverCopy) run(r *session.Request, d *Demux) {
	if !c.target.begin(r, 0) {
		return
	}
	if !c.source.begin(r, 0) {
		c.target.quit(0)
		return
	}
	r.Go(func(ctx context.Context) {
		defer c.target.quit(0)
		defer c.source.quit(0)
		d.copyOnServer(ctx, r, c)
	})
}

// copyOnServer ends a server-side copy. A source that lies elsewhere than target is opened there for the time of the copy.
// Where the backend is lost it is done again: the bytes are the same, unless source and target are one file. Blocks.
func (d *Demux) copyOnServer(ctx context.Context, r *session.Request, c *serverCopy) {
	p := opOf(r)
	p.open, p.limit = c.target, ioctlPayload(c.q)
	for losses := 0; ; {
		to := c.target.held()
		p.at = to.at
		h, reply, err := c.at(ctx, r, d, to)
		if !c.target.lostOn(to, &h, err) {
			telling(passFsctl, func() { c.target.wroteData() })(p, &h, reply, err)
			if reply != nil {
				reply.Release()
			}
			return
		}
		if reply != nil {
			reply.Release()
		}
		if err == nil || sent(err) {
			losses++
		}
		if losses > 1 || losses > 0 && c.source.file == c.target.file {
			p.lost(ntstatus.UnexpectedNetworkError)
			return
		}
		if _, err := c.target.elsewhere(ctx, to); err != nil {
			p.lost(err)
			return
		}
	}
}

// at tries the copy where target is held.
func (c *serverCopy) at(ctx context.Context, r *session.Request, d *Demux, to *handle) (h smb2.Header, reply *transport.Frame, err error) {
	if from := c.source.held(); !from.at.besides(to.at) || !c.near(from) {
		b, err := d.openBeside(ctx, c.target, to, c.source)
		if err != nil {
			return h, nil, err
		}
		defer b.close()
		if err := c.name(ctx, b); err != nil {
			return h, nil, err
		}
	}
	c.q.FileID = to.fid.Wire()
	return ask(ctx, r, to.at, newRequest(smb2.CommandIoctl, c.q, 64+len(c.q.Input)), smb2.CreditCharge(int(ioctlPayload(c.q))))
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
