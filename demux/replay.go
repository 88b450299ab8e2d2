package demux

import (
	"context"
	"encoding/hex"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// What becomes of a request whose backend is lost while it is under way (DESIGN 9). The point of no return of a request
// is when its last byte has left (backend.LostError.Sent): before, it has certainly not happened and is sent again as
// if it were new; behind it, the table decides. A request with which two backends were lost is not sent to a third.

// replay says how a request can be repeated whose fate is not known.
type replay uint8

// The values of replay.
const (
	// never: what it does depends on what was done before, and nothing tells whether it was.
	never replay = iota
	// repeat: doing it twice is doing it once. Until it is answered it may take effect at any time, so that a second
	// effect after somebody else's is one that the first could have had.
	repeat
	// lookFirst: it has to be seen first whether it has happened (replay_look.go).
	lookFirst
)

// replays has the rows for requests that are relayed as they are. Those that take several steps repeat themselves:
// CREATE (create.go), rename, delete-pending (open.ask), server-side copies (serverCopy).
var replays = [smb2.CommandCount]func(msg []byte) replay{
	smb2.CommandClose:          always(repeat), // a handle that is opened for it and closed
	smb2.CommandFlush:          always(repeat),
	smb2.CommandRead:           always(repeat),
	smb2.CommandWrite:          replayWrite,
	smb2.CommandIoctl:          replayIoctl,
	smb2.CommandQueryDirectory: always(lookFirst), // from the start, without the names that were returned
	smb2.CommandQueryInfo:      always(repeat),
	smb2.CommandSetInfo:        replaySetInfo,
	smb2.CommandChangeNotify:   always(lookFirst), // answered: there may have been changes
}

// always is a row that needs no look at the message.
func always(r replay) func([]byte) replay { return func([]byte) replay { return r } }

// appendOffset is the offset of a WRITE at the end of the file ([MS-SMB2] 2.2.21, [MS-FSA] 2.1.5.4).
const appendOffset = 1<<64 - 1

// replayWrite: at an offset the data are what they are; at the end of the file twice would be twice.
func replayWrite(msg []byte) replay {
	var m smb2.WriteRequest
	if m.Decode(msg) != nil || m.Offset == appendOffset {
		return never
	}
	return repeat
}

// replaySetInfo: what sets a value sets it again.
func replaySetInfo(msg []byte) replay {
	var m smb2.SetInfoRequest
	if m.Decode(msg) != nil {
		return never
	}
	if m.InfoType != smb2.InfoFile {
		return repeat // security, quota
	}
	switch m.FileInfoClass {
	case smb2.FileEndOfFileInformation, smb2.FileAllocationInformation, smb2.FileLinkInformation:
		return lookFirst
	case smb2.FileRenameInformation:
		return never // relayed only to be refused
	default:
		return repeat
	}
}

// replayIoctl: FSCTLs about one file set or tell a state. Copies see to themselves.
func replayIoctl(msg []byte) replay {
	var m smb2.IoctlRequest
	if m.Decode(msg) != nil {
		return never
	}
	switch m.CtlCode {
	case smb2.FsctlSrvCopychunk, smb2.FsctlSrvCopychunkWrite, smb2.FsctlDuplicateExtentsToFile, smb2.FsctlPipeTransceive:
		return never
	default:
		return repeat
	}
}

// changes says which commands may change a file.
func changes(cmd smb2.Command) bool {
	switch cmd {
	case smb2.CommandWrite, smb2.CommandSetInfo, smb2.CommandIoctl, smb2.CommandClose:
		return true
	default:
		return false
	}
}

// fence waits until nothing can happen any more through an attachment that is lost (DESIGN 9, Fence before moving): smbd
// executes what lies in its socket long after we have closed it, over what was written elsewhere since.
func (a *attachment) fence(ctx context.Context) error {
	if a.Alive() {
		return nil // given up while it was well: the request has been answered
	}
	if err := a.pool.Fence(ctx, a.Session()); err != nil {
		return errNobody
	}
	return nil
}

// smallMessage is how long a message may be to be copied rather than kept by reference.
const smallMessage = 512

// save keeps what is needed to send the message f once more. Pipes cannot be repeated.
func (p *op) save(f *transport.Frame) {
	o := p.open
	if o == nil || p.held == nil || o.tree.pipes {
		return
	}
	if p.large != nil {
		p.large.Release()
		p.large = nil
	}
	switch smb2.RawCommand(f.Bytes()) {
	case smb2.CommandWrite, smb2.CommandSetInfo:
		p.keeps = o.arbitrated
	case smb2.CommandFlush:
		if p.keeps = o.arbitrated; p.keeps {
			p.upto = o.mark()
		}
	default:
	}
	if p.small = p.small[:0]; f.Len() <= smallMessage {
		p.small = append(p.small, f.Bytes()...)
		return
	}
	p.large = message(f, p.held.at.Seals())
}

// saved are the bytes of the message; nil: it cannot be sent again.
func (p *op) saved() []byte {
	if p.large != nil {
		return p.large.Bytes()
	}
	if len(p.small) > 0 {
		return p.small
	}
	return nil
}

// retry has the request sent again when its open has moved; an error is what it ends with instead.
func (p *op) retry(err error) error {
	msg := p.saved()
	if d := p.data; d != nil { // the backend of the name serves it: any mapping of data to backends is correct
		p.data, p.finish = nil, wrote
		p.open.data.drop(d)
		d.end()
	}
	if err == nil { // the handle was given up before the request came: it has not happened
		err = ntstatus.UnexpectedNetworkError
	} else if sent(err) {
		p.losses++
	}
	if msg == nil {
		return err
	}
	if p.losses > 1 {
		p.log("two backends were lost with a request, no third gets it")
		return err
	}
	if _, why := p.open.park(p, p.held); why != nil {
		return why
	}
	return nil
}

// again sends the request through h (parkable).
func (p *op) again(ctx context.Context, h *handle) {
	msg := p.saved()
	if p.losses > 0 && changes(smb2.RawCommand(msg)) {
		if err := p.held.at.fence(ctx); err != nil {
			p.end(nil, nil, err)
			return
		}
	}
	if p.open.data != nil { // it may have gone to a backend of data, which is lost with what is kept of it
		_ = p.open.restoreFirst(ctx)
	}
	rule := repeat
	if smb2.RawCommand(msg) == smb2.CommandQueryDirectory {
		rule = lookFirst // the new handle is not where the old one was, whether or not this one was sent
	} else if p.losses > 0 {
		rule = never
		if row := replays[smb2.RawCommand(msg)]; row != nil {
			rule = row(msg)
		}
	}
	switch rule {
	case never:
		p.log("a request whose backend was lost cannot be repeated")
		p.end(nil, nil, ntstatus.UnexpectedNetworkError)
		return
	case lookFirst:
		if p.look(ctx, h, msg) {
			return
		}
	}
	p.resend(h)
}

// resend sends the saved message through h.
func (p *op) resend(h *handle) {
	var f *transport.Frame
	if p.large != nil && !h.at.Seals() {
		f = p.large
		f.Retain()
	} else {
		msg := p.saved()
		f = transport.NewFrame(len(msg))
		f.SetBytes(append(f.Bytes(), msg...))
	}
	msg := f.Bytes()
	h.putID(msg, smb2.FileIDOffset(smb2.RawCommand(msg)))
	p.open.mu.Lock()
	p.at, p.held = h.at, h
	p.open.mu.Unlock()
	p.call.Frame, p.call.CreditCharge, p.call.Done = f, p.charge, p
	h.at.Submit(&p.call)
}

// fail ends the request (parkable).
func (p *op) fail(err error) { p.end(nil, nil, err) }

// wait sends the interim reply (parkable).
func (p *op) wait() { p.req.Pending(p.cancelFunc) }

// log tells the administrator all of a request that has failed but for its data and the file's name.
func (p *op) log(text string) {
	msg := p.saved()
	fixed := msg[:min(len(msg), smb2.HeaderSize+56)]
	p.req.Connection.Log().Error(text, "command", smb2.RawCommand(msg).String(), "share", p.open.tree.share.Name, "backend", p.at.pool.Name(),
		"file_id", p.open.id.Volatile, "length", len(msg), "message", hex.EncodeToString(fixed))
	p.req.Connection.Log().Debug(text, "name", p.open.Name())
}
