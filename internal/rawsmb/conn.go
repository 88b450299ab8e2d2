package rawsmb

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Options say what the client offers in NEGOTIATE. The zero value offers every dialect, cipher and signing
// algorithm, strongest last as Windows orders dialects and first as it orders algorithms.
type Options struct {
	Dialects     []smb2.Dialect
	Ciphers      []crypto.Cipher
	Signing      []crypto.SigningAlgorithm
	Capabilities smb2.Capabilities
	SecurityMode smb2.SecurityMode
	ClientGUID   smb2.GUID
	Timeout      time.Duration // of one round trip; 30 s when zero
}

// Conn is one connection. Its methods may be used by several goroutines.
type Conn struct {
	nc   net.Conn
	opt  Options
	Resp smb2.NegotiateResponse // the server's answer, aliasing nothing
	// Cipher and SigningAlgorithm are what the server chose.
	Cipher           crypto.Cipher
	SigningAlgorithm crypto.SigningAlgorithm
	preauth          crypto.PreauthHash

	mu       sync.Mutex // guards the fields below and the order of writes
	nextID   uint64
	waiting  map[uint64]chan Message
	sessions map[uint64]*Session
	credits  int
	err      error

	done   chan struct{}
	Events chan Message // unsolicited messages (breaks); capacity 256, further ones are dropped
}

// Message is one received message.
type Message struct {
	Header smb2.Header
	Bytes  []byte // whole message, header first
	Sealed bool
}

// ErrClosed tells that the server ended the connection.
var ErrClosed = errors.New("connection closed by the server")

// Dial connects and negotiates.
func Dial(ctx context.Context, addr string, opt Options) (*Conn, error) {
	c, err := DialSilent(ctx, addr, opt)
	if err != nil {
		return nil, err
	}
	if err := c.negotiate(); err != nil {
		c.Close()
		return nil, fmt.Errorf("negotiate with %s: %w", addr, err)
	}
	return c, nil
}

// withDefaults fills in what is not set.
func (opt Options) withDefaults() Options {
	if opt.Timeout == 0 {
		opt.Timeout = 30 * time.Second
	}
	if opt.Dialects == nil {
		opt.Dialects = []smb2.Dialect{smb2.Dialect202, smb2.Dialect210, smb2.Dialect300, smb2.Dialect302, smb2.Dialect311}
	}
	if opt.SecurityMode == 0 {
		opt.SecurityMode = smb2.NegotiateSigningEnabled
	}
	if opt.ClientGUID == (smb2.GUID{}) {
		rand.Read(opt.ClientGUID[:])
	}
	return opt
}

// newConn makes a connection whose reader does not run yet.
func newConn(nc net.Conn, opt Options) *Conn {
	return &Conn{nc: nc, opt: opt, waiting: map[uint64]chan Message{}, sessions: map[uint64]*Session{},
		credits: 1, done: make(chan struct{}), Events: make(chan Message, 256)}
}

// DialSilent connects and says nothing yet.
func DialSilent(ctx context.Context, addr string, opt Options) (*Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return NewConn(nc, opt), nil
}

// Close ends the connection without a LOGOFF and waits for its reader.
func (c *Conn) Close() {
	c.nc.Close()
	<-c.done
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// NetConn is the socket, for tests that cut or delay it.
func (c *Conn) NetConn() net.Conn { return c.nc }

// WriteFrame sends bytes as one Direct TCP frame ([MS-SMB2] 2.1), as they are.
func (c *Conn) WriteFrame(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writeLocked(b)
}

func (c *Conn) writeLocked(b []byte) error {
	f := make([]byte, 4, 4+len(b))
	binary.BigEndian.PutUint32(f, uint32(len(b)))
	_, err := c.nc.Write(append(f, b...))
	return err
}

func (c *Conn) read() {
	err := c.readLoop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = fmt.Errorf("%w: %w", ErrClosed, err)
	for _, ch := range c.waiting {
		close(ch)
	}
	c.waiting = map[uint64]chan Message{}
	close(c.done)
}

func (c *Conn) readLoop() error {
	for {
		var l [4]byte
		if _, err := io.ReadFull(c.nc, l[:]); err != nil {
			return err
		}
		b := make([]byte, binary.BigEndian.Uint32(l[:]))
		if _, err := io.ReadFull(c.nc, b); err != nil {
			return err
		}
		if err := c.frame(b); err != nil {
			return err
		}
	}
}

// frame takes one received frame apart.
func (c *Conn) frame(b []byte) error {
	sealed := false
	if len(b) >= smb2.TransformHeaderSize && b[0] == 0xFD {
		plain, err := c.unseal(b)
		if err != nil {
			return err
		}
		b, sealed = plain, true
	}
	for {
		var h smb2.Header
		if err := h.Decode(b); err != nil {
			return err
		}
		m := b
		if h.NextCommand != 0 {
			if int(h.NextCommand) > len(b) {
				return fmt.Errorf("NextCommand %d in a frame of %d bytes", h.NextCommand, len(b))
			}
			m = b[:h.NextCommand]
		}
		if err := c.deliver(Message{Header: h, Bytes: m, Sealed: sealed}); err != nil {
			return err
		}
		if h.NextCommand == 0 {
			return nil
		}
		b = b[h.NextCommand:]
	}
}

// deliver checks a message's signature and hands it to who waits. An interim reply leaves its request waiting.
func (c *Conn) deliver(m Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.credits += int(m.Header.Credits)
	// Samba: the reply for want of a session carries the request's own signature (4.17).
	if s := c.sessions[m.Header.SessionID]; s != nil && !m.Sealed && m.Header.Flags&smb2.FlagSigned != 0 && s.signer != nil &&
		m.Header.Status != ntstatus.UserSessionDeleted {
		if !verify(m.Bytes, s.signer) {
			return fmt.Errorf("%v reply %d is wrongly signed", m.Header.Command, m.Header.MessageID)
		}
	}
	ch := c.waiting[m.Header.MessageID]
	if ch == nil || m.Header.MessageID == ^uint64(0) {
		select {
		case c.Events <- m:
		default:
		}
		return nil
	}
	if m.Header.Status == ntstatus.Pending && m.Header.Flags&smb2.FlagAsync != 0 {
		select {
		case ch <- m:
		default:
		}
		return nil
	}
	delete(c.waiting, m.Header.MessageID)
	ch <- m
	return nil
}
