package rpc

import (
	"bytes"
	"context"
	"sync"

	"smbproxy/internal/ntstatus"
)

// Upstream is the pipe of a backend that stands behind a secured one. Each call carries one whole fragment.
type Upstream interface {
	Write(ctx context.Context, pdu []byte) error
	Transceive(ctx context.Context, pdu []byte) (reply []byte, err error)
	Read(ctx context.Context) (reply []byte, err error)
}

// Secured is a pipe of a backend whose client authenticates inside RPC. Backends know no passwords, so that is done
// here: PDUs are unsealed and checked, go on as those of an unauthenticated connection, which is the same user's by its
// session, and what comes back is signed or sealed. The user must be the session's own: no other could act there.
type Secured struct {
	user     string
	begin    func() Exchange
	upstream Upstream

	working sync.Mutex // held by Write as a whole, guards in and sec
	in      []byte
	sec     security

	mu     sync.Mutex // guards what follows
	out    [][]byte
	broken bool
}

// WantsSecurity says whether the first bytes that a client writes to a pipe begin a connection with NTLM inside, plain
// or negotiated. Others are the backend's business.
func WantsSecurity(b []byte) bool {
	if len(b) < headerSize || packetType(b[2]) != packetBind {
		return false
	}
	h, err := decodeHeader(b)
	if err != nil || len(b) < int(h.fragment) {
		return false
	}
	_, t, _, err := splitTrailer(&h, b[:h.fragment])
	return err == nil && (t.kind == authNTLM || t.kind == authNegotiate)
}

// Secure makes a secured pipe of a user's. begin starts an authentication.
func Secure(user string, begin func() Exchange, upstream Upstream) *Secured {
	return &Secured{user: user, begin: begin, upstream: upstream}
}

// Write takes bytes of the client's, and waits for what the backend makes of them. Writes must come in order.
func (p *Secured) Write(ctx context.Context, b []byte) ntstatus.Status {
	p.working.Lock()
	defer p.working.Unlock()
	p.in = append(p.in, b...)
	for len(p.in) >= headerSize && !p.ended() {
		h, err := decodeHeader(p.in)
		if err == nil && int(h.fragment) > maxFragment+overhead {
			err = errProtocol
		}
		if err == nil && len(p.in) < int(h.fragment) {
			break
		}
		if err == nil {
			pdu := bytes.Clone(p.in[:h.fragment])
			p.in = p.in[h.fragment:]
			err = p.packet(ctx, &h, pdu)
		}
		if err != nil {
			p.end()
		}
	}
	p.in = bytes.Clone(p.in)
	return ntstatus.Success
}

// ended says whether the pipe is broken.
func (p *Secured) ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken
}

// end breaks the pipe.
func (p *Secured) end() {
	p.mu.Lock()
	p.broken = true
	p.mu.Unlock()
}

// send puts a fragment where it is read from.
func (p *Secured) send(pdu []byte) {
	p.mu.Lock()
	p.out = append(p.out, pdu)
	p.mu.Unlock()
}

// Read is Pipe.Read.
func (p *Secured) Read(n int) (b []byte, more bool, st ntstatus.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return take(&p.out, n, p.broken)
}

// Unread is Pipe.Unread.
func (p *Secured) Unread() (n int, any bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.out) == 0 {
		return 0, p.broken
	}
	return len(p.out[0]), true
}

// packet works off one PDU.
func (p *Secured) packet(ctx context.Context, h *header, pdu []byte) error {
	switch h.kind {
	case packetBind, packetAlterContext:
		return p.bind(ctx, h, pdu)
	case packetAuth3:
		_, _, value, err := splitTrailer(h, pdu)
		if err != nil {
			return err
		}
		_, err = p.step(ctx, value)
		return err
	case packetRequest:
		return p.request(ctx, h, pdu)
	case packetCancel, packetOrphaned:
		return p.upstream.Write(ctx, pdu)
	}
	return errProtocol
}

// step goes on with the authentication.
func (p *Secured) step(ctx context.Context, token []byte) (reply []byte, err error) {
	s := &p.sec
	if s.exchange == nil || s.done != nil {
		return nil, errProtocol
	}
	reply, done, err := s.exchange.Step(ctx, token)
	if err != nil || done == nil {
		return reply, err
	}
	if done.User != p.user || done.Protection == nil && s.trailer.level != levelConnect {
		return nil, ntstatus.AccessDenied
	}
	s.done = done
	return reply, nil
}

// bind serves bind and alter_context: their presentation contexts are the backend's, their tokens ours.
func (p *Secured) bind(ctx context.Context, h *header, pdu []byte) error {
	const least = headerSize + 12
	var reply []byte
	if h.authLength != 0 {
		before, t, value, err := splitTrailer(h, pdu)
		if err != nil {
			return err
		}
		if h.kind == packetBind {
			if p.sec.exchange != nil || t.level != levelConnect && t.level != levelIntegrity && t.level != levelPrivacy {
				return errProtocol
			}
			p.sec = security{exchange: p.begin(), trailer: t, headerSign: h.flags&flagHeaderSigning != 0}
			p.sec.trailer.pad = 0
		}
		value = bytes.Clone(value)
		if pdu, err = stripped(h, before, &t, least); err != nil {
			return err
		}
		if reply, err = p.step(ctx, value); err != nil {
			p.send(appendFault(nil, h.call, 0, faultAccess, flagDidNotExecute))
			return err
		}
	}
	if len(pdu) < least {
		return errProtocol
	}
	o := h.order()
	pdu[3] &^= flagHeaderSigning
	if most := o.Uint16(pdu[headerSize+2:]); most > minFragment+overhead { // room for what we add to responses
		o.PutUint16(pdu[headerSize+2:], most-overhead)
	}
	ack, err := p.upstream.Transceive(ctx, pdu)
	if err != nil {
		return err
	}
	ah, err := decodeHeader(ack)
	if err != nil {
		return err
	}
	if len(reply) > 0 && (ah.kind == packetBindAck || ah.kind == packetAlterReply) {
		ack = p.withToken(&ah, ack, reply)
	}
	p.send(ack)
	return nil
}

// withToken adds our token to the backend's answer to a bind.
func (p *Secured) withToken(h *header, ack, token []byte) []byte {
	t := p.sec.trailer
	t.pad = uint8(-len(ack) & 3)
	out := append(bytes.Clone(ack), make([]byte, t.pad)...)
	out = append(t.append(out, h.order()), token...)
	if p.sec.headerSign {
		out[3] |= flagHeaderSigning
	}
	setLengths(out, h.order(), len(token))
	return out
}

// request passes a request on, and its response back.
func (p *Secured) request(ctx context.Context, h *header, pdu []byte) error {
	if p.sec.done == nil {
		p.send(appendFault(nil, h.call, 0, faultAccess, flagDidNotExecute))
		return ntstatus.AccessDenied
	}
	pdu, err := p.sec.open(h, pdu)
	if err != nil {
		p.send(appendFault(nil, h.call, 0, faultAccess, flagDidNotExecute))
		return err
	}
	if h.flags&flagLast == 0 {
		return p.upstream.Write(ctx, pdu)
	}
	if p.sec.headerSign {
		withoutHeaderSigning(pdu[stubOffset:])
	}
	reply, err := p.upstream.Transceive(ctx, pdu)
	for {
		if err != nil {
			return err
		}
		rh, err := decodeHeader(reply)
		if err != nil {
			return err
		}
		p.send(p.sec.protect(&rh, reply))
		if rh.flags&flagLast != 0 {
			return nil
		}
		if reply, err = p.upstream.Read(ctx); err != nil {
			return err
		}
	}
}

// Behind is a pipe of our own as the upstream of a secured one.
type Behind struct{ Pipe *Pipe }

// Write implements Upstream.
func (b Behind) Write(_ context.Context, pdu []byte) error {
	if st := b.Pipe.Write(pdu); st != ntstatus.Success {
		return st
	}
	return nil
}

// Transceive implements Upstream.
func (b Behind) Transceive(ctx context.Context, pdu []byte) ([]byte, error) {
	if err := b.Write(ctx, pdu); err != nil {
		return nil, err
	}
	return b.Read(ctx)
}

// Read implements Upstream. Our own pipes answer at once, or not at all.
func (b Behind) Read(context.Context) ([]byte, error) {
	pdu, _, st := b.Pipe.Read(maxFragment)
	switch {
	case st != ntstatus.Success:
		return nil, st
	case pdu == nil:
		return nil, errProtocol
	}
	return bytes.Clone(pdu), nil
}
