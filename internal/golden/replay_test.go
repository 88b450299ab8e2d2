package golden

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// TestReplay says through smbproxy what the clients of the captures said to smbd, each request after the same replies,
// and wants the same statuses. Ids are those that smbproxy gave; negotiation and logon are our own client's, with the
// capture's parameters.
func TestReplay(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	l := lab.New(t, lab.Options{})
	cluster := l.MustCluster(lab.ClusterOptions{EditConf: lab.NoKernelNotify})
	given := filepath.Join(cluster.ShareDir("share"), "given")
	u := l.User("user1")
	replayed := 0
	for _, c := range load(t) {
		if why := notReplayed[c.Name[len("311-"):]]; why != "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			if err := l.Tree.Empty("share"); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.WriteFile(given, []byte("given\n"), 0o644), os.Chown(given, int(u.UID), int(u.GID))); err != nil {
				t.Fatal(err)
			}
			r := &replay{t: t, addr: cluster.Proxy.Addr(), user: u,
				conns: map[netip.AddrPort]*replayConn{}, sent: map[*Message]*sent{}, sessions: map[uint64]bool{}}
			r.run(c)
			for _, conn := range r.conns {
				conn.Close()
			}
			replayed += r.compared
		})
	}
	t.Logf("%d replies compared", replayed)
}

// notReplayed are scenarios that make no sense with another logon or another server, and why.
var notReplayed = map[string]string{
	"logon": "logon only", "logon-smb1": "logon only", "logon-refused": "logon only", "logon-anonymous": "another logon",
	"kerberos": "logon only", "reauthentication": "the logon is what it shows",
	"lease": "smbd's state of open files", "oplock": "smbd's state of open files", "durable": "smbd's state of open files", "durable-v2": "smbd's state of open files",
}

// replay replays one capture.
type replay struct {
	t        *testing.T
	addr     string
	user     lab.User
	conns    map[netip.AddrPort]*replayConn
	sent     map[*Message]*sent
	sessions map[uint64]bool // the capture's
	compared int
	chain    []*Message // elements of a compound that is not complete yet
}

// replayConn is one connection and what smbproxy called the ids of the capture's.
type replayConn struct {
	*rawsmb.Conn
	session *rawsmb.Session
	trees   map[uint32]uint32
	files   map[smb2.FileID]smb2.FileID
	async   map[uint64]*sent // the capture's AsyncIds
	ids     map[uint64]*sent // the capture's MessageIds
	keys    map[string][]byte
}

// sent is one replayed request.
type sent struct {
	*rawsmb.Pending
	async uint64          // smbproxy's AsyncId, once it has given one
	final *rawsmb.Message // taken already
}

func (r *replay) run(c *Capture) {
	for _, m := range c.Messages {
		switch {
		case m.SMB1 != nil || m.Header.Command == smb2.CommandNegotiate || m.Header.Command == smb2.CommandSessionSetup:
			switch body := m.Body.(type) {
			case *smb2.NegotiateResponse:
				r.connect(m, body.DialectRevision)
			case *smb2.SessionSetupResponse:
				r.sessions[m.Header.SessionID] = true
			}
		case m.Response:
			r.receive(m)
		default:
			if r.chain = append(r.chain, m); m.Last {
				r.send(r.chain)
				r.chain = nil
			}
		}
		if r.t.Failed() {
			return
		}
	}
}

// connect negotiates and logs on as the capture's client did.
func (r *replay) connect(m *Message, dialect smb2.Dialect) {
	opt := rawsmb.Options{Dialects: []smb2.Dialect{dialect}, ClientGUID: smb2.GUID{1}, Capabilities: replayCapabilities}
	if req, ok := m.Request.Body.(*smb2.NegotiateRequest); ok {
		opt.SecurityMode = req.SecurityMode
	}
	conn, err := rawsmb.Dial(r.t.Context(), r.addr, opt)
	if err != nil {
		r.t.Fatal(err)
	}
	c := &replayConn{Conn: conn, trees: map[uint32]uint32{}, files: map[smb2.FileID]smb2.FileID{}, async: map[uint64]*sent{}, ids: map[uint64]*sent{}, keys: map[string][]byte{}}
	r.conns[m.Client] = c
	if c.session, err = conn.Login(r.t.Context(), r.user.Name, r.user.Password); err != nil {
		r.t.Fatal(err)
	}
}

// send sends a request or a compound.
func (r *replay) send(chain []*Message) {
	c := r.conns[chain[0].Client]
	parts := make([]rawsmb.Part, len(chain))
	for i, m := range chain {
		h := smb2.Header{Command: m.Header.Command, Flags: m.Header.Flags & (smb2.FlagRelated | smb2.FlagDFS), CreditCharge: m.Header.CreditCharge, Credits: 512}
		if id, ok := c.trees[m.Header.TreeID]; ok {
			h.TreeID = id
		} else {
			h.TreeID = m.Header.TreeID
		}
		msg := bytes.Clone(m.Bytes)
		if ioctl, ok := m.Body.(*smb2.IoctlRequest); ok && ioctl.CtlCode == smb2.FsctlValidateNegotiateInfo {
			msg = r.validate(m)
		}
		if !r.sessions[m.Header.SessionID] {
			h.SessionID = m.Header.SessionID // none at all, on purpose
		}
		if at := smb2.FileIDOffset(h.Command); at != 0 && h.Command != smb2.CommandOplockBreak {
			if id, ok := c.files[smb2.RawFileID(msg, at)]; ok {
				smb2.SetRawFileID(msg, at, id)
			}
		}
		for old, key := range c.keys {
			msg = bytes.ReplaceAll(msg, []byte(old), key)
		}
		if h.Command == smb2.CommandCancel {
			r.cancel(c, m, &h)
		}
		parts[i] = rawsmb.Part{Header: h, Body: rawsmb.Body(msg[smb2.HeaderSize:])}
	}
	pending, err := c.session.StartCompound(parts...)
	if err != nil {
		r.t.Fatal(err)
	}
	for i, m := range chain {
		if m.Header.Command != smb2.CommandCancel {
			s := &sent{Pending: pending[i]}
			r.sent[m], c.ids[m.Header.MessageID] = s, s
		}
	}
}

// cancel names the request that the capture's CANCEL is for.
func (r *replay) cancel(c *replayConn, m *Message, h *smb2.Header) {
	s := c.ids[m.Header.MessageID]
	if m.Header.Flags&smb2.FlagAsync != 0 {
		s = c.async[m.Header.AsyncID]
	}
	switch {
	case s == nil:
		r.t.Fatalf("CANCEL of an unknown request")
	case s.async != 0:
		h.Flags |= smb2.FlagAsync
		h.AsyncID = s.async
	}
	h.MessageID = s.MessageID
}

// replayCapabilities are ours in NEGOTIATE. A client's own may be none at all, which our client cannot say.
const replayCapabilities = smb2.GlobalCapDFS | smb2.GlobalCapLargeMTU

// validate puts what connect has sent into a FSCTL_VALIDATE_NEGOTIATE_INFO; with anything else smbproxy ends the
// connection ([MS-SMB2] 3.3.5.15.12).
func (r *replay) validate(m *Message) []byte {
	body := *m.Body.(*smb2.IoctlRequest)
	var v smb2.ValidateNegotiateInfoRequest
	if err := v.Decode(body.Input); err != nil {
		r.t.Fatal(err)
	}
	v.Capabilities, v.GUID = replayCapabilities, smb2.GUID{1}
	body.Input = v.Append(nil)
	return body.Append(m.Header.Append(nil))
}

// replyLimit is when a reply that does not come is reported, with its name.
const replyLimit = 30 * time.Second

// receive waits for the reply that stands in the capture and compares it.
func (r *replay) receive(m *Message) {
	s := r.sent[m.Request]
	if s == nil {
		r.t.Fatalf("%v %d answers nothing", m.Header.Command, m.Header.MessageID)
	}
	c := r.conns[m.Client]
	interim := m.Header.Status == ntstatus.Pending && m.Header.Flags&smb2.FlagAsync != 0
	if interim {
		c.async[m.Header.AsyncID] = s
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), replyLimit)
	defer cancel()
	for s.final == nil {
		got, err := s.Wait(ctx)
		if err != nil {
			r.t.Fatalf("%v %d: %v", m.Header.Command, m.Header.MessageID, err)
		}
		if got.Header.Status != ntstatus.Pending {
			s.final = &got
			break
		}
		s.async = got.Header.AsyncID
		if interim {
			return
		}
	}
	if !interim {
		r.compare(c, m, s.final)
	}
}

// compare compares two replies and learns ids.
func (r *replay) compare(c *replayConn, m *Message, got *rawsmb.Message) {
	r.compared++
	show := func(cmd smb2.Command, st ntstatus.Status) string { return fmt.Sprintf("%v %s", cmd, statusName(st)) }
	want, have := show(m.Header.Command, m.Header.Status), show(got.Header.Command, got.Header.Status)
	if have != want {
		r.t.Errorf("request %d: got %s, want %s", m.Header.MessageID, have, want)
		return
	}
	if got.Header.Status.IsError() {
		return
	}
	switch body := m.Body.(type) {
	case *smb2.TreeConnectResponse:
		c.trees[m.Header.TreeID] = got.Header.TreeID
	case *smb2.CreateResponse:
		var reply smb2.CreateResponse
		if err := reply.Decode(got.Bytes); err != nil {
			r.t.Fatal(err)
		}
		c.files[body.FileID] = reply.FileID
	case *smb2.IoctlResponse:
		var reply smb2.IoctlResponse
		if err := reply.Decode(got.Bytes); err != nil {
			r.t.Fatal(err)
		}
		if body.CtlCode == smb2.FsctlSrvRequestResumeKey && len(reply.Output) >= smb2.ResumeKeySize {
			c.keys[string(body.Output[:smb2.ResumeKeySize])] = reply.Output[:smb2.ResumeKeySize]
		}
	}
}
