package backend

import (
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Cancel asks the backend to give up a call that was submitted on t; how it ends
// Complete tells, as ever (a request that did not leave yet: at once, with
// ntstatus.Cancelled). It does nothing if the call is over, so it may race with
// Complete as long as the Call is not in use for something else by then.
func (t *Tree) Cancel(c *Call) { t.tc.session.conn.cancel(c) }

// cancel is Cancel on a connection.
func (cn *connection) cancel(c *Call) {
	cn.mu.Lock()
	var w departure
	switch c.state {
	case callIdle:
	case callQueueing: // the submitter looks afterwards
		c.canceled = true
	case callSending:
		c.canceled, c.cancelDue = true, true
	case callQueued:
		cn.waiting.remove(c)
		f := c.frame
		c.frame, c.state = nil, callIdle
		cn.mu.Unlock()
		f.Release()
		cn.complete(c, nil, nil, ntstatus.Cancelled)
		return
	case callSent:
		switch {
		case c.canceled:
		case c.telling:
			c.canceled, c.cancelDue = true, true
		default:
			c.canceled = true
			w = cn.cancelLocked(c)
		}
	}
	cn.mu.Unlock()
	cn.sendCancel(w)
}

// cancelLocked notes what a CANCEL for c has to say. It names the MessageId of
// the request, and the AsyncId too once that is known, [MS-SMB2] 3.2.4.24: one
// that overtakes the interim reply on the wire is found by the MessageId. A call
// that smbd will not give up is given up here.
func (cn *connection) cancelLocked(c *Call) departure {
	c.cancelDue, c.canceledAt, cn.cancels = false, cn.pool.now(), true
	w := departure{call: c, session: c.session, tree: c.tree, messageID: c.messageID, asyncID: c.asyncID}
	if c.deaf {
		cn.abandonLocked(c)
		w.abandoned = true
	}
	return w
}

// sendCancel sends the CANCEL that cancelLocked noted, if it did. It has no
// reply and takes no credit.
func (cn *connection) sendCancel(w departure) {
	if w.call == nil {
		return
	}
	f := NewRequest(smb2.CommandCancel, &smb2.CancelRequest{}, smallBody)
	msg := f.Bytes()
	smb2.SetRawMessageID(msg, w.messageID)
	if w.asyncID != 0 {
		smb2.SetRawFlags(msg, smb2.FlagAsync)
		smb2.SetRawAsyncID(msg, w.asyncID)
	}
	cn.write(f, w.session, w.tree, nil)
	if w.abandoned {
		cn.complete(w.call, nil, nil, ntstatus.Cancelled)
	}
}

// cancelGrace is how long smbd has to heed a CANCEL before a stuck lane is not
// waited for any more.
const cancelGrace = time.Second

// giveUpLocked takes out what a stuck lane has been asked to cancel and does not:
// its client is not to wait for a file system that hangs. What changes something
// is waited for, since it will happen; but of a CREATE the handle is closed then.
// The caller completes the calls when the lock is gone.
func (cn *connection) giveUpLocked(now int64) (over []*Call) {
	if !cn.cancels {
		return nil
	}
	cn.cancels = false
	for _, c := range cn.inflight {
		switch {
		case !c.canceled || c.ghost || c.changes && c.command != smb2.CommandCreate:
		case c.state != callSent || c.telling || time.Duration(now-c.canceledAt) < cancelGrace:
			cn.cancels = true
		default:
			cn.abandonLocked(c)
			over = append(over, c)
		}
	}
	return over
}
