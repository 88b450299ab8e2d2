package statedb

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/statedb/core"
)

// linearOp is one operation of a history: what a client asked, and was told.
type linearOp struct {
	kind   string // open, close, lock, unlock, read
	file   uint64
	open   core.OpenID
	access smb2.AccessMask
	share  smb2.ShareAccess
	offset uint64
	excl   bool
}

// linearFile is a file as the sequential model sees it, as a sorted list of facts: an open
// is "o id access share", a lock "l id offset excl" of one byte.
type linearFile string

func (f linearFile) facts() []string {
	if f == "" {
		return nil
	}
	return strings.Split(string(f), ";")
}

func join(list []string) linearFile {
	sort.Strings(list)
	return linearFile(strings.Join(list, ";"))
}

// step is the model: whether the operation may have that outcome now, and what follows.
func (f linearFile) step(op linearOp, st ntstatus.Status) (bool, linearFile) {
	list := f.facts()
	switch op.kind {
	case "open":
		clash := false
		for _, x := range list {
			var id, access, share uint32
			if n, _ := fmt.Sscanf(x, "o %d %d %d", &id, &access, &share); n != 3 {
				continue
			}
			clash = clash || uint32(op.access)&^share != 0 || access&^uint32(op.share) != 0
		}
		if clash {
			return st == ntstatus.SharingViolation, f
		}
		return st == ntstatus.Success, join(append(list, fmt.Sprintf("o %d %d %d", uint32(op.open), op.access, op.share)))
	case "close":
		id := fmt.Sprintf(" %d ", uint32(op.open))
		return st == ntstatus.Success, join(slices.DeleteFunc(list, func(x string) bool { return strings.HasPrefix(x[1:], id) }))
	case "unlock":
		mine := fmt.Sprintf("l %d %d ", uint32(op.open), op.offset)
		i := slices.Index(list, mine+"true") // of two of one open the exclusive one goes first
		if i < 0 {
			i = slices.Index(list, mine+"false")
		}
		if i < 0 {
			return st == ntstatus.RangeNotLocked, f
		}
		return st == ntstatus.Success, join(slices.Delete(list, i, i+1))
	}
	conflict := false
	for _, x := range list {
		var id uint32
		var offset uint64
		var excl bool
		if n, _ := fmt.Sscanf(x, "l %d %d %t", &id, &offset, &excl); n != 3 || offset != op.offset {
			continue
		}
		if op.kind == "lock" {
			conflict = conflict || op.excl || excl && id != uint32(op.open)
		} else {
			conflict = conflict || excl && id != uint32(op.open)
		}
	}
	if op.kind == "read" {
		return st == ntstatus.Success && !conflict || st == ntstatus.FileLockConflict && conflict, f
	}
	if st == ntstatus.LockNotGranted {
		return conflict, f
	}
	return st == ntstatus.Success && !conflict, join(append(list, fmt.Sprintf("l %d %d %t", uint32(op.open), op.offset, op.excl)))
}

// linearModel is porcupine's view of it, a history per file.
var linearModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		by := map[uint64][]porcupine.Operation{}
		for _, o := range history {
			f := o.Input.(linearOp).file
			by[f] = append(by[f], o)
		}
		for _, p := range by {
			parts = append(parts, p)
		}
		return parts
	},
	Init: func() any { return linearFile("") },
	Step: func(state, in, out any) (bool, any) {
		ok, next := state.(linearFile).step(in.(linearOp), out.(ntstatus.Status))
		return ok, next
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %v", in, out) },
}

// linearClient is one client: it opens, locks, reads, unlocks and closes at random, and
// notes what it was told.
type linearClient struct {
	o       *Owner
	rng     *rand.Rand
	id      int
	start   time.Time
	history []porcupine.Operation
	opens   []linearOp
	hints   map[core.OpenID]*core.Hint
}

func (c *linearClient) note(op linearOp, call time.Time, st ntstatus.Status) {
	c.history = append(c.history, porcupine.Operation{
		ClientId: c.id, Input: op, Output: st,
		Call: int64(call.Sub(c.start)), Return: int64(time.Since(c.start)),
	})
}

func (c *linearClient) step(t *testing.T) {
	if len(c.opens) == 0 || c.rng.IntN(4) == 0 {
		op := linearOp{kind: "open", file: c.rng.Uint64N(2) + 1, open: c.o.NewOpenID(), access: smb2.AccessMask(c.rng.Uint32N(3) + 1), share: smb2.ShareAccess(c.rng.Uint32N(4))}
		if c.rng.IntN(3) > 0 {
			op.share = 3
		}
		cmd := openCommand(c.o, uint64(c.id+1), op.file)
		cmd.ID, cmd.Access, cmd.Share = op.open, op.access, op.share
		call := time.Now()
		r := c.o.Do(t.Context(), cmd, nil)
		c.note(op, call, r.Status)
		if r.Status == ntstatus.Success {
			c.opens = append(c.opens, op)
			c.hints[op.open] = r.Hint
		}
		return
	}
	i := c.rng.IntN(len(c.opens))
	op := c.opens[i]
	op.offset, op.excl = c.rng.Uint64N(2), c.rng.IntN(2) == 0
	var st ntstatus.Status
	call := time.Now()
	switch c.rng.IntN(5) {
	case 0:
		op.kind = "close"
		st = c.o.Do(t.Context(), &core.Close{Open: op.open}, nil).Status
		c.opens = slices.Delete(c.opens, i, i+1)
	case 1:
		op.kind = "unlock"
		st = c.lock(t, op, core.LockUnlock)
	case 2:
		op.kind = "read"
		st = c.o.CheckIO(op.open, c.hints[op.open], op.offset, 1, false)
	default:
		op.kind = "lock"
		flags := core.LockShared
		if op.excl {
			flags = core.LockExclusive
		}
		st = c.lock(t, op, flags|core.LockFailImmediately)
	}
	c.note(op, call, st)
}

func (c *linearClient) lock(t *testing.T, op linearOp, flags uint32) ntstatus.Status {
	return c.o.Do(t.Context(), &core.Lock{
		Req: c.o.NewRequestID(), Open: op.open,
		Locks: []smb2.LockElement{{Offset: op.offset, Length: 1, Flags: flags}},
	}, nil).Status
}

// TestLinearizable: what concurrent clients are told about share modes and locks is what
// one after the other could have been told.
func TestLinearizable(t *testing.T) {
	for seed := range uint64(20) {
		o, stop := start(t, Config{})
		begin := time.Now()
		clients := make([]*linearClient, 5)
		var wg sync.WaitGroup
		for i := range clients {
			c := &linearClient{o: o, rng: rand.New(rand.NewPCG(seed, uint64(i))), id: i, start: begin, hints: map[core.OpenID]*core.Hint{}}
			clients[i] = c
			wg.Go(func() {
				for range 60 {
					c.step(t)
				}
			})
		}
		wg.Wait()
		stop()
		var history []porcupine.Operation
		for _, c := range clients {
			history = append(history, c.history...)
		}
		switch porcupine.CheckOperationsTimeout(linearModel, history, 20*time.Second) {
		case porcupine.Ok:
		case porcupine.Illegal:
			t.Fatalf("seed %d: the history of %d operations is not linearizable", seed, len(history))
		case porcupine.Unknown:
			t.Fatalf("seed %d: not decided in time", seed)
		}
	}
}

// TestBlockingLocks: those who wait for an exclusive lock have it one at a time, and all
// get it.
func TestBlockingLocks(t *testing.T) {
	o, _ := start(t, Config{})
	var mu sync.Mutex
	var wg sync.WaitGroup
	holders, grants := 0, 0
	for i := range 8 {
		cmd := openCommand(o, uint64(i+1), 1)
		if r := o.Do(t.Context(), cmd, nil); r.Status != 0 {
			t.Fatal(r.Status)
		}
		c := &linearClient{o: o}
		op := linearOp{open: cmd.ID}
		wg.Go(func() {
			for range 200 {
				if st := c.lock(t, op, core.LockExclusive); st != ntstatus.Success {
					t.Errorf("lock: %v", st)
				}
				mu.Lock()
				holders++
				if holders != 1 {
					t.Errorf("%d hold the lock", holders)
				}
				grants++
				holders--
				mu.Unlock()
				if st := c.lock(t, op, core.LockUnlock); st != ntstatus.Success {
					t.Errorf("unlock: %v", st)
				}
			}
		})
	}
	wg.Wait()
	if grants != 8*200 {
		t.Errorf("%d grants", grants)
	}
}
