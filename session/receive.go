package session

import (
	"errors"
	"fmt"

	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// maxCompound is the number of messages that one frame may hold. A client needs credits for each, so this is about
// memory only.
const maxCompound = 1024

// receive takes one frame ([MS-SMB2] 3.3.5.2), on the reader's goroutine. An error ends the connection.
func (c *Connection) receive(f *transport.Frame) error {
	if err := c.throttle(); err != nil {
		return err
	}
	b := f.Bytes()
	if len(b) >= 4 && string(b[:4]) == smb2.ProtocolSMB1 {
		return c.negotiateSMB1(b)
	}
	if len(b) < smb2.HeaderSize || string(b[:4]) != smb2.ProtocolSMB2 {
		return violation("message of %d bytes that is not SMB2", len(b)) // compressed ones were not negotiated
	}
	if smb2.RawNextCommand(b) != 0 {
		return c.receiveCompound(f)
	}
	r := newRequest(c, f, 0, len(b))
	if err := r.Header.Decode(b); err != nil {
		r.discard()
		return fmt.Errorf("%w: %w", errDisconnect, err)
	}
	if err := c.consume(&r.Header); err != nil {
		r.discard()
		return err
	}
	_, r.sealed = f.Sealed()
	c.dispatch(r)
	return nil
}

// receiveCompound takes apart a frame of several messages. All message ids are checked before the first one runs.
func (c *Connection) receiveCompound(f *transport.Frame) error {
	ch := chains.Get().(*chain)
	ch.conn, ch.frame = c, f
	c.inflight.Add(1)
	off := 0
	err := transport.SplitCompound(f.Bytes(), func(msg []byte, _ bool) error {
		var h smb2.Header
		if err := h.Decode(msg); err != nil {
			return err
		}
		if len(ch.parts) == maxCompound {
			return errors.New("compound of too many messages")
		}
		ch.parts = append(ch.parts, part{off, off + len(msg)})
		off += len(msg)
		return c.consume(&h)
	})
	if err != nil {
		ch.dead = true
		ch.finish()
		return fmt.Errorf("%w: %w", errDisconnect, err)
	}
	ch.loop()
	return nil
}

// consume checks MessageId and CreditCharge against the window ([MS-SMB2] 3.3.5.2.3). CANCEL uses the id of what it
// cancels.
func (c *Connection) consume(h *smb2.Header) error {
	if h.Flags&smb2.FlagServerToRedir != 0 {
		return violation("a response")
	}
	if h.Command == smb2.CommandCancel {
		return nil
	}
	charge := h.CreditCharge
	if !c.neg.multiCredit {
		charge = 1
	}
	if !c.window.consume(h.MessageID, charge) {
		return violation("message id %d with charge %d is not in the window", h.MessageID, charge)
	}
	return nil
}

// violation is an error that ends the connection for the client's fault.
func violation(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDisconnect, fmt.Sprintf(format, args...))
}

// strangerQueue is how many bytes of replies may wait for a client that has not authenticated yet. It gets nothing that
// long, unless it asks and does not read; while it is not read from, its time to authenticate would not end.
const strangerQueue = 128 << 10

// throttle waits while the client does not take its replies, or has asked for more than it should: not reading on
// is what slows it down.
func (c *Connection) throttle() error {
	queued := c.tc.Queued()
	if queued > strangerQueue && !c.known.Load() {
		return violation("%d bytes of replies not read before authentication", queued)
	}
	if queued > c.cfg.SendLimit/8 {
		if err := c.tc.WaitDrained(c.ctx); err != nil {
			return err
		}
	}
	if c.readGate.over() {
		// Writes out what this batch holds back: the READs that the gate waits for may be among it.
		if err := c.tc.WaitDrained(c.ctx); err != nil {
			return err
		}
		c.readGate.wait(c.ctx)
	}
	return nil
}

// discard frees a request that was never dispatched.
func (r *Request) discard() {
	r.refs.Store(1)
	r.ended = true
	r.release()
}
