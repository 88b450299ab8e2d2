package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// What we tell macOS clients of ourselves. They ask once, with the first CREATE on a share.
//
// aaplServerCaps promises only what a client can find here. Not READDIRATTR, which changes the meaning of fields in
// directory listings, not OSX_COPYFILE, a COPYCHUNK without chunks, not NFS_ACE, POSIX modes in ACLs:
// all three would be the backend's to keep, and stock smbd does so with vfs_fruit alone.
//
// aaplVolumeCaps promises FULL_SYNC: a FLUSH is on disk when it is answered, since backends run with
// "strict sync = yes". Names fold case, ids cannot be resolved.
const (
	aaplServerCaps = smb2.AAPLUnixBased
	aaplVolumeCaps = smb2.AAPLSupportsFullSync
	aaplModel      = "smbproxy" // Finder picks the server's icon by it; a name that it does not know is a PC
)

// answerAAPL answers Apple's create context: what of the server's capabilities, the volume's and the model
// the client wants to know.
//
// Samba: vfs_fruit's layout, and its STATUS_INVALID_PARAMETER for other sizes and commands (4.17).
func answerAAPL(data []byte) ([]byte, error) {
	var m smb2.AAPLRequest
	if err := m.Decode(data); err != nil || m.CommandCode != smb2.AAPLServerQuery {
		return nil, ntstatus.InvalidParameter
	}
	return (&smb2.AAPLResponse{
		CommandCode: m.CommandCode,
		ReplyBitmap: m.RequestBitmap & (smb2.AAPLServerCaps | smb2.AAPLVolumeCaps | smb2.AAPLModelInfo),
		ServerCaps:  aaplServerCaps, VolumeCaps: aaplVolumeCaps, Model: aaplModel,
	}).Append(nil), nil
}

// answeredContexts answers those contexts of a CREATE that are ours to answer, whatever the backend
// says. Nothing in the result aliases the request.
func answeredContexts(list []smb2.CreateContext) ([]smb2.CreateContext, error) {
	var out []smb2.CreateContext
	for _, c := range list {
		rule := contextRules[string(c.Name)]
		if rule.answer == nil {
			continue
		}
		data, err := rule.answer(c.Data)
		if err != nil {
			return nil, err
		}
		out = append(out, smb2.CreateContext{Name: append([]byte(nil), c.Name...), Data: data})
	}
	return out, nil
}
