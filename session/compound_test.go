package session

import (
	"slices"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// related is what a related request names as its file.
var related = smb2.RelatedFileID

// element is one request of a compound.
type element struct {
	cmd     smb2.Command
	body    smb2.Body
	related bool
	edit    func(*smb2.Header)
	want    ntstatus.Status
}

// TestCompound runs compounds and looks at statuses, layout, signatures and credits. The statuses are those that
// smbtorture's smb2.compound wants of Samba.
func TestCompound(t *testing.T) {
	noSession := func(h *smb2.Header) { h.SessionID = ^uint64(0) }
	other := smb2.FileID{Persistent: 7, Volatile: 99}
	create := func(name string, st ntstatus.Status) element {
		return element{cmd: smb2.CommandCreate, body: createRequest(name), want: st}
	}
	rel := func(cmd smb2.Command, body smb2.Body, st ntstatus.Status) element {
		return element{cmd: cmd, body: body, related: true, want: st}
	}
	plain := func(cmd smb2.Command, body smb2.Body, st ntstatus.Status) element {
		return element{cmd: cmd, body: body, want: st}
	}
	const ok = ntstatus.Success
	for name, list := range map[string][]element{
		"create read close":     {create("a", ok), rel(smb2.CommandRead, readRequest(related, 3), ok), rel(smb2.CommandClose, closeRequest(related), ok)},
		"file of the chain":     {create("a", ok), rel(smb2.CommandRead, readRequest(other, 3), ok)},
		"unrelated":             {plain(smb2.CommandEcho, echoRequest, ok), plain(smb2.CommandRead, readRequest(other, 1), ok), plain(smb2.CommandEcho, echoRequest, ok)},
		"id of the first":       {plain(smb2.CommandRead, readRequest(other, 1), ok), rel(smb2.CommandClose, closeRequest(related), ok)},
		"create fails":          {create("denied", ntstatus.AccessDenied), rel(smb2.CommandRead, readRequest(related, 3), ntstatus.AccessDenied), rel(smb2.CommandClose, closeRequest(related), ntstatus.AccessDenied)},
		"create fails, another": {create("denied", ntstatus.AccessDenied), rel(smb2.CommandCreate, createRequest("a"), ok), rel(smb2.CommandClose, closeRequest(related), ok)},
		"no file":               {plain(smb2.CommandRead, readRequest(related, 3), ntstatus.FileClosed), rel(smb2.CommandClose, closeRequest(related), ntstatus.FileClosed)},
		"related first": {
			rel(smb2.CommandCreate, createRequest("a"), ntstatus.InvalidParameter), rel(smb2.CommandClose, closeRequest(related), ntstatus.InvalidParameter),
			plain(smb2.CommandClose, closeRequest(related), ntstatus.FileClosed),
		},
		"ids of the chain": {
			create("a", ok),
			{cmd: smb2.CommandClose, body: closeRequest(related), related: true, edit: func(h *smb2.Header) { noSession(h); h.TreeID = noTree }, want: ok},
			{cmd: smb2.CommandClose, body: closeRequest(related), edit: noSession, want: ntstatus.UserSessionDeleted},
			{cmd: smb2.CommandClose, body: closeRequest(related), related: true, edit: noSession, want: ntstatus.InvalidParameter},
		},
		"related after unrelated": {create("a", ok), plain(smb2.CommandClose, closeRequest(related), ntstatus.FileClosed), rel(smb2.CommandClose, closeRequest(related), ntstatus.FileClosed)},
		"unknown command":         {plain(smb2.CommandRead, readRequest(other, 1), ok), rel(0xff, rawBody{4, 0, 0, 0}, ntstatus.InvalidParameter)},
		"tree made in the chain": {
			plain(smb2.CommandTreeConnect, &smb2.TreeConnectRequest{Path: "x"}, ok), rel(smb2.CommandCreate, createRequest("a"), ok),
			rel(smb2.CommandTreeDisconnect, echoRequest, ok), rel(smb2.CommandClose, closeRequest(related), ntstatus.NetworkNameDeleted),
		},
	} {
		for _, sealed := range []bool{false, true} {
			if sealed && slices.ContainsFunc(list, func(e element) bool { return e.edit != nil && !e.related }) {
				continue // another session inside ends a sealed connection
			}
			t.Run(name, func(t *testing.T) {
				ts := serve(t, func(cfg *Config) { cfg.SigningRequired = true })
				c := ts.dial(t, smb2.Dialect311)
				c.credits = 10
				c.mustNegotiate()
				c.mustSetup("anna")
				c.tree("share")
				c.seal = sealed
				checkCompound(t, c, list)
			})
		}
	}
}

// checkCompound sends one compound and checks the one that comes back.
func checkCompound(t *testing.T, c *client, list []element) {
	t.Helper()
	var msgs [][]byte
	for _, e := range list {
		h := c.header(e.cmd)
		if e.related {
			h.Flags |= smb2.FlagRelated
		}
		if e.edit != nil {
			e.edit(&h)
		}
		msgs = append(msgs, e.body.Append(h.Append(nil)))
	}
	c.write(c.compound(false, msgs...))
	f := c.mustRead()
	if len(f.msgs) != len(list) {
		t.Fatalf("got %d replies, want %d", len(f.msgs), len(list))
	}
	if f.sealed != c.seal {
		t.Errorf("reply sealed %v, want %v", f.sealed, c.seal)
	}
	for i, h := range f.hdrs {
		if h.Status != list[i].want {
			t.Errorf("reply %d to %v: got %v, want %v", i, h.Command, h.Status, list[i].want)
		}
		if len(f.msgs[i])%8 != 0 {
			t.Errorf("reply %d has %d bytes, not padded", i, len(f.msgs[i]))
		}
		if got := h.Flags&smb2.FlagRelated != 0; got != list[i].related {
			t.Errorf("reply %d: related %v, want %v", i, got, list[i].related)
		}
		if h.Status == ntstatus.Success && h.SessionID != c.sessionID {
			t.Errorf("reply %d: session %x, want %x", i, h.SessionID, c.sessionID)
		}
		if signed := h.Flags&smb2.FlagSigned != 0; !c.seal && h.Status == ntstatus.Success && !signed {
			t.Errorf("reply %d is not signed", i)
		}
		if last := i == len(list)-1; (h.Credits > 0) != last {
			t.Errorf("reply %d grants %d credits; all belong into the last", i, h.Credits)
		}
	}
}

// TestCompoundWaits: a request that another goroutine ends holds up the compound, not the connection; the frame is
// kept.
func TestCompoundWaits(t *testing.T) {
	ts := serve(t, nil)
	c := ts.login(t, smb2.Dialect311, "anna")
	c.credits = 10
	c.tree("share")
	create := createRequest("a").Append(hdr(c, smb2.CommandCreate))
	flush := flushRequest(related).Append(hdr(c, smb2.CommandFlush))
	read := readRequest(related, 1).Append(hdr(c, smb2.CommandRead))
	id := byte(smb2.RawMessageID(create))
	c.write(c.compound(true, create, flush, read))
	r := <-ts.held
	c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
	go r.Reply(ntstatus.Success, &smb2.FlushResponse{})
	f := c.mustRead()
	if len(f.msgs) != 3 || f.hdrs[2].Status != ntstatus.Success || f.msgs[2][80] != id {
		t.Fatalf("got %d replies, the last %v", len(f.msgs), f.hdrs[len(f.hdrs)-1].Status)
	}
}

// hdr is a header in bytes.
func hdr(c *client, cmd smb2.Command) []byte {
	h := c.header(cmd)
	return h.Append(nil)
}

// TestCompoundInterim: the last request may go pending, and then what was done before leaves first.
func TestCompoundInterim(t *testing.T) {
	ts := serve(t, nil)
	c := ts.login(t, smb2.Dialect311, "anna")
	c.credits = 10
	c.tree("share")
	create := createRequest("a").Append(hdr(c, smb2.CommandCreate))
	notify := notifyRequest(related).Append(hdr(c, smb2.CommandChangeNotify))
	c.write(c.compound(true, create, notify))
	f := c.mustRead()
	if len(f.msgs) != 1 || f.hdrs[0].Command != smb2.CommandCreate || f.hdrs[0].Status != ntstatus.Success {
		t.Fatalf("first frame: %d replies, %v %v", len(f.msgs), f.hdrs[0].Command, f.hdrs[0].Status)
	}
	f = c.mustRead()
	if h := f.hdrs[0]; h.Status != ntstatus.Pending || h.Flags&smb2.FlagAsync == 0 || h.Credits == 0 {
		t.Fatalf("interim: %v flags %x credits %d", h.Status, h.Flags, h.Credits)
	}
	c.cancelAsync(f.hdrs[0].AsyncID)
	if h := c.mustRead().hdrs[0]; h.Status != ntstatus.Cancelled || h.Flags&smb2.FlagAsync == 0 || h.Credits != 0 {
		t.Fatalf("final: %v flags %x credits %d", h.Status, h.Flags, h.Credits)
	}
}

// TestCompoundInterimInMiddle: a CREATE in the middle may go pending; a CHANGE_NOTIFY there is refused ([MS-SMB2] 3.3.4.2).
func TestCompoundInterimInMiddle(t *testing.T) {
	ts := serve(t, nil)
	c := ts.login(t, smb2.Dialect311, "anna")
	c.credits = 10
	c.tree("share")
	wait := createRequest("wait").Append(hdr(c, smb2.CommandCreate))
	cl := closeRequest(related).Append(hdr(c, smb2.CommandClose))
	c.write(c.compound(true, wait, cl))
	if h := c.mustRead().hdrs[0]; h.Status != ntstatus.Pending {
		t.Fatalf("interim: %v", h.Status)
	}
	testOpen(<-ts.held)
	f := c.mustRead()
	if len(f.msgs) != 2 || f.hdrs[0].Flags&smb2.FlagAsync == 0 || f.hdrs[1].Status != ntstatus.Success {
		t.Fatalf("final: %d replies, flags %x", len(f.msgs), f.hdrs[0].Flags)
	}

	create := createRequest("a").Append(hdr(c, smb2.CommandCreate))
	notify := notifyRequest(related).Append(hdr(c, smb2.CommandChangeNotify))
	cl = closeRequest(related).Append(hdr(c, smb2.CommandClose))
	c.write(c.compound(true, create, notify, cl))
	f = c.mustRead()
	if len(f.msgs) != 3 || f.hdrs[1].Status != ntstatus.InternalError || f.hdrs[2].Status != ntstatus.Success {
		t.Fatalf("got %d replies, the second %v", len(f.msgs), f.hdrs[1].Status)
	}
}

// TestCompoundBroken: a NextCommand that leads nowhere ends the connection.
func TestCompoundBroken(t *testing.T) {
	for name, next := range map[string]uint32{"unaligned": 76, "into the header": 8, "outside": 4096, "no room for a header": 120} {
		t.Run(name, func(t *testing.T) {
			ts := serve(t, nil)
			c := ts.login(t, smb2.Dialect311, "anna")
			c.credits = 10
			c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
			b := c.compound(false, echoRequest.Append(hdr(c, smb2.CommandEcho)), echoRequest.Append(hdr(c, smb2.CommandEcho)))
			smb2.SetRawNextCommand(b, next)
			c.write(b)
			c.gone()
		})
	}
}
