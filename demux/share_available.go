package demux

import (
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// available says whether handles on the tree may be persistent for a client ([MS-SMB2] 3.3.5.9.10): its share
// is continuously available, and the connection has negotiated it.
func (t *tree) available(c *session.Connection) bool {
	return t.share.ContinuouslyAvailable && c.Dialect() >= smb2.Dialect300 && c.Capabilities()&smb2.GlobalCapPersistentHandles != 0
}
