package demux

import (
	"context"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// look ends a request that has to be seen to before it can be sent again, or that is answered in another way; false:
// send it.
func (p *op) look(ctx context.Context, h *handle, msg []byte) bool {
	switch smb2.RawCommand(msg) {
	case smb2.CommandChangeNotify:
		p.endWith(ntstatus.NotifyEnumDir, &smb2.ChangeNotifyResponse{}) // there may have been changes: the client looks for itself
		return true
	case smb2.CommandQueryDirectory:
		var m smb2.QueryDirectoryRequest
		if m.Decode(msg) != nil {
			return false
		}
		p.listAgain(ctx, h, &m)
		return true
	case smb2.CommandSetInfo:
		if sizeIs(ctx, h, msg) || p.open.hasLink(ctx, h, msg) {
			p.endWith(ntstatus.Success, &smb2.SetInfoResponse{})
			return true
		}
	default:
	}
	return false
}

// hasLink says whether the link that a SET_INFO would make is there.
func (o *open) hasLink(ctx context.Context, h *handle, msg []byte) bool {
	var m smb2.SetInfoRequest
	var link smb2.FileLinkInfo
	return m.Decode(msg) == nil && m.FileInfoClass == smb2.FileLinkInformation && link.Decode(m.Buffer) == nil && o.isAt(ctx, h, link.FileName)
}

// sizeIs says whether a file has the size that a SET_INFO would give it.
func sizeIs(ctx context.Context, h *handle, msg []byte) bool {
	var m smb2.SetInfoRequest
	var want smb2.FileEndOfFileInfo
	if m.Decode(msg) != nil || m.FileInfoClass != smb2.FileEndOfFileInformation || want.Decode(m.Buffer) != nil {
		return false
	}
	var is smb2.FileStandardInfo
	if queryFile(ctx, h, smb2.FileStandardInformation, 24, &is) != nil {
		return false
	}
	return is.EndOfFile == want.EndOfFile
}

// queryFile asks for an information class of a file.
func queryFile(ctx context.Context, h *handle, class smb2.InfoClass, size uint32, into interface{ Decode([]byte) error }) error {
	head, reply, err := h.at.Do(ctx, smb2.CommandQueryInfo, &smb2.QueryInfoRequest{
		InfoType: smb2.InfoFile, FileInfoClass: class, OutputBufferLength: size, FileID: h.fid.Wire(),
	}, 1)
	var m smb2.QueryInfoResponse
	if err := decodeDone(head, reply, err, &m); err != nil {
		return err
	}
	return into.Decode(m.OutputBuffer)
}

// endWith ends the request with a reply of our own in the place of the backend's.
func (p *op) endWith(st ntstatus.Status, body smb2.Body) {
	h := smb2.Header{Command: smb2.RawCommand(p.saved()), Status: st}
	f := newRequest(h.Command, body, 64)
	p.end(&h, f, nil)
	f.Release()
}
