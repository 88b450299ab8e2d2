package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/statedb/core"
)

// Changes that watchers of directories are told of ([MS-FSA] 2.1.4.1), and that break directory leases. The state tells by
// itself of names: files and streams that are made, deleted or renamed. All other changes are told from here, when the
// backend has answered and before the client's reply. Where nobody watches that costs two loads and no memory.

// dataChange is what is told when data are written: to end of file, beyond it, or zeroed ([MS-FSA] 2.1.5.4).
const dataChange = smb2.FileNotifyChangeSize | smb2.FileNotifyChangeLastWrite

// destroyChange is what is told when a file is overwritten or superseded ([MS-FSA] 2.1.5.1.2).
const destroyChange = smb2.FileNotifyChangeAttributes | smb2.FileNotifyChangeSize | smb2.FileNotifyChangeLastWrite

// changed tells of a change of the file itself, be the open one of a stream of it.
func (o *open) changed(filter smb2.CompletionFilter) {
	if filter == 0 || !o.arbitrated || !o.tree.demux.state.Concerned(o.hint) {
		return
	}
	o.tree.demux.tell(&core.Changed{By: o.state, Action: smb2.FileActionModified, Filter: filter, Entry: true})
}

// changedData tells of a change of the data or size of what the open is of, file or stream.
func (o *open) changedData(filter smb2.CompletionFilter) {
	if !o.isStream() {
		o.changed(filter)
		return
	}
	if !o.arbitrated || !o.tree.demux.state.Concerned(o.hint) {
		return
	}
	_, stream := splitStream(o.Name())
	c := &core.Changed{By: o.state, Action: smb2.FileActionModifiedStream, Stream: speltStream(stream)}
	if filter&smb2.FileNotifyChangeSize != 0 {
		c.Filter |= smb2.FileNotifyChangeStreamSize
	}
	if filter&smb2.FileNotifyChangeLastWrite != 0 {
		c.Filter |= smb2.FileNotifyChangeStreamWrite
	}
	o.tree.demux.tell(c)
}

// touched tells that the backend may have set the times of a file that is closed: what it says of that is an echo.
func (o *open) touched() {
	if o.tree.share.OtherWriters && o.arbitrated && o.tree.demux.state.Concerned(o.hint) {
		o.tree.demux.tell(&core.Changed{By: o.state, Action: smb2.FileActionModified})
	}
}

// linked tells of another name of the file.
func (o *open) linked(name string) {
	if !o.arbitrated {
		return
	}
	o.tree.demux.tell(&core.Changed{
		By: o.state, Name: core.Name{Volume: o.tree.volume(), Path: foldName(name)}, Display: name,
		Action: smb2.FileActionAdded, Filter: smb2.FileNotifyChangeFileName, Entry: true,
	})
}

// wrote is pass for what may be a WRITE.
func wrote(p *op, h *smb2.Header, reply *transport.Frame, err error) {
	if err == nil && h.Status == ntstatus.Success && h.Command == smb2.CommandWrite {
		p.open.changedData(dataChange)
	}
	pass(p, h, reply, err)
}

// telling is finish for what changes something, which tell is called for when the backend has done it.
func telling(finish finisher, tell func()) finisher {
	return func(p *op, h *smb2.Header, reply *transport.Frame, err error) {
		if err == nil && h.Status == ntstatus.Success {
			tell()
		}
		finish(p, h, reply, err)
	}
}

// basicChange is what FileBasicInformation changes: a time of 0, -1 or -2, or attributes of 0, are left as they are
// ([MS-FSCC] 2.4.7).
func basicChange(b *smb2.FileBasicInfo) (filter smb2.CompletionFilter) {
	for _, x := range [...]struct {
		time   smb2.Filetime
		filter smb2.CompletionFilter
	}{
		{b.CreationTime, smb2.FileNotifyChangeCreation}, {b.LastAccessTime, smb2.FileNotifyChangeLastAccess},
		{b.LastWriteTime, smb2.FileNotifyChangeLastWrite},
	} {
		if int64(x.time) > 0 {
			filter |= x.filter
		}
	}
	if b.FileAttributes != 0 {
		filter |= smb2.FileNotifyChangeAttributes
	}
	return filter
}

// settingChange is what a SET_INFO that is relayed as it is changes.
func settingChange(m *smb2.SetInfoRequest) smb2.CompletionFilter {
	switch {
	case m.InfoType == smb2.InfoSecurity:
		return smb2.FileNotifyChangeSecurity
	case m.InfoType != smb2.InfoFile:
		return 0
	}
	switch m.FileInfoClass {
	case smb2.FileBasicInformation:
		var b smb2.FileBasicInfo
		if b.Decode(m.Buffer) != nil {
			return 0
		}
		return basicChange(&b)
	case smb2.FileFullEaInformation:
		return smb2.FileNotifyChangeEa
	case smb2.FileValidDataLengthInformation:
		return smb2.FileNotifyChangeSize
	default:
		return 0
	}
}
