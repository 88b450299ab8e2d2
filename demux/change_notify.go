package demux

import (
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// changeNotify serves CHANGE_NOTIFY ([MS-SMB2] 3.3.5.19) with the backend's own.
func changeNotify(r *session.Request) {
	o := openOf(r)
	if o == nil {
		return
	}
	var m smb2.ChangeNotifyRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	relayWaiting(r, o, m.OutputBufferLength, pass)
}
