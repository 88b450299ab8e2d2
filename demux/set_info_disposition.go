package demux

import (
	"context"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// setDeletePending serves FileDispositionInformation ([MS-FSA] 2.1.5.15.3). The state is asked first,
// which may have to wait for others to give up their handles; whether the file can be deleted is the
// backend's to say, and if not, it is not delete-pending after all.
func setDeletePending(r *session.Request, o *open, m *smb2.SetInfoRequest) {
	var info smb2.FileDispositionInfo
	if !o.arbitrated || o.granted&smb2.Delete == 0 || info.Decode(m.Buffer) != nil {
		relay(r, o, uint32(len(m.Buffer)), pass) // the backend has a status for it
		return
	}
	d := o.tree.demux
	req := d.state.NewRequestID()
	if !o.begin(r, req) {
		return
	}
	before := o.deleting.Load()
	if info.DeletePending {
		o.deleting.Store(true) // before the state knows: an open that ends meanwhile must be kept for it
	}
	r.Go(func(ctx context.Context) {
		defer o.quit(req)
		res := d.await(ctx, r, &core.SetDisposition{Req: req, Open: o.state, Delete: info.DeletePending})
		if res.Status != ntstatus.Success {
			o.deleting.Store(before)
			r.Fail(res.Status)
			return
		}
		h, reply, err := o.ask(ctx, r, func(h *handle) *transport.Frame {
			return newRequest(smb2.CommandSetInfo, setDisposition(h.fid, info.DeletePending), 64)
		}, 1, nil)
		if err := decodeDone(h, reply, err, &smb2.SetInfoResponse{}); err != nil {
			if info.DeletePending {
				d.tell(&core.SetDisposition{Req: d.state.NewRequestID(), Open: o.state})
				o.deleting.Store(before)
			}
			r.FailErr(err)
			return
		}
		if o.deleting.Store(info.DeletePending); !info.DeletePending {
			d.spare(res.Open)
		}
		r.Reply(ntstatus.Success, &smb2.SetInfoResponse{})
	})
}

// setSize serves the classes that change a file's size: what others cache of it is broken.
func setSize(r *session.Request, o *open, m *smb2.SetInfoRequest) {
	o.written()
	if o.data != nil {
		o.data.file.forget()
	}
	relay(r, o, uint32(len(m.Buffer)), telling(pass, func() { o.changedData(sizeChange) }))
}
