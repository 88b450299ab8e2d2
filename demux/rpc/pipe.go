package rpc

import (
	"bytes"
	"encoding/binary"
	"sync"

	"smbproxy/internal/ntstatus"
)

const (
	// maxCall is the longest request that a pipe assembles, in bytes of stub; the interfaces here need little.
	maxCall = 1 << 20
	// maxUnread is how many bytes of answers wait to be read before no more is written.
	maxUnread = 8 << 20
	// maxContexts is how many presentation contexts one pipe may have.
	maxContexts = 64
)

// method is a call that has been unpacked far enough to know whose it is. It returns the answer's stub, or a
// fault status.
type method func(c Caller, opnum uint16, stub []byte, order binary.ByteOrder) (answer []byte, fault uint32)

// service is an interface that a pipe offers.
type service struct {
	syntax syntax
	call   method
}

// Server makes pipes. It is safe for concurrent use.
type Server struct {
	services map[string][]service // by the pipe's lower-case name
}

// NewServer makes a server for what cluster tells.
func NewServer(cluster Cluster) *Server {
	s := &Server{services: map[string][]service{}}
	s.services["srvsvc"] = withManagement(srvsvcService(cluster))
	s.services["wkssvc"] = withManagement(wkssvcService(cluster))
	return s
}

// Serves says whether a pipe of that lower-case name is ours.
func (s *Server) Serves(name string) bool { return s.services[name] != nil }

// Open opens a pipe that Serves knows.
func (s *Server) Open(name string, who Caller) *Pipe {
	return &Pipe{name: name, services: s.services[name], caller: who, contexts: map[uint16]*service{}, transmit: maxFragment}
}

// Pipe is one open pipe. It is safe for concurrent use.
type Pipe struct {
	name     string
	services []service
	caller   Caller

	mu       sync.Mutex // guards what follows
	in       []byte     // the beginning of a PDU
	out      [][]byte   // fragments to be read, oldest first; of the first one what is not read yet
	unread   int        // bytes in out
	contexts map[uint16]*service
	bound    bool
	transmit int // the longest fragment that the client takes
	broken   bool

	call assembly
}

// assembly is a request whose last fragment has not come.
type assembly struct {
	active         bool
	id             uint32
	context, opnum uint16
	order          binary.ByteOrder
	stub           []byte
}

// Write takes bytes of the client's: PDUs, or parts of one. What is written to a pipe that has been ended by what
// it was told before goes nowhere. Samba: the same (4.17).
func (p *Pipe) Write(b []byte) ntstatus.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken {
		return ntstatus.Success
	}
	if p.unread > maxUnread {
		return ntstatus.InsufficientResources
	}
	p.in = append(p.in, b...)
	for len(p.in) >= headerSize && !p.broken {
		h, err := decodeHeader(p.in)
		if err == nil && int(h.fragment) > maxFragment {
			err = errProtocol
		}
		if err != nil {
			p.end()
			break
		}
		if len(p.in) < int(h.fragment) {
			break
		}
		pdu := p.in[:h.fragment:h.fragment]
		p.in = p.in[h.fragment:]
		p.packet(&h, pdu)
	}
	if len(p.in) == 0 {
		p.in = nil // not to keep a buffer for an idle pipe
	} else {
		p.in = bytes.Clone(p.in)
	}
	return ntstatus.Success
}

// end is the end of a client that does not speak the protocol.
func (p *Pipe) end() {
	p.broken, p.in, p.call = true, nil, assembly{}
}

// Read returns at most n bytes of the oldest fragment, and whether more of that fragment is left; none: there
// is nothing to be read. STATUS_PIPE_BROKEN: and there never will be.
func (p *Pipe) Read(n int) (b []byte, more bool, st ntstatus.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, more, st = take(&p.out, n, p.broken)
	p.unread -= len(b)
	return b, more, st
}

// take takes at most n bytes of the oldest fragment.
func take(out *[][]byte, n int, broken bool) (b []byte, more bool, st ntstatus.Status) {
	if len(*out) == 0 {
		if broken {
			return nil, false, ntstatus.PipeBroken
		}
		return nil, false, ntstatus.Success
	}
	first := (*out)[0]
	n = min(n, len(first))
	b, first = first[:n], first[n:]
	if more = len(first) > 0; more {
		(*out)[0] = first
	} else {
		(*out)[0] = nil
		*out = (*out)[1:]
	}
	return b, more, ntstatus.Success
}

// Unread says how much of the oldest fragment can be read, and whether there is any.
func (p *Pipe) Unread() (n int, any bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.out) == 0 {
		return 0, p.broken
	}
	return len(p.out[0]), true
}

// send puts a fragment where it is read from.
func (p *Pipe) send(pdu []byte) {
	p.out = append(p.out, pdu)
	p.unread += len(pdu)
}

// packet works off one PDU.
func (p *Pipe) packet(h *header, pdu []byte) {
	body := pdu[headerSize:]
	switch h.kind {
	case packetBind:
		p.bind(h, body, packetBindAck)
	case packetAlterContext:
		p.bind(h, body, packetAlterReply)
	case packetRequest:
		p.request(h, body)
	case packetCancel, packetOrphaned:
		p.call = assembly{} // what is complete has been answered already
	default:
		p.end()
	}
}

// bind answers bind and alter_context ([MS-RPCE] 3.3.1.5.2).
func (p *Pipe) bind(h *header, body []byte, answer packetType) {
	if p.bound == (answer == packetBindAck) { // a second bind, or an alter_context before the first
		p.end()
		return
	}
	if h.authLength != 0 {
		// No security context is offered here: the pipe's session has authenticated the client already.
		pdu := appendHeader(nil, packetBindNak, flagFirst|flagLast, h.call)
		pdu = le.AppendUint16(pdu, nakInvalidAuthType)
		p.send(finishPDU(append(pdu, 1, 5, 0), 0))
		return
	}
	m, err := decodeBind(body, h.order())
	if err != nil || len(m.contexts) == 0 {
		pdu := appendHeader(nil, packetBindNak, flagFirst|flagLast, h.call)
		pdu = le.AppendUint16(pdu, nakReasonProtocol)
		p.send(finishPDU(append(pdu, 1, 5, 0), 0))
		return
	}
	address := ""
	if answer == packetBindAck {
		p.bound = true
		p.transmit = max(minFragment, min(int(m.maxReceive), maxFragment))
		address = `\PIPE\` + p.name
	}
	group := m.group
	if group == 0 {
		group = assocGroup
	}
	list := make([]outcome, len(m.contexts))
	for i := range m.contexts {
		list[i] = p.present(&m.contexts[i])
	}
	pdu := appendHeader(nil, answer, flagFirst|flagLast, h.call)
	pdu = appendBindAck(pdu, uint16(p.transmit), maxFragment, group, address, list)
	p.send(finishPDU(pdu, 0))
}

// assocGroup is the association group of clients that ask for a new one; no handle of ours lives in a group.
const assocGroup = 0x53F0

// present decides about one presentation context.
func (p *Pipe) present(c *presentation) outcome {
	for _, t := range c.transfers {
		if [8]byte(t.uuid[:8]) == featureNegotiation {
			return outcome{result: resultFeatures, reason: reasonNone}
		}
	}
	var found *service
	for i := range p.services {
		s := &p.services[i]
		if s.syntax.uuid == c.abstract.uuid && s.syntax.major == c.abstract.major && c.abstract.minor <= s.syntax.minor {
			found = s
		}
	}
	if found == nil {
		return outcome{result: resultReject, reason: reasonNoAbstract}
	}
	for _, t := range c.transfers {
		if t == ndr20 && len(p.contexts) < maxContexts {
			p.contexts[c.id] = found
			return outcome{result: resultAccept, transfer: ndr20}
		}
	}
	return outcome{result: resultReject, reason: reasonNoTransfer}
}

// request takes a fragment of a request in, and answers the request when it is the last.
func (p *Pipe) request(h *header, body []byte) {
	if h.authLength != 0 {
		p.end() // there is no security context
		return
	}
	m, err := decodeRequest(body, h)
	c := &p.call
	switch first := h.flags&flagFirst != 0; {
	case err != nil, !p.bound, first == c.active, !first && c.id != h.call:
		p.send(appendFault(nil, h.call, 0, faultProtocol, flagDidNotExecute))
		p.end()
		return
	case first:
		*c = assembly{active: true, id: h.call, context: m.context, opnum: m.opnum, order: h.order()}
	}
	if len(c.stub)+len(m.stub) > maxCall {
		p.send(appendFault(nil, h.call, c.context, faultMemory, flagDidNotExecute))
		p.end()
		return
	}
	c.stub = append(c.stub, m.stub...)
	if h.flags&flagLast == 0 {
		return
	}
	done := *c
	*c = assembly{}
	p.answer(&done)
}

// answer runs a call and sends what comes of it.
func (p *Pipe) answer(c *assembly) {
	s := p.contexts[c.context]
	if s == nil {
		p.send(appendFault(nil, c.id, c.context, faultUnknown, flagDidNotExecute))
		return
	}
	stub, fault := s.call(p.caller, c.opnum, c.stub, c.order)
	if fault != 0 {
		p.send(appendFault(nil, c.id, c.context, fault, 0))
		return
	}
	flags := uint8(flagFirst)
	for {
		n := min(len(stub), (p.transmit-headerSize-8)&^7)
		if n == len(stub) {
			flags |= flagLast
		}
		pdu := appendHeader(make([]byte, 0, headerSize+8+n), packetResponse, flags, c.id)
		pdu = le.AppendUint32(pdu, uint32(len(stub)))
		pdu = le.AppendUint16(pdu, c.context)
		pdu = append(append(pdu, 0, 0), stub[:n]...)
		p.send(finishPDU(pdu, 0))
		if stub, flags = stub[n:], 0; len(stub) == 0 {
			return
		}
	}
}
