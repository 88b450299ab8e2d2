package backend

import (
	"log/slog"

	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// Notification is an oplock or lease break that smbd sent, [MS-SMB2] 2.2.23. It
// says nothing of session and tree: FileIds are unique within a lane. Header and
// Message are borrowed.
type Notification struct {
	Lane    int
	Header  *smb2.Header
	Message []byte
}

// notification handles what smbd sends without being asked. It is not signed,
// [MS-SMB2] 3.2.5.1.3.
func (cn *connection) notification(h *smb2.Header, f *transport.Frame) error {
	if h.Command != smb2.CommandOplockBreak {
		return errNotReply
	}
	n := Notification{Lane: cn.lane, Header: h, Message: f.Bytes()}
	if cn.pool.cfg.OplockBreak != nil {
		cn.pool.cfg.OplockBreak(n)
		return nil
	}
	cn.pool.log.Warn("backend breaks an oplock that nobody asked for", slog.Int("lane", cn.lane))
	return nil
}
