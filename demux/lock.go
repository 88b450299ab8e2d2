package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// lock serves LOCK ([MS-SMB2] 3.3.5.14). Ranges are locked by the backend; one that must wait is
// asynchronous there and here.
func lock(r *session.Request) {
	o := openOf(r)
	if o == nil {
		return
	}
	var m smb2.LockRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	waits, unlocks := false, true
	for _, e := range m.Locks {
		waits = waits || e.Flags&(smb2.LockFlagUnlock|smb2.LockFlagFailImmediately) == 0
		unlocks = unlocks && e.Flags&smb2.LockFlagUnlock != 0
	}
	switch {
	case !unlocks && r.Session.Expired(): // [MS-SMB2] 3.3.5.2.9
		r.Fail(ntstatus.NetworkSessionExpired)
	case waits:
		relayWaiting(r, o, 0, pass)
	default:
		relay(r, o, 0, pass)
	}
}
