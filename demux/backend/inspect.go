package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// Inspect is the proof from outside that a backend's smb.conf says what smbproxy
// needs (DESIGN 5): each property is tried out, with tickets of ours, over
// connections of its own. What cannot be seen from outside is said to be so.

// Expectation is what smbproxy's configuration says of a backend.
type Expectation struct {
	User        User // who uses the shares
	Shares      []ExpectedShare
	NetBIOSName string
	MachineSID  string
	MaxRead     uint32 // bytes; likewise the next two
	MaxWrite    uint32
	MaxTransact uint32
}

// ExpectedShare is one share of it.
type ExpectedShare struct {
	Name     string // the backend's
	Volume   string // label
	Serial   uint32
	ReadOnly bool
	Data     bool // files are only read and written there: nothing else is asked of it
}

// Verdict is what a Finding comes to.
type Verdict uint8

// The verdicts.
const (
	Held     Verdict = iota // it is as expected
	Broken                  // it is not
	NotShown                // it could not be seen
)

// Finding is what was found of one property.
type Finding struct {
	Share    string // empty: the backend as a whole
	Property string // in the words of smb.conf(5) where it has any
	Verdict  Verdict
	Detail   string // what was seen, unless it is Held
}

// inspector carries out one Inspect.
type inspector struct {
	p        *Pool
	e        *Expectation
	findings []Finding
}

// errNotShown says that something could not be seen.
var errNotShown = errors.New("not shown")

// Inspect tries out every property. The pool must be running; what it finds does
// not depend on the lanes it has.
func (p *Pool) Inspect(ctx context.Context, e Expectation) []Finding {
	i := &inspector{p: p, e: &e}
	cn, err := p.open(ctx, noLane)
	i.note("", "address, server max protocol", err)
	if err != nil {
		return i.findings
	}
	defer cn.kill(errInspected)
	i.negotiation(ctx, cn)
	i.strangers(ctx)
	s := &session{conn: cn, user: e.User.Name, trees: make(map[string]*treeConnect)}
	err = s.authenticate(ctx)
	i.note("", "realm, dedicated keytab file, the user", err)
	if err != nil {
		return i.findings
	}
	i.encryption(s)
	cn.mu.Lock()
	cn.sessions[s.id] = s // for what comes sealed
	cn.mu.Unlock()
	i.identity(ctx, s)
	for _, share := range e.Shares {
		i.share(ctx, s, share)
	}
	return i.findings
}

// errInspected ends a connection of Inspect's.
var errInspected = errors.New("inspection is over")

// note adds a finding: nil is Held.
func (i *inspector) note(share, property string, err error) {
	f := Finding{Share: share, Property: property}
	switch {
	case errors.Is(err, errNotShown):
		f.Verdict, f.Detail = NotShown, err.Error()
	case err != nil:
		f.Verdict, f.Detail = Broken, err.Error()
	}
	i.findings = append(i.findings, f)
}

// want is nil if a condition holds.
func want(holds bool, format string, args ...any) error {
	if holds {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// ask sends a request in the session, on the share (nil: none), and gives the
// reply's message, whatever status it has.
func (s *session) ask(ctx context.Context, tc *treeConnect, cmd smb2.Command, body smb2.Body, charge uint16) (ntstatus.Status, []byte, error) {
	w := &waiter{done: make(chan struct{})}
	w.Frame, w.CreditCharge = NewRequest(cmd, body, smallBody), charge
	w.session, w.tree, w.unverified = s, tc, s.signer == nil
	h, reply, err := s.conn.wait(ctx, w)
	if err != nil {
		return 0, nil, err
	}
	defer reply.Release()
	return h.Status, slices.Clone(reply.Bytes()), nil
}

// must is ask for what has to succeed; into takes the reply.
func (s *session) must(ctx context.Context, tc *treeConnect, cmd smb2.Command, body smb2.Body, into smb2.Message) error {
	st, msg, err := s.ask(ctx, tc, cmd, body, inspectCharge)
	switch {
	case err != nil:
		return fmt.Errorf("%v: %w", cmd, err)
	case st != ntstatus.Success:
		return fmt.Errorf("%v: %w", cmd, st)
	case into == nil:
		return nil
	}
	return into.Decode(msg)
}

// inspectCharge is for payloads of up to 256 KiB.
const inspectCharge = 4

// inspectTree connects a share in the session.
func (s *session) inspectTree(ctx context.Context, share string) (*treeConnect, error) {
	tc := &treeConnect{session: s, share: share, ready: make(chan struct{}), gone: make(chan struct{})}
	return tc, tc.connect(ctx)
}

// negotiation looks at what NEGOTIATE tells.
func (i *inspector) negotiation(ctx context.Context, cn *connection) {
	cfg := &i.p.cfg
	i.note("", "server min protocol", i.olderDialects(ctx))
	all := cfg.negotiateRequest()
	all.Capabilities = 0x7f // whatever there is: what is not asked for is not offered
	msg, err := i.exchange(ctx, message(smb2.CommandNegotiate, all))
	var resp smb2.NegotiateResponse
	if err == nil {
		err = resp.Decode(msg)
	}
	if err != nil {
		i.note("", "server signing", err)
		return
	}
	i.note("", "server signing", want(resp.SecurityMode&smb2.NegotiateSigningRequired != 0, "it does not insist on signatures"))
	i.note("", "server smb3 signing algorithms", want(cn.neg.signing == cfg.Signing[0], "it signs with %v, not %v", cn.neg.signing, cfg.Signing[0]))
	if cfg.Encrypt {
		i.note("", "server smb3 encryption algorithms", want(cn.neg.cipher == cfg.Ciphers[0], "it encrypts with %v, not %v", cn.neg.cipher, cfg.Ciphers[0]))
	}
	for _, c := range []struct {
		line string
		bit  smb2.Capabilities
	}{
		{"server multi channel support", smb2.GlobalCapMultiChannel}, {"smb2 leases", smb2.GlobalCapLeasing},
		{"host msdfs", smb2.GlobalCapDFS}, {"durable handles, clustering", smb2.GlobalCapPersistentHandles},
	} {
		i.note("", c.line, want(resp.Capabilities&c.bit == 0, "it offers it"))
	}
	for _, m := range []struct {
		line      string
		got, want uint32
	}{
		{"smb2 max read", resp.MaxReadSize, i.e.MaxRead}, {"smb2 max write", resp.MaxWriteSize, i.e.MaxWrite}, {"smb2 max trans", resp.MaxTransactSize, i.e.MaxTransact},
	} {
		i.note("", m.line, want(m.got >= m.want, "%d, less than %d", m.got, m.want))
	}
	i.note("", "the clock", want(time.Until(resp.SystemTime.Time()).Abs() < clockSkew, "it says %v", resp.SystemTime.Time()))
}

// message makes a request whose ids are all zero.
func message(cmd smb2.Command, body smb2.Body) []byte {
	h := smb2.Header{Command: cmd, Credits: 1}
	return body.Append(h.Append(nil))
}

// olderDialects offers all that is older than 3.1.1, SMB1 included.
func (i *inspector) olderDialects(ctx context.Context) error {
	old := i.p.cfg.negotiateRequest()
	old.Dialects = []smb2.Dialect{smb2.Dialect202, smb2.Dialect210, smb2.Dialect300, smb2.Dialect302}
	old.NegotiateContexts = nil
	msg, err := i.exchange(ctx, message(smb2.CommandNegotiate, old))
	if err == nil && len(msg) >= smb2.HeaderSize && smb2.RawStatus(msg) == ntstatus.Success {
		return errors.New("it takes dialects older than 3.1.1")
	}
	smb1 := smb2.SMB1NegotiateRequest{Dialects: []string{"NT LM 0.12"}}
	const dialectIndex = 33 // in SMB_COM_NEGOTIATE's response, [MS-CIFS] 2.2.4.52.2
	msg, err = i.exchange(ctx, smb1.Append(nil))
	if err == nil && len(msg) > dialectIndex+1 && (msg[dialectIndex] != 0xFF || msg[dialectIndex+1] != 0xFF) {
		return errors.New("it speaks SMB1")
	}
	return nil
}

// exchangeLimit is how long an answer that should not come is waited for.
const exchangeLimit = time.Second

// exchange sends one message on a connection of its own and gives the first that
// comes back.
func (i *inspector) exchange(ctx context.Context, msg []byte) (reply []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeLimit)
	defer cancel()
	nc, err := i.p.cfg.Dial(ctx, "tcp", i.p.cfg.Address)
	if err != nil {
		return nil, err
	}
	conn := transport.NewConn(nc, transport.Options{})
	defer conn.Close()
	f := transport.NewFrame(len(msg))
	f.SetBytes(append(f.Bytes(), msg...))
	err = conn.Send(f, nil, 0)
	f.Release()
	if err != nil {
		return nil, err
	}
	_ = conn.Serve(ctx, func(f *transport.Frame) error {
		reply = slices.Clone(f.Bytes())
		return errInspected
	})
	if reply == nil {
		return nil, errors.New("no reply")
	}
	return reply, nil
}

// encryption looks at whether the session is sealed as it should be.
func (i *inspector) encryption(s *session) {
	if i.p.cfg.Encrypt {
		i.note("", "server smb encrypt", want(s.flags&smb2.SessionFlagEncryptData != 0, "it does not insist on encryption"))
	} else {
		i.note("", "server smb encrypt", want(s.flags&smb2.SessionFlagEncryptData == 0, "it encrypts, `client smb encrypt` is off"))
	}
}
