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

// The changes that more than one request makes.
var (
	// dataChange is told when data are written, at the end of the file or beyond it, or zeroed ([MS-FSA] 2.1.5.4).
	dataChange = change{filter: smb2.FileNotifyChangeSize | smb2.FileNotifyChangeLastWrite}
	// sizeChange is told when the size is set ([MS-FSA] 2.1.5.15.4).
	sizeChange = change{smb2.FileNotifyChangeSize, true}
	// destroyChange is told when a file is overwritten or superseded ([MS-FSA] 2.1.5.1.2).
	destroyChange = change{smb2.FileNotifyChangeAttributes | smb2.FileNotifyChangeSize | smb2.FileNotifyChangeLastWrite, true}
	// attributeChange is told when an FSCTL changes attributes.
	attributeChange = change{smb2.FileNotifyChangeAttributes, true}
)

// change is what a request changes of a file.
type change struct {
	filter smb2.CompletionFilter
	entry  bool // a listing of the directory shows it: who has leased that must know
}

// concerned says whether somebody may want to hear of a change of the file.
func (o *open) concerned() bool { return o.arbitrated && o.tree.demux.state.Concerned(o.hint) }

// changed tells of a change of the file itself, be the open one of a stream of it.
func (o *open) changed(c change) {
	if c == (change{}) || !o.concerned() {
		return
	}
	o.tree.demux.tell(&core.Changed{By: o.state, Action: smb2.FileActionModified, Filter: c.filter, Entry: c.entry})
}

// changedData tells of a change of the data or size of what the open is of, file or stream.
func (o *open) changedData(c change) {
	if !o.concerned() {
		return
	}
	if !o.isStream() {
		o.changed(c)
		return
	}
	_, stream := splitStream(o.Name())
	q := &core.Changed{By: o.state, Action: smb2.FileActionModifiedStream, Stream: speltStream(stream)}
	if c.filter&smb2.FileNotifyChangeSize != 0 {
		q.Filter |= smb2.FileNotifyChangeStreamSize
	}
	if c.filter&smb2.FileNotifyChangeLastWrite != 0 {
		q.Filter |= smb2.FileNotifyChangeStreamWrite
	}
	o.tree.demux.tell(q)
}

// wroteData tells that data were written: to those who watch at once, to those who have leased the directory when the handle
// is closed, as the directory entry of NTFS has size and times no sooner (smb2.dirlease.v2_request).
func (o *open) wroteData() {
	if !o.wrote.Load() {
		o.wrote.Store(true)
	}
	o.changedData(dataChange)
}

// closing tells, before the open is closed, what comes with that: the size and times of a file that was written, and on a
// share with other writers that the backend may set times, of which it speaks too.
func (o *open) closing() {
	if o.concerned() && (o.wrote.Load() || o.tree.share.OtherWriters) {
		o.tree.demux.tell(&core.Changed{By: o.state, Action: smb2.FileActionModified, Entry: o.wrote.Load() && !o.isStream()})
	}
}

// linking is pass for what gives the file another name, which is told of.
func (o *open) linking(name string) finisher {
	return func(p *op, h *smb2.Header, reply *transport.Frame, err error) {
		sink := o.tree.demux.sink
		sink.hold(directories{})
		defer sink.release(directories{})
		telling(pass, func() { o.linked(name) })(p, h, reply, err)
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
		p.open.wroteData()
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
// ([MS-FSCC] 2.4.7). No filter is for the change time.
func basicChange(b *smb2.FileBasicInfo) (c change) {
	for _, x := range [...]struct {
		time   smb2.Filetime
		filter smb2.CompletionFilter
	}{
		{b.CreationTime, smb2.FileNotifyChangeCreation}, {b.LastAccessTime, smb2.FileNotifyChangeLastAccess},
		{b.LastWriteTime, smb2.FileNotifyChangeLastWrite}, {b.ChangeTime, 0},
	} {
		if int64(x.time) > 0 {
			c.filter |= x.filter
			c.entry = true
		}
	}
	if b.FileAttributes != 0 {
		c.filter |= smb2.FileNotifyChangeAttributes
		c.entry = true
	}
	return c
}

// settingChange is what a SET_INFO that is relayed as it is changes.
func settingChange(m *smb2.SetInfoRequest) change {
	switch {
	case m.InfoType == smb2.InfoSecurity:
		return change{filter: smb2.FileNotifyChangeSecurity}
	case m.InfoType != smb2.InfoFile:
		return change{}
	}
	switch m.FileInfoClass {
	case smb2.FileBasicInformation:
		var b smb2.FileBasicInfo
		if b.Decode(m.Buffer) != nil {
			return change{}
		}
		return basicChange(&b)
	case smb2.FileFullEaInformation:
		return change{smb2.FileNotifyChangeEa, true}
	case smb2.FileValidDataLengthInformation:
		return sizeChange
	default:
		return change{}
	}
}
