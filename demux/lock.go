package demux

import (
	"context"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// lockFlags are the values of an element's flags that mean something ([MS-SMB2] 2.2.26.1).
var lockFlags = map[uint32]bool{
	smb2.LockFlagSharedLock: true, smb2.LockFlagExclusiveLock: true, smb2.LockFlagUnlock: true,
	smb2.LockFlagSharedLock | smb2.LockFlagFailImmediately: true, smb2.LockFlagExclusiveLock | smb2.LockFlagFailImmediately: true,
}

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
	unlocks, badFlags := true, false
	for _, e := range m.Locks {
		unlocks = unlocks && e.Flags&smb2.LockFlagUnlock != 0
		badFlags = badFlags || !lockFlags[e.Flags]
	}
	switch {
	case !unlocks && r.Session.Expired(): // [MS-SMB2] 3.3.5.2.9
		r.Fail(ntstatus.NetworkSessionExpired)
		return
	case !o.arbitrated || o.directory: // Samba: the status, and that flags are looked at first (4.17)
		st := ntstatus.InvalidDeviceRequest
		if badFlags {
			st = ntstatus.InvalidParameter
		}
		r.Fail(st)
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
