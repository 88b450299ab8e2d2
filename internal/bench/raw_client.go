package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// rawClient is a client of engine raw. One goroutine uses it.
type rawClient struct {
	cfg    *Config
	number int
	random *rand.Rand

	conn     *rawsmb.Conn
	session  *rawsmb.Session
	tree     *rawsmb.Tree
	stream   *rawsmb.Stream
	shared   map[string]*rawsmb.Prepared // requests with a large payload, one for all slots
	position int64                       // of sequential transfers, in blocks

	file, directory smb2.FileID
	slots           []slot
}

// slot is one of the operations in flight.
type slot struct {
	script  script
	id      uint64 // MessageId of what is unanswered
	started time.Time
	waiting *rawsmb.Prepared // not sent for want of credits
	busy    bool
}

func newRawClient(cfg *Config, number int) *rawClient {
	return &rawClient{cfg: cfg, number: number, random: rand.New(rand.NewPCG(1, uint64(number))), shared: map[string]*rawsmb.Prepared{}}
}

// connect logs in and connects to the share.
func (c *rawClient) connect(ctx context.Context) error {
	opt := rawsmb.Options{
		Ciphers: []crypto.Cipher{crypto.CipherAES128GCM, crypto.CipherAES256GCM, crypto.CipherAES128CCM, crypto.CipherAES256CCM},
		Timeout: replyLimit,
	}
	var err error
	if c.conn, err = rawsmb.Dial(ctx, c.cfg.Address, opt); err != nil {
		return err
	}
	u := c.cfg.user(c.number)
	if c.session, err = c.conn.Login(ctx, u.Name, u.Password); err != nil {
		return fmt.Errorf("log in as %s: %w", u.Name, err)
	}
	switch c.cfg.Protection {
	case Sign:
		c.session.Sign = true
	case Seal:
		if c.conn.Cipher == crypto.CipherNone {
			return errors.New("the server knows no encryption")
		}
		c.session.Seal = true
	case Plain:
	}
	signs := c.session.Sign
	c.session.Sign = true // [MS-SMB2] 3.2.4.1.1: TREE_CONNECT in 3.1.1 always
	if c.tree, err = c.session.TreeConnect(c.cfg.Share); err != nil {
		return fmt.Errorf("connect to share %s: %w", c.cfg.Share, err)
	}
	c.session.Sign = signs
	if c.tree.Resp.ShareFlags&smb2.ShareFlagEncryptData != 0 {
		c.session.Seal = true
	}
	w := Workloads[c.cfg.Workload]
	c.stream, err = c.session.Stream(min(8000, 8+c.cfg.Depth*int(smb2.CreditCharge(max(c.cfg.Block, w.block)))))
	return err
}

// protected says what was agreed on, for the report.
func (c *rawClient) protected() string {
	switch {
	case c.session.Seal:
		return "sealed " + c.conn.Cipher.String()
	case c.session.Sign:
		return "signed " + c.conn.SigningAlgorithm.String()
	}
	return "plain"
}

// dialect is the negotiated one.
func (c *rawClient) dialect() string { return c.conn.Resp.DialectRevision.String() }

func (c *rawClient) fileName() string { return c.cfg.file(c.number) }

// prepare opens the files and makes the scripts.
func (c *rawClient) prepare(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = c.stream.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	w := Workloads[c.cfg.Workload]
	if c.cfg.Workload != "echo" && c.cfg.Workload != idle {
		var err error
		if c.directory, _, err = c.open(smb2.CreateRequest{Name: c.cfg.directory(c.number), DesiredAccess: smb2.FileReadData | smb2.FileReadAttributes,
			CreateDisposition: smb2.FileOpenIf, CreateOptions: smb2.FileDirectoryFile}); err != nil {
			return fmt.Errorf("directory %s: %w", c.cfg.directory(c.number), err)
		}
	}
	if w.file {
		var size int64
		var err error
		if c.file, size, err = c.open(smb2.CreateRequest{Name: c.fileName(), DesiredAccess: smb2.FileReadData | smb2.FileWriteData | smb2.FileReadAttributes,
			CreateDisposition: smb2.FileOpenIf, CreateOptions: smb2.FileNonDirectoryFile}); err != nil {
			return fmt.Errorf("file %s: %w", c.fileName(), err)
		}
		if err := c.fill(size); err != nil {
			return fmt.Errorf("write %s: %w", c.fileName(), err)
		}
	}
	c.slots = make([]slot, c.cfg.Depth)
	for i := range c.slots {
		c.slots[i].script = w.script(c, i)
	}
	return nil
}

// open sends a CREATE with all sharing and gives FileId and size.
func (c *rawClient) open(req smb2.CreateRequest) (smb2.FileID, int64, error) {
	req.ShareAccess, req.ImpersonationLevel = shareAll, smb2.ImpersonationImpersonation
	m, err := c.call(c.tree.Prepare(smb2.CommandCreate, &req, 0))
	if err != nil {
		return smb2.FileID{}, 0, err
	}
	if err := want(m, smb2.CommandCreate, 88); err != nil {
		return smb2.FileID{}, 0, err
	}
	return smb2.RawFileID(m, createFileID), int64(binary.LittleEndian.Uint64(m[createEnd:])), nil
}

// fill writes the file from its end on to FileSize.
func (c *rawClient) fill(size int64) error {
	if Workloads[c.cfg.Workload].block == 0 {
		return nil // nobody reads it
	}
	const piece = 1 << 20
	for off := size &^ (piece - 1); size < c.cfg.FileSize && off < c.cfg.FileSize; off += piece {
		n := int(min(piece, c.cfg.FileSize-off))
		key := fmt.Sprint("fill", n)
		p := c.shared[key]
		if p == nil {
			p = c.tree.Prepare(smb2.CommandWrite, &smb2.WriteRequest{FileID: c.file, Data: pattern(n)}, n)
			c.shared[key] = p
		}
		p.SetUint64(transferOffset, uint64(off))
		m, err := c.call(p)
		if err != nil {
			return err
		}
		if err := want(m, smb2.CommandWrite, 16); err != nil {
			return err
		}
	}
	for key := range c.shared {
		delete(c.shared, key) // the memory
	}
	return nil
}

// replyLimit is how long a reply may take before the client gives up.
const replyLimit = 60 * time.Second

// call sends one request and takes its reply, when nothing else is in flight.
func (c *rawClient) call(p *rawsmb.Prepared) ([]byte, error) {
	if err := c.obtain(p.Charge()); err != nil {
		return nil, err
	}
	if _, err := c.stream.Send(p); err != nil {
		return nil, err
	}
	return c.stream.Receive()
}

// obtain gets credits by ECHO until there are n: servers grant little by little.
func (c *rawClient) obtain(n int) error {
	echo := c.session.Prepare(smb2.CommandEcho, &smb2.EchoRequest{})
	for last := -1; c.stream.Credits() < n; {
		if c.stream.Credits() <= last {
			return fmt.Errorf("the server grants %d credits, a request costs %d", last, n)
		}
		last = c.stream.Credits()
		if _, err := c.stream.Send(echo); err != nil {
			return err
		}
		m, err := c.stream.Receive()
		if err != nil {
			return err
		}
		if err := want(m, smb2.CommandEcho, 4); err != nil {
			return err
		}
	}
	return nil
}

// work runs operations until the clock says stop, also because ctx has ended, and takes the last replies.
func (c *rawClient) work(ctx context.Context, clock *clock, tally *tally) error {
	if err := c.stream.SetDeadline(clock.end.Add(replyLimit)); err != nil {
		return err
	}
	if c.cfg.Workload == idle {
		return c.rest(ctx, clock, tally)
	}
	flying := 0
	now := time.Now()
	for i := range c.slots {
		s := &c.slots[i]
		if err := c.obtainIfAlone(flying, s.begin(now)); err != nil {
			return err
		}
		if err := c.send(s, s.waiting, &flying); err != nil {
			return err
		}
	}
	for flying > 0 {
		m, err := c.stream.Receive()
		if err != nil {
			return err
		}
		s := c.answered(smb2.RawMessageID(m))
		if s == nil {
			return fmt.Errorf("reply to message %d, which is not in flight", smb2.RawMessageID(m))
		}
		flying--
		p, err := s.script.next(m)
		if err != nil {
			return err
		}
		if p == nil {
			now = time.Now()
			tally.add(clock, now, now.Sub(s.started), s.script.bytes())
			if s.busy = !clock.over(now, tally); s.busy {
				p = s.begin(now)
			}
		}
		if p != nil {
			if err := c.send(s, p, &flying); err != nil {
				return err
			}
		}
		if err := c.sendWaiting(&flying); err != nil {
			return err
		}
	}
	return nil
}

// rest does nothing until the clock's end and then shows that the session is alive.
func (c *rawClient) rest(ctx context.Context, clock *clock, tally *tally) error {
	if clock.operations == 0 {
		timer := time.NewTimer(time.Until(clock.end))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	start := time.Now()
	m, err := c.call(c.slots[0].script.first())
	if err == nil {
		err = want(m, smb2.CommandEcho, 4)
	}
	if err == nil {
		tally.add(clock, clock.begin, time.Since(start), 0)
	}
	return err
}

// begin starts an operation.
func (s *slot) begin(now time.Time) *rawsmb.Prepared {
	s.started, s.busy = now, true
	s.waiting = s.script.first()
	return s.waiting
}

// obtainIfAlone gets credits where no reply is on its way that could bring some.
func (c *rawClient) obtainIfAlone(flying int, p *rawsmb.Prepared) error {
	if flying > 0 {
		return nil
	}
	return c.obtain(p.Charge())
}

// answered is the slot that waits for a reply.
func (c *rawClient) answered(id uint64) *slot {
	for i := range c.slots {
		if s := &c.slots[i]; s.busy && s.waiting == nil && s.id == id {
			return s
		}
	}
	return nil
}

// send sends a slot's request, or keeps it until there are credits.
func (c *rawClient) send(s *slot, p *rawsmb.Prepared, flying *int) error {
	s.waiting = p
	if !c.stream.Affords(p) {
		return nil
	}
	s.waiting = nil
	*flying++
	id, err := c.stream.Send(p)
	s.id = id
	return err
}

// sendWaiting sends what had no credits before.
func (c *rawClient) sendWaiting(flying *int) error {
	if c.stream.Credits() == 0 {
		return nil
	}
	for i := range c.slots {
		s := &c.slots[i]
		if s.waiting == nil {
			continue
		}
		if err := c.obtainIfAlone(*flying, s.waiting); err != nil {
			return err
		}
		if err := c.send(s, s.waiting, flying); err != nil {
			return err
		}
	}
	return nil
}

// clean closes what is open and deletes the client's file.
func (c *rawClient) clean() error {
	if err := c.stream.SetDeadline(time.Now().Add(replyLimit)); err != nil {
		return err
	}
	for _, id := range []smb2.FileID{c.directory, c.file} {
		if id != (smb2.FileID{}) {
			if err := c.closeFile(id); err != nil {
				return err
			}
		}
	}
	if c.file == (smb2.FileID{}) {
		return nil
	}
	return c.remove(c.fileName(), smb2.FileNonDirectoryFile)
}

// closeFile sends a CLOSE.
func (c *rawClient) closeFile(id smb2.FileID) error {
	m, err := c.call(c.tree.Prepare(smb2.CommandClose, &smb2.CloseRequest{FileID: id}, 0))
	if err != nil {
		return err
	}
	return want(m, smb2.CommandClose, 60)
}

// cleanDirectory deletes the directory if it is empty.
func (c *rawClient) cleanDirectory() error {
	err := c.remove(c.cfg.directory(c.number), smb2.FileDirectoryFile)
	if errors.Is(err, ntstatus.DirectoryNotEmpty) || errors.Is(err, ntstatus.ObjectNameNotFound) {
		return nil
	}
	return err
}

func (c *rawClient) remove(name string, kind smb2.CreateOptions) error {
	id, _, err := c.open(smb2.CreateRequest{Name: name, DesiredAccess: smb2.Delete, CreateDisposition: smb2.FileOpen,
		CreateOptions: kind | smb2.FileDeleteOnClose})
	if err != nil {
		return err
	}
	return c.closeFile(id)
}

// close ends the connection; the server closes what is open.
func (c *rawClient) close() {
	switch {
	case c.stream != nil:
		_ = c.stream.Close() // nothing is left to lose
	case c.conn != nil:
		c.conn.Close()
	}
}
