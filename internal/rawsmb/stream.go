package rawsmb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Stream is the connection of a session without the reader that Conn has: the caller sends prepared requests
// and takes the replies himself, in whatever order they come, on one goroutine and without an allocation. It
// is for the load generator, which must not be slower than what it measures. Requests other than prepared
// ones are not possible any more, nor are other sessions of the connection.
type Stream struct {
	session *Session
	nc      net.Conn
	nextID  uint64
	credits int // unused
	wanted  int // how many to have

	buf      []byte
	off, end int // received and not taken: buf[off:end]
}

// streamBuffer is what a Stream's read buffer begins with; thousands of them exist.
const streamBuffer = 2 << 10

// wholeFrame is the length from which a frame is read up to its end and not beyond, so that the next one
// need not be moved.
const wholeFrame = 32 << 10

// Stream takes the connection over, once all replies have come. credits is how many the caller would like to have.
func (s *Session) Stream(credits int) (*Stream, error) {
	c := s.Conn
	if err := c.nc.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return nil, err
	}
	<-c.done
	c.mu.Lock()
	defer c.mu.Unlock()
	var timeout net.Error
	if !errors.As(c.err, &timeout) || !timeout.Timeout() {
		return nil, c.err
	}
	if err := c.nc.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return &Stream{session: s, nc: c.nc, nextID: c.nextID, credits: c.credits - int(c.nextID), wanted: credits,
		buf: make([]byte, streamBuffer)}, nil
}

// Affords tells whether there are credits for the request now; if not, receive first.
func (st *Stream) Affords(p *Prepared) bool { return int(p.charge) <= st.credits }

// Credits are the unused ones.
func (st *Stream) Credits() int { return st.credits }

// Send numbers the request, signs or seals it as the session says, and writes it. It waits for the socket.
func (st *Stream) Send(p *Prepared) (messageID uint64, err error) {
	if !st.Affords(p) {
		return 0, fmt.Errorf("%d credits, the request costs %d", st.credits, p.charge)
	}
	s := st.session
	m := p.message()
	messageID = st.nextID
	st.nextID += uint64(p.charge)
	st.credits -= int(p.charge)
	smb2.SetRawMessageID(m, messageID)
	smb2.SetRawCredits(m, uint16(min(1024, max(int(p.charge), st.wanted-st.credits))))
	first := preparedFirst
	switch {
	case s.Seal:
		first -= smb2.TransformHeaderSize
		t := smb2.TransformHeader{OriginalMessageSize: uint32(len(m)), Flags: smb2.TransformFlagEncrypted, SessionID: s.ID}
		s.seal.NextNonce(&t.Nonce)
		t.Put(p.buf[first:])
		tag := (*[16]byte)(p.buf[first+4:])
		s.seal.Seal(tag, t.Nonce[:], p.buf[first+20:preparedFirst], m)
	case s.Sign:
		sign(m, s.signer)
	}
	first -= preparedPrefix
	binary.BigEndian.PutUint32(p.buf[first:], uint32(len(p.buf)-preparedTail-first-preparedPrefix))
	_, err = st.nc.Write(p.buf[first : len(p.buf)-preparedTail])
	return messageID, err
}

// Receive gives the next final reply; it is valid until the next call. Signatures are verified, interim
// replies and what comes unasked passed over.
func (st *Stream) Receive() ([]byte, error) {
	for {
		m, err := st.frame()
		if err != nil {
			return nil, err
		}
		if m, err = st.check(m); err != nil {
			return nil, err
		}
		st.credits += int(smb2.RawCredits(m))
		if smb2.RawMessageID(m) == ^uint64(0) || smb2.RawStatus(m) == ntstatus.Pending && smb2.RawFlags(m)&smb2.FlagAsync != 0 {
			continue
		}
		return m, nil
	}
}

// frame reads the next frame.
func (st *Stream) frame() ([]byte, error) {
	for {
		have := st.end - st.off
		n := 0
		if have >= preparedPrefix {
			n = int(binary.BigEndian.Uint32(st.buf[st.off:]) & 0xFFFFFF)
			if have >= preparedPrefix+n {
				f := st.buf[st.off+preparedPrefix : st.off+preparedPrefix+n]
				st.off += preparedPrefix + n
				return f, nil
			}
		}
		limit := st.room(preparedPrefix + n)
		if n >= wholeFrame {
			limit = st.off + preparedPrefix + n
		}
		got, err := st.nc.Read(st.buf[st.end:limit])
		st.end += got
		if err != nil {
			return nil, err
		}
	}
}

// room makes room for a frame of need bytes at off and tells where reading may end.
func (st *Stream) room(need int) int {
	if st.off == st.end {
		st.off, st.end = 0, 0
	}
	if st.off+need+preparedTail > len(st.buf) || st.end+preparedTail >= len(st.buf) {
		to := st.buf
		if need+preparedTail > len(to) {
			to = make([]byte, need+preparedTail+streamBuffer)
		}
		st.end = copy(to, st.buf[st.off:st.end])
		st.buf, st.off = to, 0
	}
	return len(st.buf) - preparedTail
}

// check unseals a frame, or verifies its signature where requests are signed.
func (st *Stream) check(m []byte) ([]byte, error) {
	s := st.session
	if len(m) >= smb2.TransformHeaderSize && m[0] == 0xFD {
		var t smb2.TransformHeader
		if err := t.Decode(m); err != nil {
			return nil, err
		}
		if s.open == nil || t.SessionID != s.ID {
			return nil, fmt.Errorf("sealed for session %#x", t.SessionID)
		}
		body := m[smb2.TransformHeaderSize:]
		if err := s.open.Open((*[16]byte)(m[4:]), t.Nonce[:], m[20:smb2.TransformHeaderSize], body); err != nil {
			return nil, fmt.Errorf("unseal a reply: %w", err)
		}
		m = body
	} else if s.Seal {
		return nil, errors.New("the reply is not sealed")
	}
	if len(m) < smb2.HeaderSize || string(m[:4]) != smb2.ProtocolSMB2 {
		return nil, fmt.Errorf("%d bytes that are no SMB2 message", len(m))
	}
	if s.Sign && !s.Seal {
		interim := smb2.RawStatus(m) == ntstatus.Pending // exempt, [MS-SMB2] 3.2.5.1.3
		nonce := signNonce(m)
		if smb2.RawFlags(m)&smb2.FlagSigned == 0 && !interim || !interim && !s.signer.Verify(&nonce, m) {
			return nil, fmt.Errorf("the reply to %v is not signed rightly", smb2.RawCommand(m))
		}
	}
	return m, nil
}

// SetDeadline ends Send and Receive at t; the zero time takes that back.
func (st *Stream) SetDeadline(t time.Time) error { return st.nc.SetDeadline(t) }

// Close ends the connection.
func (st *Stream) Close() error { return st.nc.Close() }
