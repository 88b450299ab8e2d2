package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// oplockBreak serves OPLOCK_BREAK: acknowledgements of breaks ([MS-SMB2] 3.3.5.22). A further break
// that an acknowledgement brings about follows its response.
func (d *Demux) oplockBreak(r *session.Request) {
	if smb2.IsLeaseBreak(r.Message()) {
		d.acknowledgeLease(r)
		return
	}
	var m smb2.OplockBreakRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	o := treeOf(r).session.find(m.FileID)
	switch {
	case o == nil:
		r.Fail(ntstatus.FileClosed)
		return
	case !o.arbitrated:
		r.Fail(ntstatus.InvalidOplockProtocol)
		return
	}
	d.sink.hold(o.state)
	defer d.sink.release(o.state)
	d.sink.acknowledged(o.state)
	res := d.tell(&core.AckOplock{Open: o.state, Level: m.OplockLevel})
	if res.Status != ntstatus.Success {
		r.Fail(res.Status)
		return
	}
	r.Reply(ntstatus.Success, &smb2.OplockBreakResponse{OplockLevel: res.Level, FileID: m.FileID})
}

// acknowledgeLease is [MS-SMB2] 3.3.5.22.2.
func (d *Demux) acknowledgeLease(r *session.Request) {
	var m smb2.LeaseBreakRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	id := core.LeaseID{Client: r.Session.ClientGUID(), Key: m.LeaseKey}
	d.sink.hold(id)
	defer d.sink.release(id)
	d.sink.acknowledged(id)
	res := d.tell(&core.AckLease{Req: d.state.NewRequestID(), Lease: id, State: m.LeaseState})
	if res.Status != ntstatus.Success {
		r.Fail(res.Status)
		return
	}
	r.Reply(ntstatus.Success, &smb2.LeaseBreakResponse{LeaseKey: m.LeaseKey, LeaseState: res.State})
}
