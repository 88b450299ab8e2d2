package transport

import (
	"errors"
	"net"
	"os"
)

// road is how a Conn reaches its socket. read is called by Serve's goroutine,
// write under sendState.mu while no writer runs, writeWait by the writer.
type road interface {
	// read waits for bytes and puts them into reader.space; reader.idle is
	// called before waiting. It returns io.EOF when the peer has closed.
	read() (int, error)
	// write writes a and then b as far as that goes without waiting.
	write(a, b []byte) (int, error)
	// writeWait writes at least one byte of b or returns an error.
	writeWait(b []byte) (int, error)
}

// plainRoad is the road over any net.Conn: net.Pipe, TLS, wrapped connections,
// and platforms without a raw one.
type plainRoad struct {
	nc net.Conn
	rd *reader
	// first takes the bytes of a read that has nothing to go on from, so that
	// an idle connection holds no buffer.
	first [prefixSize]byte
}

// newPlainRoad is newRoad without conditions.
func newPlainRoad(nc net.Conn, rd *reader) road { return &plainRoad{nc: nc, rd: rd} }

// read implements road.
func (p *plainRoad) read() (int, error) {
	p.rd.idle()
	if p.rd.buf == nil {
		n, err := p.nc.Read(p.first[:])
		if n > 0 {
			copy(p.rd.space(), p.first[:n])
		}
		return n, err
	}
	return p.nc.Read(p.rd.space())
}

// write implements road: a net.Conn cannot be asked to write without waiting, so
// everything goes to the writer.
func (p *plainRoad) write(a, b []byte) (int, error) { return 0, nil }

// writeWait implements road. Progress before the deadline counts.
func (p *plainRoad) writeWait(b []byte) (int, error) {
	n, err := p.nc.Write(b)
	if n > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		return n, nil
	}
	return n, err
}
