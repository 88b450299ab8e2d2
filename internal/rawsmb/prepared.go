package rawsmb

import (
	"encoding/binary"

	"smbproxy/internal/smb2"
)

// Where a Prepared's message begins in its buffer: behind the stream's prefix and a TRANSFORM_HEADER
// ([MS-SMB2] 2.1, 2.2.41), of which the latter is used only when sealing.
const (
	preparedPrefix = 4
	preparedFirst  = preparedPrefix + smb2.TransformHeaderSize
	preparedTail   = 16 // sealing needs room behind the message
)

// Prepared is one request that is sent again and again, without an allocation. Between two sends its fields
// may be changed. Not for concurrent use; what was sent need not have been answered.
type Prepared struct {
	buf    []byte
	fixed  []byte // message up to its payload, as it goes into buf at each send: sealing scrambles that
	charge uint16
}

// Prepare makes a request of the tree. payload is what CreditCharge pays for ([MS-SMB2] 3.2.4.1.5): the
// larger of what is sent and what may come back.
func (t *Tree) Prepare(cmd smb2.Command, body smb2.Body, payload int) *Prepared {
	return prepare(smb2.Header{Command: cmd, TreeID: t.TreeID, SessionID: t.ID}, body, payload)
}

// Prepare makes a request of the session that names no tree.
func (s *Session) Prepare(cmd smb2.Command, body smb2.Body) *Prepared {
	return prepare(smb2.Header{Command: cmd, SessionID: s.ID}, body, 0)
}

func prepare(h smb2.Header, body smb2.Body, payload int) *Prepared {
	p := &Prepared{charge: smb2.CreditCharge(payload)}
	h.CreditCharge = p.charge
	msg := body.Append(h.Append(nil))
	p.buf = make([]byte, preparedFirst+len(msg)+preparedTail)
	copy(p.buf[preparedFirst:], msg)
	fixed := len(msg)
	if h.Command == smb2.CommandWrite {
		fixed = min(fixed, smb2.HeaderSize+48)
	}
	p.fixed = msg[:fixed:fixed]
	return p
}

// Charge is the request's CreditCharge.
func (p *Prepared) Charge() int { return int(p.charge) }

// SetUint64 changes a field at an offset from the header's start; for WRITE not behind its fixed part.
func (p *Prepared) SetUint64(off int, v uint64) { binary.LittleEndian.PutUint64(p.fixed[off:], v) }

// SetFileID changes the FileId at an offset from the header's start.
func (p *Prepared) SetFileID(off int, id smb2.FileID) { smb2.SetRawFileID(p.fixed, off, id) }

// message is what is sent, plain.
func (p *Prepared) message() []byte {
	m := p.buf[preparedFirst : len(p.buf)-preparedTail]
	copy(m, p.fixed)
	return m
}
