package rpc

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// packetType is PTYPE of a PDU ([C706] 12.6.4).
type packetType uint8

// The PDUs that a pipe carries ([C706] 12.6.4, [MS-RPCE] 2.2.2.5).
const (
	packetRequest      packetType = 0
	packetResponse     packetType = 2
	packetFault        packetType = 3
	packetBind         packetType = 11
	packetBindAck      packetType = 12
	packetBindNak      packetType = 13
	packetAlterContext packetType = 14
	packetAlterReply   packetType = 15
	packetAuth3        packetType = 16
	packetCancel       packetType = 18
	packetOrphaned     packetType = 19
)

// Flags of the header ([C706] 12.6.3.1, [MS-RPCE] 2.2.2.3).
const (
	flagFirst         = 0x01
	flagLast          = 0x02
	flagDidNotExecute = 0x20
	flagObject        = 0x80
)

const (
	headerSize = 16
	// maxFragment is the longest PDU that we take and send, in bytes. Samba: RPC_MAX_PDU_FRAG_LEN (4.17).
	maxFragment = 0x10B8
	// minFragment is what every implementation takes ([C706] 12.6.3.7).
	minFragment = 1432
	// trailerSize is what stands before the authentication value ([MS-RPCE] 2.2.2.11).
	trailerSize = 8
)

// errProtocol is what ends a pipe: bytes that are no PDU, or one that has no business there.
var errProtocol = errors.New("DCE/RPC protocol error")

// header is what all PDUs begin with ([C706] 12.6.3.1).
type header struct {
	kind       packetType
	flags      uint8
	drep       [4]byte
	fragment   uint16 // length of the PDU with this header, bytes
	authLength uint16 // of the authentication value, without its trailer
	call       uint32
}

// order is the byte order of the PDU's integers.
func (h *header) order() binary.ByteOrder {
	if h.drep[0]&0xF0 == 0x10 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

// decodeHeader reads a header.
func decodeHeader(b []byte) (header, error) {
	if len(b) < headerSize {
		return header{}, fmt.Errorf("%w: %d bytes", errProtocol, len(b))
	}
	h := header{kind: packetType(b[2]), flags: b[3], drep: [4]byte(b[4:8])}
	o := h.order()
	h.fragment, h.authLength, h.call = o.Uint16(b[8:]), o.Uint16(b[10:]), o.Uint32(b[12:])
	switch {
	case b[0] != 5 || b[1] > 1:
		return h, fmt.Errorf("%w: version %d.%d", errProtocol, b[0], b[1])
	case h.fragment < headerSize:
		return h, fmt.Errorf("%w: a fragment of %d bytes", errProtocol, h.fragment)
	case h.authLength != 0 && int(h.authLength)+trailerSize+headerSize > int(h.fragment):
		return h, fmt.Errorf("%w: authentication of %d bytes in a fragment of %d", errProtocol, h.authLength, h.fragment)
	}
	return h, nil
}

// appendHeader begins a PDU of ours, which finishPDU completes. We speak little-endian whoever asks.
func appendHeader(dst []byte, kind packetType, flags uint8, call uint32) []byte {
	dst = append(dst, 5, 0, byte(kind), flags, 0x10, 0, 0, 0, 0, 0, 0, 0)
	return le.AppendUint32(dst, call)
}

// finishPDU puts the length of the PDU that began at start.
func finishPDU(b []byte, start int) []byte {
	le.PutUint16(b[start+8:], uint16(len(b)-start))
	return b
}

var le = binary.LittleEndian

// syntax is the identifier of an interface or a transfer syntax: a UUID in its wire form and a version.
type syntax struct {
	uuid         [16]byte
	major, minor uint16
}

// decodeSyntax reads one; b has 20 bytes.
func decodeSyntax(b []byte, o binary.ByteOrder) syntax {
	var s syntax
	le.PutUint32(s.uuid[0:], o.Uint32(b))
	le.PutUint16(s.uuid[4:], o.Uint16(b[4:]))
	le.PutUint16(s.uuid[6:], o.Uint16(b[6:]))
	copy(s.uuid[8:], b[8:16])
	v := o.Uint32(b[16:])
	s.major, s.minor = uint16(v), uint16(v>>16)
	return s
}

// append writes it little-endian.
func (s syntax) append(dst []byte) []byte {
	dst = append(dst, s.uuid[:]...)
	return le.AppendUint32(dst, uint32(s.major)|uint32(s.minor)<<16)
}

// Transfer syntaxes. featureNegotiation is only a prefix: the rest are the features ([MS-RPCE] 3.3.1.5.3).
var (
	ndr20              = syntax{uuid: [16]byte{0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60}, major: 2}
	featureNegotiation = [8]byte{0x2c, 0x1c, 0xb7, 0x6c, 0x12, 0x98, 0x40, 0x45}
)

// presentation is an element of a bind's list: an interface, and what it may be spoken in.
type presentation struct {
	id        uint16
	abstract  syntax
	transfers []syntax
}

// bind is the body of bind and alter_context ([C706] 12.6.4.3).
type bind struct {
	maxTransmit, maxReceive uint16
	group                   uint32
	contexts                []presentation
}

// decodeBind reads a body. A pipe speaks of a handful of interfaces: more than 64 are refused.
func decodeBind(b []byte, o binary.ByteOrder) (bind, error) {
	short := fmt.Errorf("%w: a bind that ends early", errProtocol)
	if len(b) < 12 {
		return bind{}, short
	}
	m := bind{maxTransmit: o.Uint16(b), maxReceive: o.Uint16(b[2:]), group: o.Uint32(b[4:])}
	n := int(b[8])
	b = b[12:]
	if n > 64 {
		return bind{}, fmt.Errorf("%w: %d presentation contexts", errProtocol, n)
	}
	for range n {
		if len(b) < 24 {
			return bind{}, short
		}
		p := presentation{id: o.Uint16(b), abstract: decodeSyntax(b[4:], o)}
		transfers := int(b[2])
		b = b[24:]
		if len(b) < 20*transfers {
			return bind{}, short
		}
		for range transfers {
			p.transfers = append(p.transfers, decodeSyntax(b, o))
			b = b[20:]
		}
		m.contexts = append(m.contexts, p)
	}
	return m, nil
}

// Results and reasons of a presentation context ([C706] 12.6.3.1, [MS-RPCE] 2.2.2.4).
const (
	resultAccept       = 0
	resultReject       = 2
	resultFeatures     = 3
	reasonNone         = 0
	reasonNoAbstract   = 1
	reasonNoTransfer   = 2
	nakReasonProtocol  = 4 // protocol_version_not_supported
	nakInvalidAuthType = 8 // [MS-RPCE] 2.2.2.9: authentication_type_not_recognized
)

// outcome is what became of a presentation context.
type outcome struct {
	result, reason uint16
	transfer       syntax
}

// appendBindAck appends the body of bind_ack and alter_context_resp ([C706] 12.6.4.4).
func appendBindAck(dst []byte, transmit, receive uint16, group uint32, address string, list []outcome) []byte {
	start := len(dst) - headerSize
	dst = le.AppendUint16(dst, transmit)
	dst = le.AppendUint16(dst, receive)
	dst = le.AppendUint32(dst, group)
	if address == "" {
		dst = le.AppendUint16(dst, 0)
	} else {
		dst = le.AppendUint16(dst, uint16(len(address)+1))
		dst = append(append(dst, address...), 0)
	}
	for (len(dst)-start)%4 != 0 {
		dst = append(dst, 0)
	}
	dst = append(dst, byte(len(list)), 0, 0, 0)
	for _, x := range list {
		dst = le.AppendUint16(dst, x.result)
		dst = le.AppendUint16(dst, x.reason)
		dst = x.transfer.append(dst)
	}
	return dst
}

// request is the body of a request without what authenticates it ([C706] 12.6.4.9).
type request struct {
	context, opnum uint16
	stub           []byte
}

// decodeRequest reads a body.
func decodeRequest(b []byte, h *header) (request, error) {
	o := h.order()
	at := 8
	if h.flags&flagObject != 0 {
		at += 16
	}
	if len(b) < at {
		return request{}, fmt.Errorf("%w: a request that ends early", errProtocol)
	}
	return request{context: o.Uint16(b[4:]), opnum: o.Uint16(b[6:]), stub: b[at:]}, nil
}

// Fault statuses ([C706] appendix E, [MS-RPCE] 3.1.1.5.5).
const (
	faultOpRange  uint32 = 0x1C010002 // nca_s_op_rng_error
	faultNDR      uint32 = 0x000006F7 // RPC_X_BAD_STUB_DATA
	faultContext  uint32 = 0x1C00001A // nca_s_fault_context_mismatch
	faultUnknown  uint32 = 0x1C010003 // nca_s_unk_if
	faultProtocol uint32 = 0x1C01000B // nca_s_proto_error
	faultMemory   uint32 = 0x1C00001B // nca_s_fault_remote_no_memory
	faultAccess   uint32 = 0x00000005 // ERROR_ACCESS_DENIED
)

// appendFault appends a whole fault PDU ([C706] 12.6.4.7).
func appendFault(dst []byte, call uint32, context uint16, status uint32, flags uint8) []byte {
	start := len(dst)
	dst = appendHeader(dst, packetFault, flagFirst|flagLast|flags, call)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint16(dst, context)
	dst = append(dst, 0, 0)
	dst = le.AppendUint32(dst, status)
	dst = le.AppendUint32(dst, 0)
	return finishPDU(dst, start)
}
