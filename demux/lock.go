package demux

import (
	"context"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// lockAccess are the rights of which a handle needs one to lock.
//
// Samba: a handle that can neither read nor write has no descriptor to lock (4.17).
const lockAccess = smb2.FileReadData | smb2.FileWriteData | smb2.FileAppendData | smb2.FileExecute

// lock serves LOCK ([MS-SMB2] 3.3.5.14). One that must wait is asynchronous, and ended by whoever
// unlocks, closes or cancels.
func (d *Demux) lock(r *session.Request) {
	o := openOf(r)
	if o == nil {
		return
	}
	var m smb2.LockRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	unlocks := true
	for _, e := range m.Locks {
		unlocks = unlocks && e.Flags&smb2.LockFlagUnlock != 0
	}
	switch {
	case !unlocks && r.Session.Expired(): // [MS-SMB2] 3.3.5.2.9
		r.Fail(ntstatus.NetworkSessionExpired)
		return
	case !o.arbitrated || o.directory:
		r.Fail(ntstatus.InvalidDeviceRequest) // Samba: the status (4.17)
		return
	case o.granted&lockAccess == 0:
		r.Fail(ntstatus.InvalidHandle) // Samba: the status (4.17)
		return
	}
	c := &core.Lock{
		Req: d.state.NewRequestID(), Open: o.state, Locks: m.Locks,
		SequenceNumber: m.LockSequenceNumber(), SequenceIndex: m.LockSequenceIndex(),
		Verify: r.Connection.Dialect() >= smb2.Dialect300 && r.Connection.Capabilities()&smb2.GlobalCapMultiChannel != 0,
	}
	req := c.Req
	res := d.state.Do(context.Background(), c, func(res core.Result) { endLock(r, res.Status) })
	if res.Status != ntstatus.Pending {
		endLock(r, res.Status)
		return
	}
	r.Pending(func() { d.tell(&core.Cancel{Req: req}) })
}

// endLock is the reply. Nobody has cancelled a lock that is cancelled because its tree or session goes.
//
// Samba: the status (4.17).
func endLock(r *session.Request, st ntstatus.Status) {
	switch {
	case st == ntstatus.Success:
		r.Reply(st, &smb2.LockResponse{})
	case st == ntstatus.Cancelled && r.Closing():
		r.Fail(ntstatus.RangeNotLocked)
	default:
		r.Fail(st)
	}
}
