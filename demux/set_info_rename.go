package demux

import (
	"context"
	"strings"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// retarget normalises the new name in a request for a rename or a link. info is what the request's buffer holds, and
// name where in it the name stands.
func retarget(m *smb2.SetInfoRequest, info smb2.Message, name *string) error {
	err := info.Decode(m.Buffer)
	if err == nil {
		*name, err = targetName(*name)
	}
	if err == nil {
		m.Buffer = info.Append(nil)
	}
	return err
}

// setRename serves FileRenameInformation ([MS-FSCC] 2.4.42.2): the new name is normalised like
// any other.
func setRename(r *session.Request, o *open, m *smb2.SetInfoRequest) {
	var info smb2.FileRenameInfo
	if err := retarget(m, &info, &info.FileName); err != nil {
		r.FailErr(err)
		return
	}
	name := info.FileName
	path, stream := splitStream(name)
	if stream != "" && !o.isStream() && path == "" {
		// Samba: 4.17's smbd dies of ":stream" as the new name of a file, and with it every
		// user's opens on the lane. "file:stream" it refuses with this.
		r.Fail(ntstatus.ObjectNameInvalid)
		return
	}
	if path == "" {
		base, _ := splitStream(o.Name())
		name = base + stream
	}
	if o.granted&smb2.Delete == 0 {
		r.Fail(o.mayNotRename())
		return
	}
	if base, _ := splitStream(name); o.tree.share.crosses(o.Name(), base) {
		r.Fail(ntstatus.NotSameDevice)
		return
	}
	q := *m
	req := o.tree.demux.state.NewRequestID()
	if !o.begin(r, req) {
		return
	}
	r.Go(func(ctx context.Context) {
		defer o.quit(req)
		o.rename(ctx, r, req, &q, name, info.ReplaceIfExists)
	})
}

// rename asks the state, which may have to wait for others to give up their handles, then the
// backend ([MS-FSA] 2.1.5.15.11). The names stay out of use until both know.
func (o *open) rename(ctx context.Context, r *session.Request, req core.RequestID, m *smb2.SetInfoRequest, name string, over bool) {
	d := o.tree.demux
	path, stream := splitStream(name)
	from, _ := splitStream(o.Name())
	q := &core.Rename{
		Req: req, Open: o.state, To: core.Name{Volume: o.tree.volume(), Path: foldName(path)}, Over: over,
		Stream: foldStream(stream),
	}
	res := d.await(ctx, r, q)
	if res.Status != ntstatus.Success {
		r.Fail(res.Status)
		return
	}
	o.setRenaming(name)
	h, reply, err := o.ask(ctx, r, setting(m), smb2.CreditCharge(len(m.Buffer)), func(_ context.Context, h *handle) (bool, error) {
		return h.name == name && !strings.EqualFold(h.name, o.Name()), nil
	})
	if err == nil && reply != nil {
		err = decodeDone(h, reply, err, &smb2.SetInfoResponse{})
	}
	if err == nil {
		d.kept.renamed(o.tree.share.space(), from, path)
		o.setName(name)
	}
	o.setRenaming("")
	d.sink.hold(directories{})
	defer d.sink.release(directories{})
	d.tell(&core.Renamed{
		Req: q.Req, Open: o.state, From: res.From, To: q.To, OK: err == nil, Directory: o.directory,
		FromDisplay: from, ToDisplay: path, Stream: q.Stream, Spelt: speltStream(stream),
	})
	if err != nil {
		r.FailErr(err)
		return
	}
	r.Reply(ntstatus.Success, &smb2.SetInfoResponse{})
}

// mayNotRename is the status for a handle without DELETE: a rename needs that right and a share mode that grants it to
// others ([MS-FSA] 2.1.5.15.11). Deviation: Samba renames all the same (4.17).
func (o *open) mayNotRename() ntstatus.Status {
	if o.share&smb2.FileShareDelete == 0 {
		return ntstatus.SharingViolation
	}
	return ntstatus.AccessDenied
}

// isStream says whether the open is of a named stream rather than of the file's data.
func (o *open) isStream() bool {
	_, stream := splitStream(o.Name())
	return stream != "" && !strings.EqualFold(stream, "::$DATA")
}

// setting makes a SET_INFO for whichever handle.
func setting(m *smb2.SetInfoRequest) func(h *handle) *transport.Frame {
	return func(h *handle) *transport.Frame {
		q := *m
		q.FileID = h.fid.Wire()
		return newRequest(smb2.CommandSetInfo, &q, 32+len(q.Buffer))
	}
}

// setRenaming notes the name that a rename under way gives the file.
func (o *open) setRenaming(name string) {
	o.mu.Lock()
	o.renaming = name
	o.mu.Unlock()
}

// sendSetInfo sends a SET_INFO that was rewritten.
func sendSetInfo(r *session.Request, o *open, m *smb2.SetInfoRequest, finish finisher) {
	p, held := opOf(r), o.held()
	p.open, p.at, p.held = o, held.at, held
	m.FileID = held.fid.Wire()
	p.send(newRequest(smb2.CommandSetInfo, m, 32+len(m.Buffer)), uint32(len(m.Buffer)), finish)
}
