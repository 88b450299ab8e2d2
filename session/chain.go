package session

import (
	"sync"
	"sync/atomic"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// chain is a compound on its way ([MS-SMB2] 3.3.5.2.7). Its requests run one after the other; the next one
// starts where the one before ended, on the reader's goroutine or another:
//
//	running --request ends within dispatch--> ended --the loop that runs takes the next--> running
//	   |
//	   +--dispatch returns, not ended--> waiting --request ends: its goroutine loops--> running
//
// There is one current request at any time, and the state hands everything else from one goroutine to the next.
type chain struct {
	conn  *Connection
	frame *transport.Frame
	owned bool
	parts []part
	next  int
	state atomic.Int32
	dead  bool // the connection ends: nothing is run or sent any more

	// What related requests inherit.
	session   *Session
	channel   *channel
	sessionID uint64
	tree      *TreeConnect
	treeID    uint32
	file      smb2.FileID
	hasFile   bool
	createErr ntstatus.Status // how the CREATE of the chain failed, else Success

	// The replies so far; the last one is completed when the next comes or the frame leaves.
	out     *transport.Frame
	outLast int
	signer  *crypto.Signer // for the last one; nil: not signed
	hash    *crypto.PreauthHash
	ready   func()
	sealFor *Session // not nil: the frame is sealed
	credits uint16   // granted; the frame's last header says all of them
}

// part is where a message lies in the frame, padding included.
type part struct{ off, end int }

// The states of a chain.
const (
	chainRunning int32 = iota
	chainEnded
	chainWaiting
)

// chains are the chain structs not in use.
var chains = sync.Pool{New: func() any { return new(chain) }}

// loop runs requests until one is left waiting or all are done.
func (ch *chain) loop() {
	for ch.next < len(ch.parts) && !ch.dead {
		ch.state.Store(chainRunning)
		ch.start()
		if ch.state.Load() == chainRunning && ch.next < len(ch.parts) {
			ch.retain()
		}
		if ch.state.CompareAndSwap(chainRunning, chainWaiting) {
			return
		}
	}
	ch.finish()
}

// resume goes on after the current request has ended.
func (ch *chain) resume() {
	if !ch.state.CompareAndSwap(chainRunning, chainEnded) {
		ch.loop()
	}
}

// abandon is resume when the connection ends.
func (ch *chain) abandon() {
	ch.dead = true
	ch.resume()
}

// start takes the next request, with what it inherits, and dispatches it.
func (ch *chain) start() {
	p := ch.parts[ch.next]
	ch.next++
	c := ch.conn
	r := newRequest(c, ch.frame, p.off, p.end)
	r.chain, r.last = ch, ch.next == len(ch.parts)
	_, r.sealed = ch.frame.Sealed()
	if err := r.Header.Decode(r.Message()); err != nil {
		r.release() // Run's reference; receive has decoded it before, so this does not happen
		r.Disconnect(err)
		return
	}
	if r.Related() {
		r.Session, r.channel, r.Header.SessionID = ch.session, ch.channel, ch.sessionID
		r.Tree, r.Header.TreeID = ch.tree, ch.treeID
	} else {
		ch.hasFile, ch.createErr = false, ntstatus.Success
	}
	c.dispatch(r)
}

// retain makes the frame outlive the reader's callback.
func (ch *chain) retain() {
	if !ch.owned {
		ch.frame, ch.owned = ch.frame.Detach(), true
	}
}

// setFile notes the FileId for the related requests behind.
func (ch *chain) setFile(id smb2.FileID) {
	ch.file, ch.hasFile, ch.createErr = id, true, ntstatus.Success
}

// resolveFile decides which open a request with a FileId means ([MS-SMB2] 3.3.5.2.7.2): a related one means the
// chain's, and fails as the chain's CREATE did.
//
// Samba: without an open in the chain the request's own FileId is looked up, so 0xFF..FF gives STATUS_FILE_CLOSED (4.17).
func (ch *chain) resolveFile(r *Request, id smb2.FileID) ntstatus.Status {
	if r.Related() {
		switch {
		case ch.createErr != ntstatus.Success:
			return ch.createErr
		case ch.hasFile:
			r.FileID = ch.file
			return ntstatus.Success
		}
	}
	if id == smb2.RelatedFileID && r.Header.Command != smb2.CommandIoctl {
		return ntstatus.FileClosed
	}
	r.FileID = id
	if id != smb2.RelatedFileID {
		ch.setFile(id)
	}
	return ntstatus.Success
}

// inherit notes what the requests behind r take from it.
func (ch *chain) inherit(r *Request, st ntstatus.Status) {
	ch.session, ch.channel, ch.sessionID = r.Session, r.channel, r.Header.SessionID
	ch.tree, ch.treeID = r.Tree, r.Header.TreeID
	if r.Header.Command == smb2.CommandCreate && st.IsError() {
		ch.hasFile, ch.createErr = false, st
	}
}

// maxReplies is how many bytes of replies fit into one frame, sealed ([MS-SMB2] 2.1).
const maxReplies = 1<<24 - 1 - smb2.TransformHeaderSize

// errReplies ends a connection whose compound has asked for more than one frame can hold.
var errReplies = violation("the replies of a compound do not fit into a frame")

// add appends r's reply. Each reply is padded to 8 bytes, the last too. Where they do not fit into a frame any more
// the connection ends.
//
// Samba: that does so too, when the frame is to leave (4.17).
func (ch *chain) add(r *Request, st ntstatus.Status, f *transport.Frame, async uint64) {
	ch.inherit(r, st)
	if ch.out != nil && ch.out.Len()+f.Len()+8 > maxReplies {
		ch.dead = true
		ch.conn.terminate(errReplies)
		return
	}
	if ch.out == nil {
		ch.out = transport.NewFrame(max(f.Len(), replySize) * 2)
	} else {
		ch.complete(false)
	}
	ch.outLast = ch.out.Len()
	b := append(ch.out.Bytes(), f.Bytes()...)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	ch.out.SetBytes(b)
	ch.credits += r.creditsFor(st, async)
	r.putHeader(ch.out.Bytes()[ch.outLast:], st, 0, async)
	ch.signer, ch.hash, ch.ready = r.signer, r.hash, r.ready
	if r.sealFor != nil {
		ch.signer = nil
		if ch.sealFor == nil {
			ch.sealFor = r.sealFor
		}
	}
}

// complete fills in what the last reply of out lacks, and signs it.
func (ch *chain) complete(last bool) {
	msg := ch.out.Bytes()[ch.outLast:]
	if last {
		smb2.SetRawCredits(msg, ch.credits)
		ch.credits = 0
	} else {
		smb2.SetRawNextCommand(msg, uint32(len(msg)))
	}
	if ch.signer != nil {
		transport.SignMessage(msg, ch.signer)
	}
	if ch.hash != nil {
		ch.hash.Update(msg)
	}
	if ch.ready != nil {
		ch.ready()
	}
}

// flush sends the replies so far.
func (ch *chain) flush() {
	if ch.out == nil {
		return
	}
	ch.complete(true)
	ch.conn.send(ch.out, ch.sealFor)
	ch.out.Release()
	ch.out, ch.sealFor = nil, nil
}

// pending tells whether r gets an interim reply; then the replies before it leave first.
//
// Samba: the last request does, and a CREATE, which may wait for a break (4.17). In the middle of a compound others wait
// in silence, but for what could wait for ever, which Pending cancels.
func (ch *chain) pending(r *Request) bool {
	if !r.last && r.Header.Command != smb2.CommandCreate {
		return false
	}
	ch.flush()
	return true
}

// finish sends what is left and frees the struct.
func (ch *chain) finish() {
	if ch.dead {
		if ch.out != nil {
			ch.out.Release()
		}
	} else {
		ch.flush()
	}
	if ch.owned {
		ch.frame.Release()
	}
	ch.conn.requestEnded()
	*ch = chain{parts: ch.parts[:0]}
	chains.Put(ch)
}
