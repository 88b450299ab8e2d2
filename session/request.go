package session

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// Request is one request on its way ([MS-SMB2] 3.3.1.13). It is valid until the end is called; the structs
// are used again. Session and Tree may be nil where the command's row does not need them.
type Request struct {
	Connection *Connection
	Session    *Session
	Tree       *TreeConnect
	// Header is the request's, with SessionId and TreeId as a related compound inherits them.
	Header smb2.Header
	// FileID is the open the request names, if its row has a FileIDOffset; in a related request the chain's.
	FileID smb2.FileID
	// Upper is room for the layer above; it stays when the struct is used again. It is not used again before a
	// running cancel function has returned.
	Upper any

	row     *Command
	channel *channel
	start   time.Time
	fault   Fault

	frame *transport.Frame // in which the message lies
	owned bool             // frame must be released
	off   int              // the message is frame.Bytes()[off:end]
	end   int
	copy  *transport.Frame // what Frame made for an element of a compound

	chain   *chain   // nil: not compounded
	last    bool     // the last of its compound, or alone
	sealed  bool     // it came in a TRANSFORM_HEADER
	sealFor *Session // whose key seals the replies; nil: plain
	signer  *crypto.Signer
	hash    *crypto.PreauthHash // takes in the reply, [MS-SMB2] 3.3.5.4, 3.3.5.5
	ready   func()              // called when the reply is complete, before the client can see it
	onEnd   func()              // of OnEnd
	owed    int64               // bytes of payload counted by the read gate
	badSig  bool                // a SESSION_SETUP whose signature is wrong; binding looks at it

	refs atomic.Int32 // Run, the end, running cancel functions: at 0 the struct is free

	mu      sync.Mutex // guards ended, and asyncID together with Connection.mu
	ended   bool
	asyncID uint64 // not 0: the interim reply has been sent
	unpaid  bool   // it has granted no credits
	silent  bool   // it has been cancelled because it would have waited in the middle of a compound

	// Guarded by Connection.mu:
	cancel     func()
	onSession  *Session     // Session and Tree as they were when cancel was given
	onTree     *TreeConnect //
	linked     bool
	next, prev *Request
}

// requests are the Request structs not in use.
var requests = sync.Pool{New: func() any { return new(Request) }}

// newRequest takes a struct for the message at [off:end] of frame, whose header is decoded by the caller.
func newRequest(c *Connection, frame *transport.Frame, off, end int) *Request {
	r := requests.Get().(*Request)
	r.Connection, r.frame, r.off, r.end = c, frame, off, end
	r.last, r.ended, r.asyncID, r.unpaid, r.silent = true, false, 0, false, false
	r.start = c.cfg.Now()
	r.refs.Store(2)
	c.inflight.Add(1)
	return r
}

// release drops a reference. The last one frees the struct: everything but Upper is forgotten, and ended
// stays set so that an end called too late is noticed.
func (r *Request) release() {
	if r.refs.Add(-1) != 0 {
		return
	}
	r.Connection.requestEnded()
	if r.owned {
		r.frame.Release()
	}
	if r.copy != nil {
		r.copy.Release()
	}
	r.Connection, r.Session, r.Tree, r.row, r.channel = nil, nil, nil, nil, nil
	r.Header, r.FileID, r.fault = smb2.Header{}, smb2.FileID{}, FaultNone
	r.frame, r.owned, r.copy, r.chain = nil, false, nil, nil
	r.sealed, r.sealFor, r.signer, r.hash, r.ready, r.onEnd, r.owed, r.badSig = false, nil, nil, nil, nil, nil, 0, false
	r.onSession, r.onTree = nil, nil
	requests.Put(r)
}

// Message is this one message, header first. It is borrowed until Run returns, or after Retain until the end.
func (r *Request) Message() []byte {
	if r.chain == nil {
		return r.frame.Bytes()
	}
	return r.frame.Bytes()[r.off:r.end]
}

// Command is the row of the table that the request runs by.
func (r *Request) Command() *Command { return r.row }

// Related tells whether the request is a related element of a compound.
func (r *Request) Related() bool { return r.Header.Flags&smb2.FlagRelated != 0 }

// Compounded tells whether the request is part of a compound.
func (r *Request) Compounded() bool { return r.chain != nil }

// Closing tells whether the request's session has been closed or its tree disconnected: what was cancelled for that
// ends with STATUS_NOTIFY_CLEANUP where it would end with STATUS_CANCELLED.
func (r *Request) Closing() bool {
	return r.Session != nil && r.Session.Closed() || r.Tree != nil && r.Tree.Closed()
}

// Orphaned tells whether the request's connection is lost while its session goes on, on other channels: its client may
// ask there what has become of it.
func (r *Request) Orphaned() bool {
	c, sess := r.Connection, r.Session
	c.mu.Lock()
	lost := c.closed
	c.mu.Unlock()
	if !lost || sess == nil || r.Closing() {
		return false
	}
	sess.mu.RLock()
	defer sess.mu.RUnlock()
	for _, ch := range sess.channels {
		if ch.conn != c && ch.ready.Load() {
			return true
		}
	}
	return false
}

// SetFault says who is to blame for the status the request will end with.
func (r *Request) SetFault(f Fault) { r.fault = f }

// OnEnd has f called when the request ends, before its reply leaves. Once at most; f must not block.
func (r *Request) OnEnd(f func()) { r.onEnd = f }

// SetFileID makes id the FileId of the related requests behind this one: CREATE has succeeded.
func (r *Request) SetFileID(id smb2.FileID) {
	r.FileID = id
	if r.chain != nil {
		r.chain.setFile(id)
	}
}

// SetTree makes t the tree of the reply and of the related requests behind it: TREE_CONNECT has succeeded.
func (r *Request) SetTree(t *TreeConnect) {
	r.Tree, r.Header.TreeID = t, t.ID
}

// Retain makes Message and Frame outlive Run, until the end. Call it while Run is running; slices of Message
// taken before must be taken again.
func (r *Request) Retain() {
	switch {
	case r.chain != nil:
		r.chain.retain()
		r.frame = r.chain.frame
	case !r.owned:
		r.frame, r.owned = r.frame.Detach(), true
	}
}

// Frame is the message as a frame of its own with head room, to be rewritten in place and sent to a backend. It
// lives as long as Message; an element of a compound is copied. Message then is no longer what the client sent.
func (r *Request) Frame() *transport.Frame {
	if r.chain == nil {
		return r.frame
	}
	if r.copy == nil {
		msg := r.Message()
		r.copy = transport.NewFrame(len(msg))
		r.copy.SetBytes(append(r.copy.Bytes(), msg...))
		smb2.SetRawNextCommand(r.copy.Bytes(), 0)
	}
	return r.copy
}

// run executes the request after dispatch has found nothing against it. The one recover of a request is here.
func (r *Request) run() {
	defer r.release()
	defer r.recover()
	r.row.Run(r)
}

// recover turns a panic of Run into a reply.
func (r *Request) recover() {
	if p := recover(); p != nil {
		r.Connection.log.Error("panic in a command", "command", r.Header.Command.String(), "panic", fmt.Sprint(p),
			"stack", string(debug.Stack()))
		r.fault = FaultProxy
		r.failOnce(ntstatus.InternalError)
	}
}

// Hold keeps the connection, and the message, waiting for the request as for a goroutine of Go, until Drop or the end of
// Continue; false: the connection has gone. Call it while Run is running.
func (r *Request) Hold() bool {
	c := r.Connection
	r.Retain()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.work.Add(1)
	r.refs.Add(1)
	return true
}

// Drop ends what Hold has begun, after the request's end.
func (r *Request) Drop() {
	c := r.Connection
	r.release()
	c.work.Done()
}

// Continue is Go for a request that Hold was called for, from any goroutine, in place of Drop.
func (r *Request) Continue(fn func(ctx context.Context)) {
	c := r.Connection
	go func() {
		defer c.work.Done()
		r.runBlocking(fn)
	}()
}

// Go runs fn on a goroutine that the connection waits for, for steps that block. ctx ends with the connection. The
// message is retained. Call it while Run is running.
func (r *Request) Go(fn func(ctx context.Context)) {
	c := r.Connection
	r.Retain()
	r.refs.Add(1)
	c.mu.Lock()
	if !c.closed {
		c.work.Add(1)
		c.mu.Unlock()
		go func() {
			defer c.work.Done()
			r.runBlocking(fn)
		}()
		return
	}
	c.mu.Unlock()
	r.runBlocking(fn) // ctx has ended: fn does not wait
}

// runBlocking is run for fn of Go.
func (r *Request) runBlocking(fn func(ctx context.Context)) {
	defer r.release()
	defer r.recover()
	fn(r.Connection.ctx)
}

// Disconnect ends the request and the connection ([MS-SMB2] 3.3.7.1), for what the protocol answers so.
func (r *Request) Disconnect(err error) {
	c := r.Connection
	if _, ok := r.finish(ntstatus.Success); !ok {
		return
	}
	c.observe(r, ntstatus.ConnectionDisconnected)
	c.terminate(fmt.Errorf("%v: %w: %w", r.Header.Command, errDisconnect, err))
	if r.chain != nil {
		r.chain.abandon()
	}
	r.release()
}
