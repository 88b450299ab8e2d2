package demux

import (
	"encoding/binary"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// write serves WRITE ([MS-SMB2] 3.3.5.13): the hot path. The client's frame goes to the backend.
func write(r *session.Request) {
	o := openOf(r)
	if o == nil {
		return
	}
	var m smb2.WriteRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	if o.tree.readOnly {
		r.Fail(ntstatus.AccessDenied)
		return
	}
	if o.tree.pipes { // whoever is at the other end may be busy
		if p := o.listening(r, m.Data); p != nil {
			p.write(r, m.Data)
			return
		}
		relayWaiting(r, o, uint32(len(m.Data)), pass)
		return
	}
	if st := o.checkIO(m.Offset, uint64(len(m.Data)), true); st != ntstatus.Success {
		r.Fail(st)
		return
	}
	if o.failsOnce() {
		r.Fail(ntstatus.IoDeviceError)
		return
	}
	if o.writesThrough(o.held().at.pool) {
		throughDisk(r.Frame().Bytes())
	}
	o.written()
	if !o.data.write(r, &m) {
		relay(r, o, uint32(len(m.Data)), wrote)
	}
}

// writeFlags is where Flags stands in a WRITE ([MS-SMB2] 2.2.21).
const writeFlags = smb2.HeaderSize + 44

// throughDisk makes a WRITE one that is acknowledged when its data are on disk.
func throughDisk(msg []byte) {
	binary.LittleEndian.PutUint32(msg[writeFlags:], binary.LittleEndian.Uint32(msg[writeFlags:])|smb2.WriteFlagWriteThrough)
}

// checkIO says whether a byte-range lock stands against reading or writing a range ([MS-FSA] 2.1.4.10). It costs
// nothing where the file has no locks.
func (o *open) checkIO(offset, length uint64, write bool) ntstatus.Status {
	needs := smb2.FileReadData | smb2.FileExecute
	if write {
		needs = smb2.FileWriteData | smb2.FileAppendData
	}
	if !o.arbitrated || o.granted&needs == 0 { // the backend refuses a handle that may not, whatever is locked
		return ntstatus.Success
	}
	return o.tree.demux.state.CheckIO(o.state, o.hint, offset, length, write)
}

// written tells the state that data or size of a file are about to change: what others cache of it is broken.
func (o *open) written() {
	if o.arbitrated {
		o.tree.demux.state.Written(o.state, o.hint)
	}
}
