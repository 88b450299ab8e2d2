package backend

import (
	"errors"
	"log/slog"
	"runtime/debug"

	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// Call is one request to the backend. It is embedded in the caller's pooled
// operation; between Submit and Complete it belongs to this package.
type Call struct {
	// Frame is the request message, header first: the caller sets Command and
	// the flags DFS and REPLAY, the lane everything else in the header. Submit
	// takes it over with one reference (it may be a borrowed frame) and sets
	// the field to nil.
	Frame *transport.Frame
	// CreditCharge is smb2.CreditCharge of the larger payload; 0 counts as 1.
	CreditCharge uint16
	// Done is told what becomes of the call.
	Done Completion

	tree    *treeConnect // nil: a request of the session or the connection itself
	session *session     // nil: NEGOTIATE and ECHO
	client  *clientQueue // nil: one of our own, goes first
	// hook sees the finished message before it is signed: SESSION_SETUP is
	// hashed as it goes out.
	hook func(msg []byte)
	// unverified leaves the reply's signature to the caller, who is about to
	// learn the key.
	unverified bool

	state      callState
	canceled   bool // CANCEL was asked for
	cancelDue  bool // and whoever is at the call has to see to it
	telling    bool // the reader is at it: interim reply
	deaf       bool // smbd does not heed CANCEL for it
	ghost      bool // stands for a call that was given up, until its reply comes
	waits      bool // may take for ever by its nature
	urgent     bool
	changes    bool // something at the backend, see changes
	command    smb2.Command
	charge     uint16 // as sent; 0 once the credits are back
	messageID  uint64
	file       smb2.FileID      // of a deaf call, and of a CLOSE that ends such
	asyncID    uint64           // from the interim reply; 0: none came
	frame      *transport.Frame // the owned request while it is queued
	since      int64            // when sent or found pending, by Pool.now
	canceledAt int64            // when CANCEL was asked for, by Pool.now
	list       *callList        // which of the lists it is on
	next, prev *Call
}

// callState is where a call is.
//
//	idle ──Submit──> sending ──> sent ──final reply──> idle
//	  │                 ▲
//	  └──> queueing ──> queued          (no credits)
type callState uint8

// The states of a call.
const (
	callIdle     callState = iota
	callQueueing           // the submitter makes its frame its own
	callQueued             // waits for credits
	callSending            // in flight for us, perhaps not yet on the wire
	callSent               // on the wire
)

// Completion is told what becomes of a Call. It runs on the lane's reader (or,
// for what fails at once, the submitter's goroutine), with no lock held, and must
// not block: every other call of the lane waits.
type Completion interface {
	// Pending says that the backend sent an interim reply; at most once, before
	// Complete.
	Pending(c *Call)
	// Complete ends the call, exactly once: c may be used again from within.
	// h and reply are borrowed. If err is not nil they are nil: there is no
	// reply because the lane, session or tree is lost (a *LostError), or Cancel came
	// before the request was sent or while its lane is stuck (ntstatus.Cancelled),
	// or the request cannot be sent at all (ntstatus.InvalidParameter).
	Complete(c *Call, h *smb2.Header, reply *transport.Frame, err error)
}

// Failer is a Completion that wants to know that its Complete has panicked, to
// fail what depends on it; the lane is lost then.
type Failer interface{ Failed(c *Call) }

// complete calls Done.Complete. A panic in there ends the lane and not the process.
func (cn *connection) complete(c *Call, h *smb2.Header, reply *transport.Frame, err error) {
	done := c.Done
	defer cn.survive(c, done)
	done.Complete(c, h, reply, err)
}

// survive is complete's recover.
func (cn *connection) survive(c *Call, done Completion) {
	v := recover()
	if v == nil {
		return
	}
	cn.pool.log.Error("panic in a completion", slog.Int("lane", cn.lane), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	cn.kill(errPanic)
	if f, ok := done.(Failer); ok {
		defer func() { _ = recover() }() // it is as broken as Complete, and has been logged
		f.Failed(c)
	}
}

// errPanic ends a lane on which a completion has panicked: nobody knows what it
// left undone there.
var errPanic = errors.New("a completion has panicked")

// callList is a list of calls in the order they were put on it.
type callList struct {
	head, tail *Call
	n          int
}

// push appends c, which is on no list.
func (l *callList) push(c *Call) {
	c.list, c.prev, c.next = l, l.tail, nil
	if l.tail == nil {
		l.head = c
	} else {
		l.tail.next = c
	}
	l.tail = c
	l.n++
}

// replace puts g in the place of c, which is on the list.
func (l *callList) replace(c, g *Call) {
	g.list, g.prev, g.next = l, c.prev, c.next
	if g.prev == nil {
		l.head = g
	} else {
		g.prev.next = g
	}
	if g.next == nil {
		l.tail = g
	} else {
		g.next.prev = g
	}
	c.list, c.prev, c.next = nil, nil, nil
}

// unlink takes c off the list it is on, if any.
func (c *Call) unlink() {
	l := c.list
	if l == nil {
		return
	}
	if c.prev == nil {
		l.head = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		l.tail = c.prev
	} else {
		c.next.prev = c.prev
	}
	l.n--
	c.list, c.prev, c.next = nil, nil, nil
}

// urgentCommand tells whether a command gives things back: it may use the
// reserve, so that a lane full of requests can always get rid of opens.
func urgentCommand(cmd smb2.Command) bool {
	switch cmd {
	case smb2.CommandClose, smb2.CommandTreeDisconnect, smb2.CommandLogoff, smb2.CommandOplockBreak:
		return true
	default:
		return false
	}
}

// mayWait tells whether a request may go unanswered for as long as it likes.
func mayWait(cmd smb2.Command, tc *treeConnect) bool {
	switch cmd {
	case smb2.CommandLock, smb2.CommandChangeNotify:
		return true
	case smb2.CommandRead, smb2.CommandWrite, smb2.CommandIoctl:
		return tc != nil && tc.pipe()
	default:
		return false
	}
}
