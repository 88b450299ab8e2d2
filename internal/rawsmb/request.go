package rawsmb

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Pending is a request that was sent.
type Pending struct {
	MessageID uint64
	conn      *Conn
	replies   chan Message
}

// Wait gives the final reply, or, where one comes first, the interim one (Status PENDING): call it again then.
func (p *Pending) Wait(ctx context.Context) (Message, error) {
	select {
	case m, ok := <-p.replies:
		if !ok {
			return m, p.conn.err
		}
		return m, nil
	case <-ctx.Done():
		return Message{}, fmt.Errorf("message %d has no reply: %w", p.MessageID, ctx.Err())
	}
}

// Final waits for the final reply, past an interim one.
func (p *Pending) Final(ctx context.Context) (Message, error) {
	for {
		m, err := p.Wait(ctx)
		if err != nil || m.Header.Status != ntstatus.Pending {
			return m, err
		}
	}
}

// Start sends one request of the session. Zero header fields are filled: SessionId, MessageId, CreditCharge,
// Credits.
func (s *Session) Start(h smb2.Header, body smb2.Body) (*Pending, error) {
	ps, err := s.StartCompound(Part{h, body})
	if err != nil {
		return nil, err
	}
	return ps[0], nil
}

// Part is one element of a compound.
type Part struct {
	Header smb2.Header
	Body   smb2.Body
}

// StartCompound sends the parts in one frame, chained by NextCommand and padded to eight bytes. Related parts
// carry FlagRelated as the caller set it; a SessionId that is not zero is left alone.
func (s *Session) StartCompound(parts ...Part) ([]*Pending, error) {
	c := s.Conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	var frame []byte
	var out []*Pending
	for i, part := range parts {
		h := part.Header
		c.numberLocked(&h)
		if h.SessionID == 0 {
			h.SessionID = s.ID
		}
		msg := part.Body.Append(h.Append(nil))
		if i < len(parts)-1 {
			for len(msg)%8 != 0 {
				msg = append(msg, 0)
			}
			h.NextCommand = uint32(len(msg))
			h.Put(msg)
		}
		if s.Sign && !s.Seal {
			sign(msg, s.signer)
		}
		p := &Pending{MessageID: h.MessageID, conn: c, replies: make(chan Message, 2)}
		if h.Command != smb2.CommandCancel {
			c.waiting[h.MessageID] = p.replies
		}
		out = append(out, p)
		frame = append(frame, msg...)
	}
	if s.Seal {
		frame = s.sealed(frame)
	}
	return out, c.writeLocked(frame)
}

// numberLocked gives the header what the caller left at zero. CANCEL keeps the MessageId of its target.
func (c *Conn) numberLocked(h *smb2.Header) {
	if h.Credits == 0 {
		h.Credits = 64
	}
	if h.Command == smb2.CommandCancel {
		return
	}
	if h.CreditCharge == 0 && c.Resp.DialectRevision > smb2.Dialect202 {
		h.CreditCharge = 1
	}
	h.MessageID = c.nextID
	c.nextID += uint64(max(1, h.CreditCharge))
}

// Do sends one request and waits for its final reply. A status that is an error is returned as error too,
// beside the message.
func (s *Session) Do(h smb2.Header, body smb2.Body) (Message, error) {
	p, err := s.Start(h, body)
	if err != nil {
		return Message{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.Conn.opt.Timeout)
	defer cancel()
	m, err := p.Final(ctx)
	if err == nil && m.Header.Status.IsError() {
		err = m.Header.Status
	}
	return m, err
}

// roundTrip sends an unsigned request outside any session and gives back its bytes and the reply.
func (c *Conn) roundTrip(h smb2.Header, body smb2.Body) ([]byte, Message, error) {
	return c.roundTripSigned(h, body, nil)
}

// roundTripSigned is roundTrip with a signature, if there is a signer.
func (c *Conn) roundTripSigned(h smb2.Header, body smb2.Body, signer *crypto.Signer) ([]byte, Message, error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, Message{}, c.err
	}
	c.numberLocked(&h)
	if h.Command == smb2.CommandNegotiate {
		h.CreditCharge = 0
	}
	msg := body.Append(h.Append(nil))
	if signer != nil {
		sign(msg, signer)
	}
	p := &Pending{MessageID: h.MessageID, conn: c, replies: make(chan Message, 2)}
	c.waiting[h.MessageID] = p.replies
	err := c.writeLocked(msg)
	c.mu.Unlock()
	if err != nil {
		return nil, Message{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.opt.Timeout)
	defer cancel()
	m, err := p.Final(ctx)
	return msg, m, err
}

// sign fills the signature of one message ([MS-SMB2] 3.1.4.1).
func sign(msg []byte, s *crypto.Signer) {
	var sig [16]byte
	smb2.SetRawFlags(msg, smb2.RawFlags(msg)|smb2.FlagSigned)
	clear(smb2.RawSignature(msg))
	nonce := signNonce(msg)
	s.Sum(&sig, &nonce, msg)
	copy(smb2.RawSignature(msg), sig[:])
}

// verify checks the signature of one received message and leaves the message as it was.
func verify(msg []byte, s *crypto.Signer) bool {
	m := append([]byte(nil), msg...)
	clear(smb2.RawSignature(m))
	var sig [16]byte
	nonce := signNonce(m)
	s.Sum(&sig, &nonce, m)
	return string(sig[:]) == string(smb2.RawSignature(msg))
}

// signNonce is the nonce of AES-GMAC signing: MessageId, then who sent it and whether it is a CANCEL.
func signNonce(msg []byte) (n [12]byte) {
	binary.LittleEndian.PutUint64(n[:], smb2.RawMessageID(msg))
	if smb2.RawFlags(msg)&smb2.FlagServerToRedir != 0 {
		n[8] |= 1
	}
	if smb2.RawCommand(msg) == smb2.CommandCancel {
		n[8] |= 2
	}
	return n
}

// sealed wraps a frame in a TRANSFORM_HEADER ([MS-SMB2] 2.2.41).
func (s *Session) sealed(frame []byte) []byte {
	t := smb2.TransformHeader{OriginalMessageSize: uint32(len(frame)), Flags: 1, SessionID: s.ID}
	s.seal.NextNonce(&t.Nonce)
	out := append(t.Append(nil), frame...)
	out = append(out, make([]byte, 16)...)
	body := out[smb2.TransformHeaderSize : len(out)-16]
	var tag [16]byte
	s.seal.Seal(&tag, t.Nonce[:], out[20:smb2.TransformHeaderSize], body)
	copy(out[4:20], tag[:])
	return out[:len(out)-16]
}

// unseal opens a received TRANSFORM_HEADER frame.
func (c *Conn) unseal(b []byte) ([]byte, error) {
	var t smb2.TransformHeader
	if err := t.Decode(b); err != nil {
		return nil, err
	}
	c.mu.Lock()
	s := c.sessions[t.SessionID]
	c.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("sealed for unknown session %#x", t.SessionID)
	}
	buf := append(append([]byte(nil), b...), make([]byte, 16)...)
	body := buf[smb2.TransformHeaderSize:len(b)]
	if err := s.open.Open(&t.Signature, t.Nonce[:], buf[20:smb2.TransformHeaderSize], body); err != nil {
		return nil, fmt.Errorf("unseal a frame of session %#x: %w", t.SessionID, err)
	}
	return body, nil
}

// After is a context that ends after d; it saves a test three lines.
func After(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}
