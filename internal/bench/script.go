package bench

import (
	"encoding/binary"
	"fmt"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// script is one operation at a time of one of a client's slots.
type script interface {
	// first begins an operation.
	first() *rawsmb.Prepared
	// next takes the reply to the request before and gives the following one, nil when the operation has ended.
	next(reply []byte) (*rawsmb.Prepared, error)
	// bytes is what the last operation moved.
	bytes() int
}

// Where fields lie in requests and replies, from the header's start ([MS-SMB2] 2.2.14, 2.2.15, 2.2.17 to 2.2.22,
// 2.2.26, 2.2.33, 2.2.37).
const (
	transferOffset = 72  // READ, WRITE: Offset
	transferFileID = 80  // READ, WRITE: FileId
	replyLength    = 68  // READ reply: DataLength; WRITE reply: Count
	createFileID   = 128 // CREATE reply: FileId
	createEnd      = 112 // CREATE reply: EndofFile
	closeFileID    = 72
	lockFlags      = 104 // LOCK: Flags of the first element
	queryFileID    = 88  // QUERY_INFO: FileId
)

// want checks that a reply says success and is long enough to be what it should.
func want(reply []byte, cmd smb2.Command, length int) error {
	if st := smb2.RawStatus(reply); st != ntstatus.Success {
		return fmt.Errorf("%v: %w", cmd, st)
	}
	if got := smb2.RawCommand(reply); got != cmd || len(reply) < smb2.HeaderSize+length {
		return fmt.Errorf("reply to %v: %v of %d bytes", cmd, got, len(reply))
	}
	return nil
}

// transfer is one READ or WRITE.
type transfer struct {
	c      *rawClient
	cmd    smb2.Command
	p      *rawsmb.Prepared
	random bool
	block  int
	at     *int64 // the client's sequential position, of all its slots
}

func (c *rawClient) transfer(cmd smb2.Command, random bool) script {
	return c.transferOf(cmd, random, c.cfg.Block)
}

// transferOf makes a transfer; slots share the request, whose payload is large.
func (c *rawClient) transferOf(cmd smb2.Command, random bool, block int) *transfer {
	t := &transfer{c: c, cmd: cmd, random: random, block: block, at: &c.position}
	key := fmt.Sprint(cmd, block)
	if t.p = c.shared[key]; t.p == nil {
		if cmd == smb2.CommandRead {
			t.p = c.tree.Prepare(cmd, &smb2.ReadRequest{Length: uint32(block), MinimumCount: uint32(block), FileID: c.file}, block)
		} else {
			t.p = c.tree.Prepare(cmd, &smb2.WriteRequest{Data: pattern(block), FileID: c.file}, block)
		}
		c.shared[key] = t.p
	}
	return t
}

// pattern is n bytes that do not compress to nothing.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func (t *transfer) first() *rawsmb.Prepared {
	blocks := t.c.cfg.FileSize / int64(t.block)
	var off int64
	if t.random {
		off = t.c.random.Int64N(blocks) * int64(t.block)
	} else {
		off = *t.at % blocks * int64(t.block)
		*t.at++
	}
	t.p.SetUint64(transferOffset, uint64(off))
	return t.p
}

func (t *transfer) next(reply []byte) (*rawsmb.Prepared, error) {
	if err := want(reply, t.cmd, 8); err != nil {
		return nil, err
	}
	if n := binary.LittleEndian.Uint32(reply[replyLength:]); int(n) != t.block {
		return nil, fmt.Errorf("%v of %d bytes moved %d", t.cmd, t.block, n)
	}
	return nil, nil
}

func (t *transfer) bytes() int { return t.block }

// one is an operation of a single request that moves no data.
type one struct {
	cmd smb2.Command
	p   *rawsmb.Prepared
}

func (o *one) first() *rawsmb.Prepared { return o.p }

func (o *one) next(reply []byte) (*rawsmb.Prepared, error) { return nil, want(reply, o.cmd, 2) }

func (o *one) bytes() int { return 0 }

func (c *rawClient) echo() script {
	return &one{smb2.CommandEcho, c.session.Prepare(smb2.CommandEcho, &smb2.EchoRequest{})}
}

func (c *rawClient) list() script {
	return &one{smb2.CommandQueryDirectory, c.tree.Prepare(smb2.CommandQueryDirectory, &smb2.QueryDirectoryRequest{
		FileInformationClass: smb2.FileIdBothDirectoryInformation, Flags: smb2.QueryDirectoryRestartScans,
		FileID: c.directory, FileName: "*", OutputBufferLength: 64 << 10}, 64<<10)}
}

// lockUnlock is LOCK of a slot's own bytes and their unlock.
type lockUnlock struct {
	p        *rawsmb.Prepared
	unlocked bool
}

func (c *rawClient) lockUnlock(slot int) script {
	return &lockUnlock{p: c.tree.Prepare(smb2.CommandLock, &smb2.LockRequest{FileID: c.file,
		Locks: []smb2.LockElement{{Offset: uint64(slot) * 16, Length: 16}}}, 0)}
}

func (l *lockUnlock) first() *rawsmb.Prepared {
	l.unlocked = false
	l.p.SetUint64(lockFlags, uint64(smb2.LockFlagExclusiveLock|smb2.LockFlagFailImmediately))
	return l.p
}

func (l *lockUnlock) next(reply []byte) (*rawsmb.Prepared, error) {
	if err := want(reply, smb2.CommandLock, 4); err != nil || l.unlocked {
		return nil, err
	}
	l.unlocked = true
	l.p.SetUint64(lockFlags, uint64(smb2.LockFlagUnlock))
	return l.p, nil
}

func (l *lockUnlock) bytes() int { return 0 }

// mix chooses a script for each operation.
type mix struct {
	c       *rawClient
	scripts []script
	current script
}

// mix has a script for each tenth of the load.
func (c *rawClient) mix(slot int) script {
	small, large := c.transferOf(smb2.CommandRead, true, c.cfg.Block), c.transferOf(smb2.CommandRead, true, int(min(64<<10, c.cfg.FileSize)))
	write := c.transferOf(smb2.CommandWrite, true, c.cfg.Block)
	return &mix{c: c, scripts: []script{small, small, small, small, write, large,
		c.openClose(nil), c.openClose(c.queryInfo()), c.list(), c.lockUnlock(slot)}}
}

func (m *mix) first() *rawsmb.Prepared {
	m.current = m.scripts[m.c.random.IntN(len(m.scripts))]
	return m.current.first()
}

func (m *mix) next(reply []byte) (*rawsmb.Prepared, error) { return m.current.next(reply) }

func (m *mix) bytes() int { return m.current.bytes() }
