package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// setZeroData serves FSCTL_SET_ZERO_DATA ([MS-FSCC] 2.3.85): it writes, so locks stand against it and others'
// caching ends. Input that is none is the backend's to refuse.
func setZeroData(_ *Demux, r *session.Request, o *open, m *smb2.IoctlRequest) {
	var in smb2.FileZeroDataInformation
	if in.Decode(m.Input) == nil && in.BeyondFinalZero > in.FileOffset {
		if st := o.checkIO(in.FileOffset, in.BeyondFinalZero-in.FileOffset, true); st != ntstatus.Success {
			r.Fail(st)
			return
		}
		o.written()
	}
	relay(r, o, ioctlPayload(m), telling(passFsctl, func() { o.wroteData() }))
}
