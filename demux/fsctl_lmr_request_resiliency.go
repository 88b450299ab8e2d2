package demux

import (
	"context"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// requestResiliency serves FSCTL_LMR_REQUEST_RESILIENCY ([MS-SMB2] 3.3.5.15.9): the open outlives its connection
// for as long as the client asks, whatever it caches.
func requestResiliency(d *Demux, r *session.Request, o *open, m *smb2.IoctlRequest) {
	var in smb2.NetworkResiliencyRequest
	id := r.Session.Identity()
	switch {
	case r.Connection.Dialect() < smb2.Dialect210 || !o.arbitrated || id.Guest || id.Anonymous:
		r.Fail(ntstatus.InvalidDeviceRequest)
		return
	case in.Decode(m.Input) != nil:
		r.Fail(ntstatus.InvalidParameter)
		return
	}
	answer := func(res core.Result) {
		if res.Status != ntstatus.Success {
			r.Fail(res.Status)
			return
		}
		r.Reply(ntstatus.Success, &smb2.IoctlResponse{CtlCode: m.CtlCode, FileID: o.id})
	}
	c := &core.Resilient{Open: o.state, Timeout: time.Duration(in.Timeout) * time.Millisecond}
	if res := d.state.Do(context.Background(), c, answer); res.Status != ntstatus.Pending {
		answer(res)
	}
}
