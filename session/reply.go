package session

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// replySize is the room that a reply made from a Body starts with; longer ones grow.
const replySize = 512

// Reply ends the request: it encodes and sends body with status st.
func (r *Request) Reply(st ntstatus.Status, body smb2.Body) {
	f := transport.NewFrame(replySize)
	f.SetBytes(body.Append(append(f.Bytes(), emptyHeader[:]...)))
	r.ReplyFrame(st, f)
	f.Release()
}

// emptyHeader keeps a reply's first 64 bytes free.
var emptyHeader [smb2.HeaderSize]byte

// ReplyFrame ends the request by sending f, which holds 64 bytes of any header and the response's body. The header
// is overwritten in place. f stays the caller's, to be released; its bytes do not.
func (r *Request) ReplyFrame(st ntstatus.Status, f *transport.Frame) {
	c := r.Connection
	async, ok := r.finish(st)
	if !ok {
		return
	}
	c.observe(r, st)
	if r.chain != nil {
		r.chain.add(r, st, f, async)
		r.chain.resume()
	} else {
		msg := f.Bytes()
		r.putHeader(msg, st, r.creditsFor(st, async), async)
		r.finalize(msg)
		c.send(f, r.sealFor)
	}
	r.release()
}

// Fail ends the request with an ERROR response ([MS-SMB2] 2.2.2).
func (r *Request) Fail(st ntstatus.Status) { r.FailData(st, nil) }

// FailErr is Fail with the status that err maps to.
func (r *Request) FailErr(err error) { r.Fail(ntstatus.From(err)) }

// FailData is Fail with ErrorData, as the dialect wants it: an error context list in 3.1.1.
func (r *Request) FailData(st ntstatus.Status, errorData []byte) {
	if r.fault == FaultNone {
		r.fault = FaultClient
	}
	if st == ntstatus.Cancelled && r.middle() {
		st = ntstatus.InternalError // [MS-SMB2] 3.3.4.2
	}
	body := smb2.ErrorResponse{ErrorData: errorData}
	if len(errorData) > 0 && r.Connection.neg.dialect == smb2.Dialect311 {
		body.ErrorContexts = []smb2.ErrorContext{{ErrorID: smb2.ErrorIDDefault, ErrorData: errorData}}
	}
	f := errorFrame(&body)
	r.ReplyFrame(st, f)
	f.Release()
}

// middle says that the request has been cancelled only because it would have waited in the middle of a compound.
func (r *Request) middle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.silent
}

// errorFrame is an ERROR response without its header's contents.
func errorFrame(body *smb2.ErrorResponse) *transport.Frame {
	f := transport.NewFrame(replySize)
	f.SetBytes(body.Append(append(f.Bytes(), emptyHeader[:]...)))
	return f
}

// finish is the one end of a request. False: it had ended before, which is a bug of the caller's and logged. async
// is the AsyncId under which an interim reply was sent, or 0.
func (r *Request) finish(st ntstatus.Status) (async uint64, ok bool) {
	r.mu.Lock()
	if r.ended {
		r.mu.Unlock()
		if c := r.Connection; c != nil {
			c.log.Error("request ended twice", "command", r.Header.Command.String(), "message_id", r.Header.MessageID, "status", st.Error())
		}
		return 0, false
	}
	r.ended = true
	async = r.asyncID
	r.mu.Unlock()
	c := r.Connection
	c.unlink(r)
	if async != 0 {
		c.asyncs.Add(-1)
	}
	if r.owed != 0 {
		c.readGate.release(r.owed)
	}
	if r.onEnd != nil {
		r.onEnd()
	}
	return async, true
}

// failOnce is Fail that does nothing to a request already ended.
func (r *Request) failOnce(st ntstatus.Status) {
	r.mu.Lock()
	ended := r.ended
	r.mu.Unlock()
	if !ended {
		r.Fail(st)
	}
}

// FailPanicked answers STATUS_INTERNAL_ERROR for a panic that was outside of Run, unless the request has ended.
func (r *Request) FailPanicked() { r.failOnce(ntstatus.InternalError) }

// putHeader writes the response's header over the first 64 bytes of msg ([MS-SMB2] 3.3.4.1).
//
// Samba: a reply to a signed request for which there is no key, as its session is gone, carries the request's own
// signature (4.17). Clients that insist on signatures take STATUS_USER_SESSION_DELETED only so.
func (r *Request) putHeader(msg []byte, st ntstatus.Status, credits uint16, async uint64) {
	h := smb2.Header{
		CreditCharge: r.Header.CreditCharge,
		Status:       st,
		Command:      r.Header.Command,
		Credits:      credits,
		Flags:        smb2.FlagServerToRedir | r.Header.Flags&smb2.FlagRelated,
		MessageID:    r.Header.MessageID,
		TreeID:       r.Header.TreeID,
		SessionID:    r.Header.SessionID,
	}
	if r.Connection.neg.dialect == smb2.Dialect311 {
		h.Flags |= r.Header.Flags & smb2.FlagPriorityMask
	}
	if async != 0 {
		h.Flags |= smb2.FlagAsync
		h.AsyncID = async
	}
	if r.signer == nil && st == ntstatus.UserSessionDeleted {
		h.Flags |= r.Header.Flags & smb2.FlagSigned
		h.Signature = r.Header.Signature
	}
	h.Put(msg)
}

// creditsFor grants what the reply's header will say. After an interim reply that has granted there is nothing left.
//
// Samba: only a successful SESSION_SETUP grants more than was paid, NEGOTIATE never does (4.17).
func (r *Request) creditsFor(st ntstatus.Status, async uint64) uint16 {
	if async != 0 && !r.unpaid {
		return 0
	}
	extra := true
	switch r.Header.Command {
	case smb2.CommandNegotiate:
		extra = false
	case smb2.CommandSessionSetup:
		extra = st == ntstatus.Success
	default:
	}
	return r.Connection.window.grant(r.Header.Credits, r.Header.CreditCharge, extra)
}

// finalize signs the message, which is complete, and takes it into the preauthentication hash.
func (r *Request) finalize(msg []byte) {
	if r.signer != nil && r.sealFor == nil {
		transport.SignMessage(msg, r.signer)
	}
	if r.hash != nil {
		r.hash.Update(msg)
	}
	if r.ready != nil {
		r.ready()
	}
}

// send sends f, sealed for sess if that is not nil. Where that fails the connection ends.
func (c *Connection) send(f *transport.Frame, sess *Session) {
	var err error
	if sess != nil {
		err = c.tc.Send(f, sess.sealer, sess.ID)
	} else {
		err = c.tc.Send(f, nil, 0)
	}
	if err != nil {
		c.log.Debug("reply not sent", "error", err)
		c.terminate(err)
	}
}

// observe tells the metric about the request's end.
func (c *Connection) observe(r *Request, st ntstatus.Status) {
	fault := r.fault
	if !st.IsError() {
		fault = FaultNone
	} else if fault == FaultNone {
		fault = FaultClient
	}
	c.cfg.Observe(r.Header.Command, st, string(fault), c.cfg.Now().Sub(r.start))
}
