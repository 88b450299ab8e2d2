package demux

import (
	"context"

	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// duplicateExtentsSize is SMB2_DUPLICATE_EXTENTS_DATA, [MS-FSCC] 2.3.9.1: SourceFileID first.
const duplicateExtentsSize = 40

// duplicateExtents serves FSCTL_DUPLICATE_EXTENTS_TO_FILE ([MS-SMB2] 3.3.5.15.17). The source is
// found as for copychunk; an id that names nothing becomes one of zeros.
func duplicateExtents(d *Demux, r *session.Request, target *open, m *smb2.IoctlRequest) {
	if len(m.Input) < duplicateExtentsSize {
		relay(r, target, ioctlPayload(m), passFsctl)
		return
	}
	target.written()
	source := target.tree.session.find(smb2.RawFileID(m.Input, 0))
	switch {
	case source == nil:
		clear(m.Input[:16])
	case source.held().at.besides(target.held().at):
		source.held().putID(m.Input, 0)
	default:
		q := *m
		q.Input = append([]byte(nil), m.Input...)
		r.Go(func(ctx context.Context) {
			d.withSourceBeside(ctx, r, target, source, &q, func(b *beside) error {
				smb2.SetRawFileID(q.Input, 0, b.fid.Wire())
				return nil
			})
		})
		return
	}
	relay(r, target, ioctlPayload(m), telling(passFsctl, func() { target.changedData(dataChange) }))
}
