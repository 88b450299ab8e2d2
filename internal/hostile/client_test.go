package hostile

import (
	"context"
	"fmt"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// client is one session with a share, on a connection of its own.
type client struct {
	t testing.TB
	*rawsmb.Session
	tree uint32
}

// login connects, authenticates and connects "share".
func login(t testing.TB, addr, user, password string, opt rawsmb.Options) *client {
	t.Helper()
	conn, err := rawsmb.Dial(t.Context(), addr, opt)
	must(t, err)
	t.Cleanup(conn.Close)
	s, err := conn.Login(t.Context(), user, password)
	if err != nil {
		t.Fatalf("login of %s: %v", user, err)
	}
	c := &client{t: t, Session: s}
	c.tree = c.connect("share")
	return c
}

// connect connects a share and returns its TreeId.
func (c *client) connect(share string) uint32 {
	c.t.Helper()
	m := c.want(ntstatus.Success, smb2.Header{Command: smb2.CommandTreeConnect}, &smb2.TreeConnectRequest{Path: `\\smbproxy\` + share})
	return m.Header.TreeID
}

// want sends one request and compares the final status. The tree is the client's unless the header
// names one.
func (c *client) want(st ntstatus.Status, h smb2.Header, body smb2.Body) rawsmb.Message {
	c.t.Helper()
	if h.TreeID == 0 && h.Command != smb2.CommandTreeConnect {
		h.TreeID = c.tree
	}
	m, err := c.Do(h, body)
	if m.Bytes == nil {
		c.t.Fatalf("%v: %v, want %v", h.Command, err, st)
	}
	if m.Header.Status != st {
		c.t.Fatalf("%v: got %v, want %v", h.Command, m.Header.Status, st)
	}
	return m
}

// call is want for a command on the client's tree.
func (c *client) call(st ntstatus.Status, cmd smb2.Command, body smb2.Body) rawsmb.Message {
	c.t.Helper()
	return c.want(st, smb2.Header{Command: cmd}, body)
}

// ask is want that leaves the status to the caller.
func (c *client) ask(cmd smb2.Command, body smb2.Body) ntstatus.Status {
	c.t.Helper()
	m, err := c.Do(smb2.Header{Command: cmd, TreeID: c.tree}, body)
	if m.Bytes == nil {
		c.t.Fatalf("%v: %v", cmd, err)
	}
	return m.Header.Status
}

// create opens or makes a file; directory if the options say so.
func (c *client) create(name string, options smb2.CreateOptions) smb2.FileID {
	c.t.Helper()
	m := c.call(ntstatus.Success, smb2.CommandCreate, createRequest(name, smb2.FileOpenIf, options))
	var resp smb2.CreateResponse
	must(c.t, resp.Decode(m.Bytes))
	return resp.FileID
}

// createRequest is an ordinary CREATE.
func createRequest(name string, d smb2.CreateDisposition, options smb2.CreateOptions) *smb2.CreateRequest {
	return &smb2.CreateRequest{ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: 0x1F01FF, Name: name,
		ShareAccess: smb2.FileShareRead | smb2.FileShareWrite | smb2.FileShareDelete, CreateDisposition: d, CreateOptions: options}
}

// put writes a file from its start.
func (c *client) put(id smb2.FileID, data string) {
	c.t.Helper()
	c.call(ntstatus.Success, smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Data: []byte(data)})
}

// get reads a file from its start.
func (c *client) get(id smb2.FileID) string {
	c.t.Helper()
	m := c.call(ntstatus.Success, smb2.CommandRead, &smb2.ReadRequest{FileID: id, Length: 4096})
	var resp smb2.ReadResponse
	must(c.t, resp.Decode(m.Bytes))
	return string(resp.Data)
}

// echo sees that the session lives.
func (c *client) echo() {
	c.t.Helper()
	c.call(ntstatus.Success, smb2.CommandEcho, &smb2.EchoRequest{})
}

// header is that of a request with ids of its own, for messages that the test assembles.
func (c *client) header(cmd smb2.Command) smb2.Header {
	return smb2.Header{Command: cmd, CreditCharge: 1, Credits: 64, MessageID: c.Conn.Take(1), SessionID: c.ID, TreeID: c.tree}
}

// message is header and body, signed as the session says.
func (c *client) message(h smb2.Header, body smb2.Body) []byte {
	msg := body.Append(h.Append(nil))
	if c.Sign {
		c.SignMessage(msg)
	}
	return msg
}

// echoMessage is a signed ECHO.
func (c *client) echoMessage() []byte {
	return c.message(c.header(smb2.CommandEcho), &smb2.EchoRequest{})
}

// send writes one frame.
func (c *client) send(frame []byte) {
	c.t.Helper()
	must(c.t, c.Conn.WriteFrame(frame))
}

// status sends a message and compares its reply's status.
func (c *client) status(st ntstatus.Status, msg []byte) {
	c.t.Helper()
	p := c.Conn.Expect(smb2.RawMessageID(msg))
	c.send(msg)
	wait(c.t, p, st)
}

// next is the next reply, an interim one included.
func next(t testing.TB, p *rawsmb.Pending) rawsmb.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := p.Wait(ctx)
	if err != nil {
		t.Fatalf("message %d: %v", p.MessageID, err)
	}
	return m
}

// wait waits for the final reply and compares its status.
func wait(t testing.TB, p *rawsmb.Pending, st ntstatus.Status) rawsmb.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := p.Final(ctx)
	if err != nil {
		t.Fatalf("message %d: %v, want %v", p.MessageID, err, st)
	}
	if m.Header.Status != st {
		t.Fatalf("message %d (%v): got %v, want %v", p.MessageID, m.Header.Command, m.Header.Status, st)
	}
	return m
}

// gone fails the test unless the server ends the connection, without having said anything more.
func gone(t testing.TB, c *rawsmb.Conn) {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Fatal("the connection is still open")
	}
	select {
	case m := <-c.Events:
		t.Fatalf("got reply %v %v, want the connection closed", m.Header.Command, m.Header.Status)
	default:
	}
}

// witness is a client that must not notice anything: it has a file open, reads it, and lists nothing of
// what others do.
type witness struct {
	*client
	file smb2.FileID
	text string
}

// newWitness logs user on and writes a file that nobody else may ever see.
func newWitness(c *client) *witness {
	c.t.Helper()
	w := &witness{client: c, text: fmt.Sprintf("the secret of %016x", c.ID)}
	w.file = c.create("witness", 0)
	c.put(w.file, w.text)
	return w
}

// undisturbed fails the test unless the witness can work.
func (w *witness) undisturbed(t testing.TB) {
	t.Helper()
	w.t = t
	if got := w.get(w.file); got != w.text {
		t.Fatalf("the other session reads %q, want %q", got, w.text)
	}
}
