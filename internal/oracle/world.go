package oracle

import (
	"context"
	"fmt"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// Account is a user that scripts act as: user=1 is the first.
type Account struct{ Name, Password string }

// world is one of the two servers with what a script has open there.
type world struct {
	addr, share string
	opt         rawsmb.Options
	accounts    []Account
	sessions    []*rawsmb.Session
	trees       []*rawsmb.Tree
	files       map[string]smb2.FileID
	keys        map[string][]byte // resume keys
	pending     map[string]pendingStep
	extra       []*rawsmb.Conn // connections beside those of the trees
}

// pendingStep is a step whose answer a later "wait" looks at.
type pendingStep struct {
	p     *rawsmb.Pending
	h     smb2.Header
	watch func(rawsmb.Message) string
	tree  *rawsmb.Tree
	async uint64 // AsyncId of the interim reply
}

// stepTimeout bounds one step: a server that hangs fails the test instead of it.
const stepTimeout = 20 * time.Second

// connect logs every account in, one connection each.
func connect(ctx context.Context, addr, share string, opt rawsmb.Options, accounts []Account) (*world, error) {
	w := &world{addr: addr, share: share, opt: opt, accounts: accounts, files: map[string]smb2.FileID{},
		keys: map[string][]byte{}, pending: map[string]pendingStep{}}
	for _, a := range accounts {
		c, err := rawsmb.Dial(ctx, addr, opt)
		if err != nil {
			w.close()
			return nil, err
		}
		w.extra = append(w.extra, c)
		s, err := c.Login(ctx, a.Name, a.Password)
		if err != nil {
			w.close()
			return nil, fmt.Errorf("log in as %s: %w", a.Name, err)
		}
		s.Sign = true
		t, err := s.TreeConnect(share)
		if err != nil {
			w.close()
			return nil, fmt.Errorf("connect to %s: %w", share, err)
		}
		w.sessions, w.trees = append(w.sessions, s), append(w.trees, t)
	}
	return w, nil
}

// close ends all connections.
func (w *world) close() {
	for _, c := range w.extra {
		c.Close()
	}
}

// tree is the tree connect that a step acts on.
func (w *world) tree(l line) *rawsmb.Tree {
	n := int(l.num("user", 1))
	if n < 1 || n > len(w.trees) {
		panic(fmt.Sprintf("script %q: there is no user %d", l.text, n))
	}
	return w.trees[n-1]
}

// file is the FileId of a step's handle: "@" is the preceding open of the compound; an unknown name gives an id that
// was never given out.
func (w *world) file(l line, key string) smb2.FileID {
	name := l.args[key]
	if name == "@" {
		return smb2.FileID{Persistent: ^uint64(0), Volatile: ^uint64(0)}
	}
	if id, ok := w.files[name]; ok {
		return id
	}
	return smb2.FileID{Persistent: 0x7777, Volatile: 0x7777}
}

// run executes one step and describes the answer.
func (w *world) run(l line) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stepTimeout)
	defer cancel()
	switch l.verb {
	case "compound", "related":
		return w.compound(ctx, l)
	case "wait":
		return w.wait(ctx, l)
	case "cancel":
		ps := w.pending[l.args["id"]]
		if ps.p == nil {
			return "nothing to cancel", nil
		}
		_, err := ps.tree.Session.Start(smb2.Header{Command: smb2.CommandCancel, Flags: smb2.FlagAsync, AsyncID: ps.async, MessageID: ps.p.MessageID}, &smb2.CancelRequest{})
		return "", err
	}
	t := w.tree(l)
	h, body, watch := w.request(l)
	p, err := t.Session.Start(h, body)
	if err != nil {
		return "", err
	}
	ps := pendingStep{p: p, h: h, watch: watch, tree: t}
	if id := l.args["id"]; id != "" { // answered later: only the interim reply is waited for
		m, err := p.Wait(ctx)
		if err != nil {
			return "", err
		}
		if m.Header.Status == ntstatus.Pending {
			ps.async = m.Header.AsyncID
			w.pending[id] = ps
			return "PENDING", nil
		}
		return ps.describe(m), nil
	}
	m, err := p.Final(ctx)
	if err != nil {
		return "", err
	}
	return ps.describe(m), nil
}

// wait looks at the final answer of a step that went on in the background.
func (w *world) wait(ctx context.Context, l line) (string, error) {
	ps := w.pending[l.args["id"]]
	if ps.p == nil {
		return "nothing to wait for", nil
	}
	delete(w.pending, l.args["id"])
	m, err := ps.p.Final(ctx)
	if err != nil {
		return "", err
	}
	return ps.describe(m), nil
}

// compound sends several steps in one frame.
func (w *world) compound(ctx context.Context, l line) (string, error) {
	var parts []rawsmb.Part
	var steps []pendingStep
	for i, e := range l.list {
		h, body, watch := w.request(e)
		if i > 0 && l.verb == "related" {
			h.Flags |= smb2.FlagRelated
		}
		parts = append(parts, rawsmb.Part{Header: h, Body: body})
		steps = append(steps, pendingStep{h: h, watch: watch})
	}
	ps, err := w.tree(l.list[0]).Session.StartCompound(parts...)
	if err != nil {
		return "", err
	}
	out := ""
	for i, p := range ps {
		m, err := p.Final(ctx)
		if err != nil {
			return out, fmt.Errorf("element %d: %w", i+1, err)
		}
		out += fmt.Sprintf("[%d] %s\n", i+1, steps[i].describe(m))
	}
	return out, nil
}

// describe is a reply as text: status, header flags, body.
func (ps pendingStep) describe(m rawsmb.Message) string {
	s := m.Header.Status.Error()
	if m.Header.Command != ps.h.Command {
		s += " as reply to " + m.Header.Command.String()
	}
	if st := m.Header.Status; st.IsError() || st.IsWarning() && st != ntstatus.BufferOverflow {
		if len(m.Bytes) > smb2.HeaderSize && m.Bytes[smb2.HeaderSize] == 49 { // IOCTL may fail with data
			return s + " " + ps.watch(m)
		}
		var e smb2.ErrorResponse
		if err := e.Decode(m.Bytes); err != nil {
			return s + " with a body that is no ERROR response: " + err.Error()
		}
		if len(e.ErrorContexts) > 0 { // 3.1.1's form ([MS-SMB2] 2.2.2.1), which smbd keeps to symlinks
			e.ErrorData = e.ErrorContexts[0].ErrorData
		}
		if len(e.ErrorData) > 1 {
			s += fmt.Sprintf(" data %d bytes", len(e.ErrorData))
		}
		return s
	}
	return s + " " + ps.watch(m)
}
