package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// ioctlResponseFileID is the offset of FileId in the IOCTL response, [MS-SMB2] 2.2.32.
const ioctlResponseFileID = smb2.HeaderSize + 8

// passFsctl is pass for IOCTL, whose response names the file.
func passFsctl(p *op, h *smb2.Header, reply *transport.Frame, err error) {
	var m smb2.IoctlResponse
	if fsctlCarries(p, h, reply, err, &m) {
		p.answerFsctl(h, reply)
	}
}

// answerFsctl ends an IOCTL with the backend's response.
func (p *op) answerFsctl(h *smb2.Header, reply *transport.Frame) {
	p.open.putClientID(reply.Bytes(), ioctlResponseFileID)
	p.req.ReplyFrame(h.Status, reply)
}

// fsctlCarries decodes an IOCTL response into m and checks it; false: there was none, and the
// request has ended. A server-side copy that fails has a response in spite of its status
// ([MS-SMB2] 3.3.4.4, 3.3.5.15.6); StructureSize tells it from an ERROR response.
func fsctlCarries(p *op, h *smb2.Header, reply *transport.Frame, err error, m *smb2.IoctlResponse) bool {
	if err != nil {
		p.lost(err)
		return false
	}
	err = m.Decode(reply.Bytes())
	if h.Status != ntstatus.Success && err != nil {
		p.passError(h, reply)
		return false
	}
	if err = within(err, smb2.CommandIoctl, len(m.Output), p.limit); err != nil {
		p.broken(err)
		return false
	}
	return true
}
