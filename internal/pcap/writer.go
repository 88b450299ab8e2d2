package pcap

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"
)

// maxPayload is how many bytes of a stream one written packet carries: what fits an IPv4 packet, rounded down.
const maxPayload = 32 << 10

// Writer writes a pcap file (link type raw IP, little endian, microseconds) of TCP connections whose bytes somebody
// else has seen: a forwarder needs no privilege to look at a wire and loses nothing. Handshakes, acknowledgements, ends
// and checksums are as a wire would have them, so that other tools read the file. Safe for concurrent use.
type Writer struct {
	mu  sync.Mutex // guards the order of records and err
	out io.Writer
	err error // of the first write that failed
}

// NewWriter writes the file's header.
func NewWriter(out io.Writer) *Writer {
	w := &Writer{out: out}
	h := make([]byte, 24)
	binary.LittleEndian.PutUint32(h, 0xa1b2c3d4)
	binary.LittleEndian.PutUint16(h[4:], 2)
	binary.LittleEndian.PutUint16(h[6:], 4)
	binary.LittleEndian.PutUint32(h[16:], maxPacket)
	binary.LittleEndian.PutUint32(h[20:], linkRaw)
	w.write(h)
	return w
}

func (w *Writer) write(b []byte) {
	if w.err == nil {
		_, w.err = w.out.Write(b)
	}
}

// Err is why the file is not whole.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Connection is one TCP connection in a Writer's file. Each side's next sequence number stands in next.
type Connection struct {
	w    *Writer
	ends [2]netip.AddrPort // client, server
	next [2]uint32
	open bool
}

// TCP flags, RFC 9293 3.1.
const (
	tcpFIN = 1 << iota
	tcpSYN
	_
	tcpPSH
	tcpACK
)

// Open writes a connection's handshake. Both addresses must be IPv4.
func (w *Writer) Open(client, server netip.AddrPort, at time.Time) (*Connection, error) {
	if !client.Addr().Is4() || !server.Addr().Is4() {
		return nil, fmt.Errorf("connection %v to %v: not IPv4", client, server)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &Connection{w: w, ends: [2]netip.AddrPort{client, server}, open: true}
	c.packet(0, tcpSYN, nil, at)
	c.next[0]++
	c.packet(1, tcpSYN|tcpACK, nil, at)
	c.next[1]++
	c.packet(0, tcpACK, nil, at)
	return c, w.err
}

// Send writes what one side sent.
func (c *Connection) Send(fromClient bool, b []byte, at time.Time) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	side := 1
	if fromClient {
		side = 0
	}
	for len(b) > 0 {
		n := min(len(b), maxPayload)
		c.packet(side, tcpPSH|tcpACK, b[:n], at)
		c.next[side] += uint32(n)
		b = b[n:]
	}
}

// Close writes the end of both directions, once.
func (c *Connection) Close(at time.Time) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if !c.open {
		return
	}
	c.open = false
	for side := range c.next {
		c.packet(side, tcpFIN|tcpACK, nil, at)
		c.next[side]++
	}
	c.packet(0, tcpACK, nil, at)
}

// packet writes one record; w.mu is held.
func (c *Connection) packet(side int, flags byte, data []byte, at time.Time) {
	src, dst := c.ends[side], c.ends[1-side]
	p := make([]byte, 16+40, 16+40+len(data))
	ip, tcp := p[16:36], p[36:56]
	binary.LittleEndian.PutUint32(p, uint32(at.Unix()))
	binary.LittleEndian.PutUint32(p[4:], uint32(at.Nanosecond()/1000))
	binary.LittleEndian.PutUint32(p[8:], uint32(40+len(data)))
	binary.LittleEndian.PutUint32(p[12:], uint32(40+len(data)))
	ip[0], ip[6], ip[8], ip[9] = 0x45, 0x40, 64, 6 // do not fragment, time to live, TCP
	binary.BigEndian.PutUint16(ip[2:], uint16(40+len(data)))
	a, b := src.Addr().As4(), dst.Addr().As4()
	copy(ip[12:], a[:])
	copy(ip[16:], b[:])
	binary.BigEndian.PutUint16(ip[10:], checksum(0, ip))
	binary.BigEndian.PutUint16(tcp, src.Port())
	binary.BigEndian.PutUint16(tcp[2:], dst.Port())
	binary.BigEndian.PutUint32(tcp[4:], c.next[side])
	if flags&tcpACK != 0 {
		binary.BigEndian.PutUint32(tcp[8:], c.next[1-side])
	}
	tcp[12], tcp[13] = 5<<4, flags
	binary.BigEndian.PutUint16(tcp[14:], 0xFFFF)
	pseudo := uint32(6 + 20 + len(data)) // protocol and length of RFC 9293's pseudo header
	for i := 12; i < 20; i += 2 {
		pseudo += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	p = append(p, data...)
	binary.BigEndian.PutUint16(tcp[16:], checksum(pseudo, p[36:]))
	c.w.write(p)
}

// checksum is the Internet checksum of b, RFC 1071, added to sum.
func checksum(sum uint32, b []byte) uint16 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xFFFF {
		sum = sum>>16 + sum&0xFFFF
	}
	return ^uint16(sum)
}
