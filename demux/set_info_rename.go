package demux

import (
	"strings"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
)

// setRename serves FileRenameInformation ([MS-FSCC] 2.4.42.2): the new name is normalised like
// any other.
func setRename(r *session.Request, o *open, m *smb2.SetInfoRequest) {
	var info smb2.FileRenameInfo
	if err := info.Decode(m.Buffer); err != nil {
		r.FailErr(err)
		return
	}
	name, err := targetName(info.FileName)
	if err != nil {
		r.FailErr(err)
		return
	}
	path, stream := splitStream(name)
	if stream != "" && !o.isStream() && path == "" {
		// Samba: 4.17's smbd dies of ":stream" as the new name of a file, and with it every
		// user's opens on the lane. "file:stream" it refuses with this.
		r.Fail(ntstatus.ObjectNameInvalid)
		return
	}
	info.FileName = name
	m.Buffer = info.Append(nil)
	p := opOf(r)
	p.open, p.at = o, o.at
	p.target = name
	if path == "" {
		base, _ := splitStream(o.Name())
		p.target = base + stream
	}
	p.sendSetInfo(m, renamed)
}

// renamed notes the new name of the open.
func renamed(p *op, h *smb2.Header, reply *transport.Frame, err error) {
	if err == nil && h.Status == ntstatus.Success {
		p.open.rename(p.target)
	}
	pass(p, h, reply, err)
}

// isStream says whether the open is of a named stream rather than of the file's data.
func (o *open) isStream() bool {
	_, stream := splitStream(o.Name())
	return stream != "" && !strings.EqualFold(stream, "::$DATA")
}

// sendSetInfo sends a SET_INFO that was rewritten.
func (p *op) sendSetInfo(m *smb2.SetInfoRequest, finish finisher) {
	m.FileID = p.open.fid.Wire()
	p.send(newRequest(smb2.CommandSetInfo, m, 32+len(m.Buffer)), uint32(len(m.Buffer)), finish)
}
