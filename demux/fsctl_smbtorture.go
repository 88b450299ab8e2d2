package demux

import (
	"encoding/binary"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// fsctlSmbtortureForceUnackedTimeout is FSCTL_SMBTORTURE_FORCE_UNACKED_TIMEOUT of Samba's test mode: the server shall take the
// channel that it comes on for dead as soon as it has sent a break there.
const fsctlSmbtortureForceUnackedTimeout smb2.FsctlCode = 0x83848003

// isSmbtorture says whether an IOCTL without a session is one that smbtorture may send so (session.Command.Free).
func (d *Demux) isSmbtorture(r *session.Request) bool {
	msg := r.Message()
	const code = smb2.HeaderSize + 4 // CtlCode, [MS-SMB2] 2.2.31
	return d.routes.Load().cfg.SmbtortureFsctls && len(msg) >= code+4 &&
		smb2.FsctlCode(binary.LittleEndian.Uint32(msg[code:])) == fsctlSmbtortureForceUnackedTimeout
}

// forceUnackedTimeout serves it, where the configuration has `smbtorture fsctls`.
func forceUnackedTimeout(d *Demux, r *session.Request, _ *open, m *smb2.IoctlRequest) {
	if !d.routes.Load().cfg.SmbtortureFsctls {
		r.Fail(ntstatus.InvalidDeviceRequest)
		return
	}
	r.Connection.PretendUnacked()
	r.Reply(ntstatus.Success, &smb2.IoctlResponse{CtlCode: m.CtlCode, FileID: m.FileID})
}
