package hostile

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// An input of FuzzConnection: one byte that says how the connection is made, then records of one byte that says what
// is sent, two bytes of length, and so many bytes (or what is left).
const (
	modeStranger byte = iota // a socket and nothing said
	modeNegotiated
	modeSigned // user1 logged on, with a share, a file and a directory open
	modeSealed
	modes
)

const (
	recordBytes   byte = iota // as they are, without a prefix
	recordFrame               // as they are, in a frame
	recordMessage             // 16 bits of command, 8 of fix-ups, 8 of CreditCharge, then the body: ids and signature are made right
	recordHeader              // a whole message: only MessageId, SessionId and signature are made right
	recordSealed              // in a TRANSFORM_HEADER, whatever the mode
	recordToken               // as a SESSION_SETUP token
	recordBarrier             // waits until what was sent is answered, or the connection gone
	recordCancel              // CANCEL of the last message
	records
)

// Fix-ups of recordMessage.
const (
	fixFile      byte = 1 << iota // the open file's FileId where the command has one
	fixDirectory                  // the directory's
	fixForeign                    // another session's file
	fixRelated                    // SMB2_FLAGS_RELATED_OPERATIONS
	fixChain                      // the next recordMessage goes into the same compound
	fixNoTree                     // TreeId zero
	fixUnsigned                   // not signed
	fixForeignID                  // another session's SessionId
)

// script plays an input against the stack as one connection.
type script struct {
	t       testing.TB
	nc      net.Conn
	conn    *rawsmb.Conn
	client  *client // nil without a session
	file    smb2.FileID
	dir     smb2.FileID
	foreign *witness
	frame   []byte // compound in the making
	start   int    // of its last message
	last    uint64
	leaked  bool // a reply held another user's bytes
	refused bool // the server has said in SMB1's form that no dialect fits, which is no SMB2 message
}

// connect makes the connection; false: the mode cannot be had.
func (p *script) connect(mode byte) {
	p.conn = rawsmb.NewConn(&spy{Conn: p.nc, script: p}, rawsmb.Options{Timeout: patience})
	if mode == modeStranger {
		return
	}
	must(p.t, p.conn.Negotiate())
	if mode == modeNegotiated {
		return
	}
	s, err := p.conn.Login(p.t.Context(), "user1", "secret1")
	must(p.t, err)
	p.client = &client{t: p.t, Session: s}
	s.Seal = mode == modeSealed
	p.client.tree = p.client.connect("share")
	p.file, p.dir = p.client.create("file", 0), p.client.create("dir", smb2.FileDirectoryFile)
}

// smb1Refusal begins the frame of an SMB1 NEGOTIATE response without a dialect ([MS-CIFS] 2.2.4.52.2).
var smb1Refusal = []byte("\x00\x00\x00\x25" + smb2.ProtocolSMB1 + "r")

// spy looks at what the server sends in plain.
type spy struct {
	net.Conn
	script *script
	tail   []byte
}

// Read implements io.Reader.
func (s *spy) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	s.tail = append(s.tail, b[:n]...)
	if bytes.Contains(s.tail, []byte(s.script.foreign.text)) {
		s.script.leaked = true
	}
	if bytes.Contains(s.tail, smb1Refusal) {
		s.script.refused = true
	}
	if keep := len(s.script.foreign.text); len(s.tail) > keep {
		s.tail = append(s.tail[:0], s.tail[len(s.tail)-keep:]...)
	}
	return n, err
}

// play sends the records. It stops when the connection is gone.
func (p *script) play(in []byte) {
	for len(in) >= 3 {
		kind, n := in[0]%records, int(le.Uint16(in[1:]))
		in = in[3:]
		n = min(n, len(in))
		if !p.record(kind, in[:n:n]) {
			return
		}
		in = in[n:]
	}
	p.flush()
}

// record sends one; false: the connection is gone.
func (p *script) record(kind byte, b []byte) bool {
	if kind != recordMessage {
		p.flush()
	}
	switch kind {
	case recordBytes:
		return p.write(b)
	case recordFrame:
		return p.write(rawsmb.Frame(b))
	case recordMessage:
		p.message(b)
	case recordHeader:
		msg := append([]byte(nil), b...)
		if len(msg) < smb2.HeaderSize {
			return true
		}
		p.last = p.conn.Take(max(1, smb2.RawCreditCharge(msg)))
		smb2.SetRawMessageID(msg, p.last)
		if p.client != nil {
			smb2.SetRawSessionID(msg, p.client.ID)
			p.client.SignMessage(msg)
		}
		return p.write(rawsmb.Frame(p.sealed(msg)))
	case recordSealed:
		if p.client != nil {
			if frame, err := p.client.SealFrame(b); err == nil {
				return p.write(rawsmb.Frame(frame))
			}
		}
	case recordToken:
		h := smb2.Header{Command: smb2.CommandSessionSetup, CreditCharge: 1, Credits: 10, MessageID: p.conn.Take(1)}
		m := smb2.SessionSetupRequest{SecurityMode: 1, SecurityBuffer: b}
		if len(b) > 0 && b[0] == 'r' && p.client != nil { // authenticate anew
			h.SessionID, m.SecurityBuffer = p.client.ID, b[1:]
		}
		return p.write(rawsmb.Frame(m.Append(h.Append(nil))))
	case recordBarrier:
		return p.barrier()
	case recordCancel:
		if p.client != nil {
			h := smb2.Header{Command: smb2.CommandCancel, MessageID: p.last, SessionID: p.client.ID}
			return p.write(rawsmb.Frame(p.sealed(p.client.message(h, &smb2.CancelRequest{}))))
		}
	}
	return true
}

// message appends one to the compound, and sends that unless it is to go on.
func (p *script) message(b []byte) {
	if len(b) < 4 {
		return
	}
	cmd, fix, charge := smb2.Command(le.Uint16(b)), b[2], uint16(b[3])
	h := smb2.Header{Command: cmd, CreditCharge: charge, Credits: 20, MessageID: p.conn.Take(max(1, charge))}
	p.last = h.MessageID
	file := p.file
	switch {
	case fix&fixForeign != 0:
		file = p.foreign.file
	case fix&fixDirectory != 0:
		file = p.dir
	}
	if p.client != nil {
		h.SessionID, h.TreeID = p.client.ID, p.client.tree
	}
	if fix&fixForeignID != 0 {
		h.SessionID = p.foreign.ID
	}
	if fix&fixNoTree != 0 {
		h.TreeID = 0
	}
	if fix&fixRelated != 0 {
		h.Flags |= smb2.FlagRelated
	}
	msg := append(h.Append(nil), b[4:]...)
	if off := smb2.FileIDOffset(cmd); fix&(fixFile|fixDirectory|fixForeign) != 0 && off > 0 && len(msg) >= off+16 {
		smb2.SetRawFileID(msg, off, file)
	}
	chain := fix&fixChain != 0 && len(p.frame) < 64<<10
	if chain {
		for len(msg)%8 != 0 {
			msg = append(msg, 0)
		}
		smb2.SetRawNextCommand(msg, uint32(len(msg)))
	}
	if p.client != nil && fix&fixUnsigned == 0 {
		p.client.SignMessage(msg)
	}
	p.frame = append(p.frame, msg...)
	if !chain {
		p.flush()
	}
}

// flush sends the compound in the making, whose last NextCommand may point to its end.
func (p *script) flush() {
	if len(p.frame) > 0 {
		p.write(rawsmb.Frame(p.sealed(p.frame)))
		p.frame = nil
	}
}

// sealed seals a frame in the mode that wants it.
func (p *script) sealed(b []byte) []byte {
	if p.client == nil || !p.client.Seal {
		return b
	}
	frame, err := p.client.SealFrame(b)
	must(p.t, err)
	return frame
}

// write sends bytes; false: the connection is gone.
func (p *script) write(b []byte) bool {
	must(p.t, p.nc.SetWriteDeadline(time.Now().Add(patience)))
	_, err := p.nc.Write(b)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		p.t.Fatalf("the server does not read:\n%s", stacks())
	}
	return err == nil
}

// barrier sends an ECHO and waits for its reply or the connection's end. A server that waits for the rest of a frame
// gives neither, so it is for those inputs that have not sent half of one; the fuzzer's may have.
func (p *script) barrier() bool {
	id := p.conn.Take(1)
	h := smb2.Header{Command: smb2.CommandEcho, CreditCharge: 1, Credits: 20, MessageID: id}
	msg := (&smb2.EchoRequest{}).Append(h.Append(nil))
	if p.client != nil {
		smb2.SetRawSessionID(msg, p.client.ID)
		p.client.SignMessage(msg)
	}
	reply := p.conn.Expect(id)
	if !p.write(rawsmb.Frame(p.sealed(msg))) {
		return false
	}
	return arrived(reply, p.conn)
}

// end says goodbye as a client that dies does, and returns when the server has ended the connection. The error is
// what the client could not make of the server's last words.
func (p *script) end() error {
	_ = p.nc.(interface{ CloseWrite() error }).CloseWrite() // fails if the server was faster
	select {
	case <-p.conn.Done():
	case <-time.After(patience):
		p.t.Fatalf("the server does not end the connection:\n%s", stacks())
	}
	err := p.conn.Err()
	p.conn.Close()
	if p.refused {
		return nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
