package rawsmb

import (
	"encoding/binary"
	"fmt"
	"net"

	"smbproxy/internal/smb2"
)

// What a client that means harm needs beside an ordinary one's: every byte in its own hands, and the keys
// to sign or seal them.

// NewConn takes over a socket, whatever its kind, and says nothing yet.
func NewConn(nc net.Conn, opt Options) *Conn {
	c := newConn(nc, opt.withDefaults())
	go c.read()
	return c
}

// Negotiate sends NEGOTIATE on a connection of DialSilent or NewConn.
func (c *Conn) Negotiate() error { return c.negotiate() }

// Err is why the connection has ended, nil while it lives.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Take reserves n message ids; requests sent by this package use others.
func (c *Conn) Take(n uint16) (first uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first = c.nextID
	c.nextID += uint64(n)
	return first
}

// Expect waits for a reply to a message that the caller sends by himself.
func (c *Conn) Expect(messageID uint64) *Pending {
	p := &Pending{MessageID: messageID, conn: c, replies: make(chan Message, 2)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		close(p.replies)
		return p
	}
	c.waiting[messageID] = p.replies
	return p
}

// Sign signs a message in place, if the session has a key.
func (s *Session) SignMessage(msg []byte) {
	if s.signer != nil {
		sign(msg, s.signer)
	}
}

// SealFrame wraps a frame in a TRANSFORM_HEADER of this session's.
func (s *Session) SealFrame(frame []byte) ([]byte, error) {
	if s.seal == nil {
		return nil, fmt.Errorf("session %#x has no key to seal with", s.ID)
	}
	return s.sealed(frame), nil
}

// Frame puts the prefix of Direct TCP before a message ([MS-SMB2] 2.1).
func Frame(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// Body is a message's body in bytes.
type Body []byte

// Append implements smb2.Body.
func (b Body) Append(dst []byte) []byte { return append(dst, b...) }

var _ smb2.Body = Body(nil)

// Credits are those that the client holds: granted by all replies so far and not used by messages that this
// package numbered.
func (c *Conn) Credits() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.credits - int(c.nextID)
}
