package rpc

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
)

// Exchange authenticates a client inside an RPC connection, token by token, as session/auth does it for a session.
type Exchange interface {
	// Step takes the client's next token. done is nil until the client is authenticated; an error ends the exchange.
	Step(ctx context.Context, token []byte) (reply []byte, done *Authenticated, err error)
}

// Authenticated is what an exchange ends with.
type Authenticated struct {
	User       string
	Protection Protection // nil: messages cannot be protected
}

// Protection protects the PDUs of an authenticated client. msg is what is signed, and data a part of it, which is
// encrypted or decrypted in place. Calls are in the order of the wire.
type Protection interface {
	Sign(msg []byte) [16]byte
	Verify(msg, signature []byte) bool
	Seal(data, msg []byte) [16]byte
	Unseal(data, msg, signature []byte) bool
}

// Authentication types and levels ([MS-RPCE] 2.2.1.1.7, 2.2.1.1.8).
const (
	authNegotiate = 9
	authNTLM      = 10

	levelConnect   = 2
	levelIntegrity = 5
	levelPrivacy   = 6
)

// flagHeaderSigning, in a bind and its answer, has whole PDUs signed ([MS-RPCE] 2.2.2.3).
const flagHeaderSigning = 0x04

const (
	signatureSize = 16
	// padding is what the data before a trailer are filled up to. Samba: DCERPC_AUTH_PAD_ALIGNMENT (4.17).
	padding = 16
	// overhead is by how much protection lengthens a fragment, at the most.
	overhead = padding - 1 + trailerSize + signatureSize
	// stubOffset is where the stub of a request without object, and that of a response, begins.
	stubOffset = headerSize + 8
)

// trailer is sec_trailer ([MS-RPCE] 2.2.2.11).
type trailer struct {
	kind, level, pad uint8
	context          uint32
}

// splitTrailer parts a PDU with an authentication value.
func splitTrailer(h *header, pdu []byte) (before []byte, t trailer, value []byte, err error) {
	at := len(pdu) - int(h.authLength) - trailerSize
	if h.authLength == 0 || at < headerSize {
		return nil, t, nil, fmt.Errorf("%w: no authentication", errProtocol)
	}
	b := pdu[at:]
	t = trailer{kind: b[0], level: b[1], pad: b[2], context: h.order().Uint32(b[4:])}
	return pdu[:at], t, b[trailerSize:], nil
}

// append writes it in a byte order.
func (t *trailer) append(dst []byte, o binary.ByteOrder) []byte {
	dst = append(dst, t.kind, t.level, t.pad, 0)
	var b [4]byte
	o.PutUint32(b[:], t.context)
	return append(dst, b[:]...)
}

// setLengths writes the lengths of a PDU and of its authentication value.
func setLengths(pdu []byte, o binary.ByteOrder, authLength int) {
	o.PutUint16(pdu[8:], uint16(len(pdu)))
	o.PutUint16(pdu[10:], uint16(authLength))
}

// stripped is a PDU without its trailer and padding; fixed is what it has at least.
func stripped(h *header, before []byte, t *trailer, fixed int) ([]byte, error) {
	n := len(before) - int(t.pad)
	if n < fixed {
		return nil, fmt.Errorf("%w: padding of %d bytes", errProtocol, t.pad)
	}
	pdu := before[:n:n]
	setLengths(pdu, h.order(), 0)
	return pdu, nil
}

// security is the security context of a pipe. NTLM signs headers too, whether that was agreed on or not. Samba, Windows:
// the same.
type security struct {
	exchange   Exchange
	done       *Authenticated
	trailer    trailer // as the client has set it up
	headerSign bool    // the client has asked for it, which is only acknowledged
}

// open checks a request that the client has protected, and makes it one without protection.
func (s *security) open(h *header, pdu []byte) ([]byte, error) {
	fixed := stubOffset
	if h.flags&flagObject != 0 {
		fixed += 16
	}
	if s.trailer.level == levelConnect && h.authLength == 0 {
		return pdu, nil
	}
	before, t, value, err := splitTrailer(h, pdu)
	if err != nil {
		return nil, err
	}
	if len(before) < fixed || t.kind != s.trailer.kind || t.level != s.trailer.level || t.context != s.trailer.context {
		return nil, fmt.Errorf("%w: another security context than was set up", errProtocol)
	}
	data, msg := before[fixed:], pdu[:len(pdu)-len(value)]
	ok := true
	switch s.trailer.level {
	case levelIntegrity:
		ok = s.done.Protection.Verify(msg, value)
	case levelPrivacy:
		ok = s.done.Protection.Unseal(data, msg, value)
	}
	if !ok {
		return nil, fmt.Errorf("%w: a signature is wrong", errProtocol)
	}
	return stripped(h, before, &t, fixed)
}

// protect makes of a response one that is protected. Faults go as they are.
func (s *security) protect(h *header, pdu []byte) []byte {
	if h.kind != packetResponse || s.trailer.level == levelConnect || len(pdu) < stubOffset {
		return pdu
	}
	t := s.trailer
	t.pad = uint8(-(len(pdu) - stubOffset) & (padding - 1))
	out := append(make([]byte, 0, len(pdu)+overhead), pdu...)
	out = append(out, make([]byte, t.pad)...)
	body := len(out)
	out = t.append(out, h.order())
	signed := len(out)
	out = append(out, make([]byte, signatureSize)...)
	setLengths(out, h.order(), signatureSize)
	data, msg := out[stubOffset:body], out[:signed]
	var sum [16]byte
	if t.level == levelPrivacy {
		sum = s.done.Protection.Seal(data, msg)
	} else {
		sum = s.done.Protection.Sign(msg)
	}
	copy(out[signed:], sum[:])
	return out
}

// verification begins a verification trailer ([MS-RPCE] 2.2.2.13), in which a client repeats what it has agreed on.
var verification = []byte{0x8A, 0xE3, 0x13, 0x71, 0x02, 0xF4, 0x36, 0x71}

// withoutHeaderSigning takes out of a verification trailer at a stub's end that headers are signed: the backend, where
// they are not, would refuse the call. What else the trailer says is the backend's to check. The trailer is little-endian
// whatever the PDU is ([MS-RPCE] 2.2.2.13.1).
func withoutHeaderSigning(stub []byte) {
	const bitmask, headerSigning, kind, last = 1, 1, 0x3FFF, 0x4000
	at := bytes.LastIndex(stub, verification)
	if at < 0 {
		return
	}
	for b := stub[at+len(verification):]; len(b) >= 4; {
		command, n := le.Uint16(b), int(le.Uint16(b[2:]))
		if len(b) < 4+n {
			return
		}
		if command&kind == bitmask && n >= 4 {
			le.PutUint32(b[4:], le.Uint32(b[4:])&^headerSigning)
		}
		if command&last != 0 {
			return
		}
		b = b[4+n:]
	}
}
