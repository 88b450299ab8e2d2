package demux

import (
	"context"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// minCopychunk is SRV_COPYCHUNK_COPY without chunks, [MS-SMB2] 2.2.31.1.
const minCopychunk = 32

// The limits of a server-side copy that are told to a client that exceeds them ([MS-SMB2] 3.3.5.15.6.2).
//
// Samba: the values (4.17), which are Windows' too.
const (
	copychunkMaxChunks = 256
	copychunkMaxLength = 1 << 20  // of one chunk, bytes
	copychunkMaxTotal  = 16 << 20 // bytes
)

// copychunk serves FSCTL_SRV_COPYCHUNK and _WRITE ([MS-SMB2] 3.3.5.15.6). The source's key becomes
// the backend's. A source that is not in the target's backend session is opened there for the
// time of the copy. A key that names nothing is refused here and never relayed: an smbd process
// (4.17) that has not given out a key yet crashes on it, and with it everybody's opens on the lane.
func copychunk(d *Demux, r *session.Request, target *open, m *smb2.IoctlRequest) {
	if len(m.Input) < minCopychunk {
		relay(r, target, ioctlPayload(m), passFsctl)
		return
	}
	source, key, keyOf := target.tree.session.findResumeKey(m.Input)
	if source == nil {
		refuseCopychunk(r, m)
		return
	}
	if st := checkCopychunk(source, target, m.Input); st != ntstatus.Success {
		r.Reply(st, &smb2.IoctlResponse{CtlCode: m.CtlCode, FileID: m.FileID, Output: (&smb2.SrvCopychunkResponse{}).Append(nil)})
		return
	}
	target.written()
	q := *m
	q.Input = append([]byte(nil), m.Input...)
	c := &serverCopy{source: source, target: target, q: &q, near: func(from *handle) bool {
		copy(q.Input, key[:])
		return from == keyOf
	}, name: func(ctx context.Context, b *beside) error {
		key, err := b.resumeKey(ctx)
		copy(q.Input, key)
		return err
	}}
	c.run(r, d)
}

// checkCopychunk says whether a byte-range lock stands against a copy. Input that does not decode, or asks for too
// much, is the backend's to refuse.
func checkCopychunk(source, target *open, input []byte) ntstatus.Status {
	var in smb2.SrvCopychunkCopy
	if in.Decode(input) != nil || !copychunkWithinLimits(in.Chunks) {
		return ntstatus.Success
	}
	for _, c := range in.Chunks {
		if st := source.checkIO(c.SourceOffset, uint64(c.Length), false); st != ntstatus.Success {
			return st
		}
		if st := target.checkIO(c.TargetOffset, uint64(c.Length), true); st != ntstatus.Success {
			return st
		}
	}
	return ntstatus.Success
}

// refuseCopychunk ends a copy from a source that there is not, in smbd's order of checks: the form,
// the limits, the key.
func refuseCopychunk(r *session.Request, m *smb2.IoctlRequest) {
	var in smb2.SrvCopychunkCopy
	out := smb2.SrvCopychunkResponse{}
	st := ntstatus.ObjectNameNotFound
	switch {
	case m.MaxOutputResponse < copychunkResponseSize || in.Decode(m.Input) != nil:
		r.Fail(ntstatus.InvalidParameter)
		return
	case !copychunkWithinLimits(in.Chunks):
		st = ntstatus.InvalidParameter
		out = smb2.SrvCopychunkResponse{ChunksWritten: copychunkMaxChunks, ChunkBytesWritten: copychunkMaxLength, TotalBytesWritten: copychunkMaxTotal}
	}
	r.Reply(st, &smb2.IoctlResponse{CtlCode: m.CtlCode, FileID: m.FileID, Output: out.Append(nil)})
}

// copychunkResponseSize is the length of SRV_COPYCHUNK_RESPONSE, [MS-SMB2] 2.2.32.1.
const copychunkResponseSize = 12

// copychunkWithinLimits says whether the chunks are few and short enough; an empty one is not allowed.
func copychunkWithinLimits(chunks []smb2.SrvCopychunk) bool {
	total := uint64(0)
	for _, c := range chunks {
		if c.Length == 0 || c.Length > copychunkMaxLength {
			return false
		}
		total += uint64(c.Length)
	}
	return len(chunks) <= copychunkMaxChunks && total <= copychunkMaxTotal
}
