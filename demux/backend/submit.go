package backend

import (
	"fmt"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

const (
	// reservedCredits are kept for urgent commands once smbd has granted plenty.
	reservedCredits = 32
	// maxQueuedBytes is how much may lie before a socket that smbd does not
	// read from until requests wait in the fair queue instead.
	maxQueuedBytes = 8 << 20
	// maxMessage is the longest message that fits a frame with its
	// TRANSFORM_HEADER, [MS-SMB2] 2.1.
	maxMessage = 1<<24 - 1 - 52
	// keptFlags are what a caller may say in a request's header.
	keptFlags = smb2.FlagDFS | smb2.FlagReplay
)

// Submit sends the call's request as the tree's user. It never blocks: without
// credits the request is queued. The caller does not touch c until Complete.
func (t *Tree) Submit(c *Call) {
	c.tree, c.session, c.client = t.tc, t.tc.session, t.client
	t.tc.session.conn.submit(c)
}

// submit does Submit for calls whose tree, session and client are set.
func (cn *connection) submit(c *Call) {
	f := c.Frame
	c.Frame = nil
	c.command = smb2.RawCommand(f.Bytes())
	c.waits = mayWait(c.command, c.tree)
	c.urgent = c.client == nil || urgentCommand(c.command)
	c.charge = max(1, c.CreditCharge)
	c.changes = changes(c.command, f.Bytes(), c.tree)
	c.canceled, c.cancelDue, c.telling, c.deaf, c.asyncID = false, false, false, false, 0
	if c.tree != nil && c.tree.pipe() {
		c.notePipe(f.Bytes())
	}

	cn.mu.Lock()
	if err := cn.refusalLocked(c, f); err != nil {
		cn.mu.Unlock()
		f.Release()
		cn.complete(c, nil, nil, err)
		return
	}
	behind := c.client != nil && (c.client.calls.n > 0 || cn.pumped == c.client)
	if behind {
		c.urgent = false // a CLOSE does not overtake what its client has asked before
	}
	if behind || cn.waiting.n > 0 && !c.urgent || !cn.admitsLocked(c) {
		c.state = callQueueing
		cn.mu.Unlock()
		cn.enqueue(c, f)
		return
	}
	w := cn.departLocked(c)
	cn.mu.Unlock()
	cn.send(f, w)
}

// refusalLocked is why a call cannot be sent, nil if it can.
func (cn *connection) refusalLocked(c *Call, f *transport.Frame) error {
	switch {
	case cn.err != nil:
		return cn.lost(c.session, false, cn.err)
	case c.session != nil && c.session.gone || c.tree != nil && c.tree.lost:
		return cn.lost(c.session, false, cn.pool.errGone)
	case f.Len() < smb2.HeaderSize || f.Len() > maxMessage || int(c.charge) > cn.pool.cfg.Credits-reservedCredits:
		return fmt.Errorf("request of %d bytes and %d credits: %w", f.Len(), c.charge, ntstatus.InvalidParameter)
	}
	return nil
}

// enqueue makes f outlive Submit and queues the call.
func (cn *connection) enqueue(c *Call, f *transport.Frame) {
	own := f.Detach()
	f.Release()
	cn.mu.Lock()
	err := cn.refusalLocked(c, own)
	if err == nil && c.canceled {
		err = ntstatus.Cancelled
	}
	if err != nil {
		c.state = callIdle
		cn.mu.Unlock()
		own.Release()
		cn.complete(c, nil, nil, err)
		return
	}
	c.state, c.frame = callQueued, own
	cn.waiting.push(c)
	cn.mu.Unlock()
	cn.pump()
}

// admitsLocked tells whether there are credits for c, the reserve not counted
// unless it is urgent. While smbd does not read, only what it will answer
// (something in ready) makes waiting safe: its reply pumps.
func (cn *connection) admitsLocked(c *Call) bool {
	left := cn.credits - int(c.charge)
	if c.urgent {
		return left >= 0
	}
	return left >= cn.reserveLocked() && (cn.nc.Queued() < maxQueuedBytes || cn.ready.n == 0)
}

// reserveLocked grows with what smbd has granted: a fresh connection has one
// credit, and cannot spare it.
func (cn *connection) reserveLocked() int {
	return min(reservedCredits, (cn.credits+cn.outstanding)/8)
}

// departure is what send needs of a call, copied: once the lock is gone the call
// may be over and used for something else.
type departure struct {
	call      *Call // to be compared only
	session   *session
	tree      *treeConnect
	hook      func(msg []byte)
	messageID uint64
	asyncID   uint64 // of a CANCEL
	abandoned bool   // the CANCEL's call is over: to be completed
	charge    uint16
	credits   uint16
}

// departLocked takes a call in flight: message ids and credits, [MS-SMB2]
// 3.2.4.1.2, 3.2.4.1.3, 3.2.4.1.5.
func (cn *connection) departLocked(c *Call) departure {
	c.state = callSending
	c.messageID = cn.nextID
	c.since = cn.pool.now()
	cn.nextID += uint64(c.charge)
	missing := cn.pool.cfg.Credits - cn.credits - cn.outstanding
	cn.credits -= int(c.charge)
	cn.outstanding += int(c.charge)
	cn.inflight[c.messageID] = c
	if !c.waits {
		cn.ready.push(c)
	}
	return departure{
		call: c, session: c.session, tree: c.tree, hook: c.hook, messageID: c.messageID,
		charge: c.charge, credits: uint16(int(c.charge) + max(0, missing)),
	}
}

// send fills in the header, signs or seals and writes. It takes f over. An error
// of the socket ends the lane, whose reader then completes the call.
func (cn *connection) send(f *transport.Frame, w departure) {
	msg := f.Bytes()
	smb2.SetRawCreditCharge(msg, w.charge)
	smb2.SetRawCredits(msg, w.credits)
	smb2.SetRawStatus(msg, 0) // ChannelSequence: there is one channel
	smb2.SetRawFlags(msg, smb2.RawFlags(msg)&keptFlags)
	smb2.SetRawNextCommand(msg, 0)
	smb2.SetRawMessageID(msg, w.messageID)
	cn.write(f, w.session, w.tree, w.hook)

	cn.mu.Lock()
	var cancel departure
	if c := w.call; cn.inflight[w.messageID] == c && c.state == callSending {
		c.state = callSent
		if c.cancelDue && !c.telling {
			cancel = cn.cancelLocked(c)
		}
	}
	cn.mu.Unlock()
	cn.sendCancel(cancel)
}

// write sends a message whose ids are set as s and tc want it, and releases f.
func (cn *connection) write(f *transport.Frame, s *session, tc *treeConnect, hook func(msg []byte)) {
	msg := f.Bytes()
	var sid uint64
	var tid uint32
	if tc != nil {
		tid = tc.id
	}
	if s != nil {
		sid = s.id
	}
	if smb2.RawFlags(msg)&smb2.FlagAsync == 0 { // else AsyncId stands there
		smb2.SetRawTreeID(msg, tid)
	}
	smb2.SetRawSessionID(msg, sid)
	clear(smb2.RawSignature(msg))
	if hook != nil {
		hook(msg)
	}
	var err error
	if s != nil && s.seals(tc) {
		err = cn.nc.Send(f, s.sealer, sid)
	} else {
		if s != nil && s.signer != nil {
			transport.SignMessage(msg, s.signer)
		}
		err = cn.nc.Send(f, nil, 0)
	}
	f.Release()
	if err != nil {
		cn.kill(err)
	}
}

// pump sends what waits as far as the credits go. One does at a time, so that what
// one client has asked reaches smbd in its order; whoever finds pump at work has
// changed what it looks at next.
func (cn *connection) pump() {
	cn.mu.Lock()
	if cn.pumping {
		cn.mu.Unlock()
		return
	}
	cn.pumping = true
	for {
		f, w, more := cn.nextLocked()
		if f == nil {
			cn.pumping = more
			cn.mu.Unlock()
			if !more {
				return
			}
		} else {
			cn.mu.Unlock()
			cn.send(f, w)
		}
		cn.mu.Lock()
		cn.pumped = nil
	}
}

// nextLocked takes the call whose turn it is in flight. Without a frame there is
// nothing to send: more says to look again, and else pump is over.
func (cn *connection) nextLocked() (f *transport.Frame, w departure, more bool) {
	c := cn.waiting.peek()
	switch {
	case c == nil || cn.err != nil:
		return nil, w, false
	case cn.admitsLocked(c):
		cn.waiting.take(c)
		f, c.frame, cn.pumped = c.frame, nil, c.client
		return f, cn.departLocked(c), true
	case !cn.starvedLocked(c):
		return nil, w, false
	}
	if total := cn.credits + cn.outstanding; total > cn.begged {
		cn.begged = total
		return NewRequest(smb2.CommandEcho, &smb2.EchoRequest{}, smallBody), cn.departLocked(cn.beg()), true
	}
	cn.hopelessLocked(c)
	cn.mu.Lock()
	return nil, w, true
}

// starvedLocked tells that c waits for more credits than smbd has granted and
// nothing is on its way that could bring some: smbd grants little by little, so
// on a young connection a large request has to wait for small ones.
func (cn *connection) starvedLocked(c *Call) bool {
	return cn.ready.n == 0 && cn.credits > 0 && int(c.charge) > cn.credits-cn.reserveLocked() && !cn.echo.underWay()
}

// hopelessLocked ends a call that smbd, asked for more credits, granted none for:
// its "smb2 max credits" is too small for such requests. It gives the lock up.
func (cn *connection) hopelessLocked(c *Call) {
	cn.waiting.take(c)
	f := c.frame
	c.frame, c.state = nil, callIdle
	err := fmt.Errorf("backend %q grants %d credits, a request needs %d: %w",
		cn.pool.cfg.Name, cn.credits, c.charge, ntstatus.InsufficientResources)
	cn.begged = 0
	cn.mu.Unlock()
	f.Release()
	cn.complete(c, nil, nil, err)
}

// beg prepares an ECHO that asks for credits; its reply pumps.
func (cn *connection) beg() *Call {
	cn.echo = newEcho()
	return cn.echo
}

// newEcho is an ECHO of our own. Each is another Call: the reader may still be at
// the last one when that is over.
func newEcho() *Call {
	return &Call{Done: forget{}, command: smb2.CommandEcho, charge: 1, urgent: true}
}

// underWay tells whether a call, which may be nil, is not over. Under conn.mu.
func (c *Call) underWay() bool { return c != nil && c.state != callIdle }

// forget is the completion of calls whose outcome nobody waits for.
type forget struct{}

// Pending implements Completion.
func (forget) Pending(*Call) {}

// Complete implements Completion.
func (forget) Complete(*Call, *smb2.Header, *transport.Frame, error) {}

// smallBody is room for the bodies of requests without a payload.
const smallBody = 192

// NewRequest makes a frame of a header that says cmd, and body; size is about how long that is.
func NewRequest(cmd smb2.Command, body smb2.Body, size int) *transport.Frame {
	f := transport.NewFrame(smb2.HeaderSize + size)
	h := smb2.Header{Command: cmd}
	f.SetBytes(body.Append(h.Append(f.Bytes())))
	return f
}
