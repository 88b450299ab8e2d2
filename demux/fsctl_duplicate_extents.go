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
	if source == nil {
		clear(m.Input[:16])
		relay(r, target, ioctlPayload(m), passFsctl)
		return
	}
	q := *m
	q.Input = append([]byte(nil), m.Input...)
	c := &serverCopy{source: source, target: target, q: &q, near: func(from *handle) bool {
		from.putID(q.Input, 0)
		return true
	}, name: func(_ context.Context, b *beside) error {
		smb2.SetRawFileID(q.Input, 0, b.fid.Wire())
		return nil
	}}
	c.run(r, d)
}
