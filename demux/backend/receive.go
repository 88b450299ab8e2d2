package backend

import (
	"errors"
	"fmt"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// Why a reply ends its lane: whoever sends such a thing is not our smbd any more.
var (
	errNotReply   = errors.New("not a reply")
	errUnknownID  = errors.New("reply to no request")
	errUnsigned   = errors.New("reply is not signed")
	errSignature  = errors.New("signature of a reply is wrong")
	errUnsealed   = errors.New("reply is not encrypted")
	errForeignKey = errors.New("reply is encrypted for another session")
)

// unsolicited is the MessageId of what smbd sends without being asked,
// [MS-SMB2] 2.2.23.
const unsolicited = 1<<64 - 1

// receive handles one frame from smbd, [MS-SMB2] 3.2.5.1. An error ends the lane.
func (cn *connection) receive(f *transport.Frame) error {
	msg := f.Bytes()
	h := &cn.header
	if err := h.Decode(msg); err != nil {
		return err
	}
	if h.Flags&smb2.FlagServerToRedir == 0 || h.NextCommand != 0 {
		return errNotReply
	}
	if h.MessageID == unsolicited {
		return cn.notification(h, f)
	}
	if h.Status == ntstatus.Pending && h.Flags&smb2.FlagAsync != 0 {
		return cn.interim(h, f)
	}
	cn.mu.Lock()
	c := cn.inflight[h.MessageID]
	if c == nil {
		cn.mu.Unlock()
		return fmt.Errorf("%w: message id %d", errUnknownID, h.MessageID)
	}
	delete(cn.inflight, h.MessageID)
	cn.refundLocked(c, h)
	if c.ghost {
		cn.ghosts--
	}
	c.unlink()
	c.state = callIdle
	pump := cn.waiting.n > 0
	cn.mu.Unlock()

	if err := cn.verify(c, h, f); err != nil {
		cn.kill(err)
		cn.complete(c, nil, nil, cn.lost(c.session, true, cn.reason()))
		return err
	}
	cn.note(c, h)
	if c.command == smb2.CommandClose && h.Status == ntstatus.Success && c.tree != nil && c.tree.pipe() {
		cn.pipeClosed(c.file)
	}
	if h.Status == ntstatus.UserSessionDeleted && c.session != nil && c.tree != nil {
		cn.complete(c, nil, nil, cn.lost(c.session, false, cn.pool.errGone)) // to the client it is a lost network, its own session lives
	} else {
		cn.complete(c, h, f, nil)
	}
	if cn.dead.Load() {
		return cn.reason()
	}
	if pump {
		cn.pump()
	}
	return nil
}

// interim handles STATUS_PENDING, [MS-SMB2] 3.2.5.1.5: the credits come back, the
// request stays.
func (cn *connection) interim(h *smb2.Header, f *transport.Frame) error {
	cn.mu.Lock()
	c := cn.inflight[h.MessageID]
	if c == nil {
		cn.mu.Unlock()
		return fmt.Errorf("%w: interim reply to message id %d", errUnknownID, h.MessageID)
	}
	c.telling = true // until we are through, nobody gives it up
	cn.mu.Unlock()
	if err := cn.verify(c, h, f); err != nil { // only this goroutine completes c
		return err
	}
	cn.mu.Lock()
	cn.calls.Add(1)
	first := c.asyncID == 0
	c.asyncID = h.AsyncID
	cn.refundLocked(c, h)
	c.unlink()
	if !c.waits {
		c.since = cn.pool.now()
		cn.pending.push(c)
	}
	pump := cn.waiting.n > 0
	cn.mu.Unlock()
	if first {
		cn.tellPending(c)
	}
	var cancel departure
	cn.mu.Lock()
	c.telling = false
	if c.cancelDue && c.state == callSent {
		cancel = cn.cancelLocked(c)
	}
	cn.mu.Unlock()
	cn.sendCancel(cancel)
	if pump {
		cn.pump()
	}
	return nil
}

// tellPending calls Done.Pending as complete does Complete.
func (cn *connection) tellPending(c *Call) {
	done := c.Done
	defer cn.survive(c, done)
	done.Pending(c)
}

// refundLocked takes the credits of a reply.
func (cn *connection) refundLocked(c *Call, h *smb2.Header) {
	cn.credits += int(h.Credits)
	cn.outstanding -= int(c.charge)
	c.charge = 0
}

// verify tells whether a reply is from whom it says, [MS-SMB2] 3.2.5.1.1 and
// 3.2.5.1.3. What c and its session say here is fixed while c is in flight.
func (cn *connection) verify(c *Call, h *smb2.Header, f *transport.Frame) error {
	s := c.session
	if s == nil || c.unverified {
		return nil
	}
	if id, sealed := f.Sealed(); sealed {
		if id != s.id {
			return errForeignKey
		}
		return nil
	}
	switch {
	case h.Status == ntstatus.UserSessionDeleted:
		return nil // Samba: 4.17 has no key any more
	case s.seals(c.tree):
		return errUnsealed
	case h.Flags&smb2.FlagSigned != 0:
		if !transport.VerifyMessage(f.Bytes(), s.signer) {
			return fmt.Errorf("%w (%v, message id %d)", errSignature, h.Command, h.MessageID)
		}
		return nil
	case h.Status == ntstatus.Pending:
		return nil // [MS-SMB2] 3.2.5.1.3 exempts interim replies
	}
	return fmt.Errorf("%w (%v, message id %d)", errUnsigned, h.Command, h.MessageID)
}

// note draws the conclusions of a final reply that is verified.
func (cn *connection) note(c *Call, h *smb2.Header) {
	cn.calls.Add(1)
	switch h.Status {
	case ntstatus.Success:
		switch c.command {
		case smb2.CommandCreate:
			cn.opens.Add(1)
		case smb2.CommandClose:
			cn.opens.Add(-1)
		default:
		}
	case ntstatus.TooManyOpenedFiles, ntstatus.InsufficientResources: // Samba: the latter is its own limit (4.17)
		if c.command == smb2.CommandCreate {
			cn.pool.learnMaxOpens(cn.opens.Load())
		}
	case ntstatus.UserSessionDeleted, ntstatus.NetworkSessionExpired, ntstatus.NetworkNameDeleted:
		cn.mu.Lock()
		defer cn.mu.Unlock()
		switch {
		case h.Status == ntstatus.UserSessionDeleted && c.session != nil:
			c.session.dropLocked()
		case h.Status == ntstatus.NetworkSessionExpired && c.session != nil:
			c.session.renewAt = 0 // at the next sweep
		case h.Status == ntstatus.NetworkNameDeleted && c.tree != nil:
			c.tree.dropLocked()
		}
	default:
	}
}

// reason is why the connection is given up.
func (cn *connection) reason() error {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	return cn.err
}
