package demux

import (
	"context"

	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// minCopychunk is SRV_COPYCHUNK_COPY without chunks, [MS-SMB2] 2.2.31.1.
const minCopychunk = 32

// copychunk serves FSCTL_SRV_COPYCHUNK and _WRITE ([MS-SMB2] 3.3.5.15.6). The source's key becomes
// the backend's. A key that names nothing becomes one of zeros, and the backend finds what is wrong
// in its own order. A source that is not in the target's backend session is opened there for the
// time of the copy.
func copychunk(d *Demux, r *session.Request, target *open, m *smb2.IoctlRequest) {
	if len(m.Input) < minCopychunk {
		relay(r, target, ioctlPayload(m), passFsctl)
		return
	}
	source, key := target.tree.session.findResumeKey(m.Input)
	if source == nil || source.at.besides(target.at) {
		copy(m.Input, key[:])
		relay(r, target, ioctlPayload(m), passFsctl)
		return
	}
	q := *m
	q.Input = append([]byte(nil), m.Input...)
	r.Go(func(ctx context.Context) {
		d.withSourceBeside(ctx, r, target, source, &q, func(b *beside) error {
			key, err := b.resumeKey(ctx)
			copy(q.Input, key)
			return err
		})
	})
}
