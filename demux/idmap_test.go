package demux

import (
	"errors"
	"sync"
	"testing"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/statedb/core"
)

// newTestSession makes a clientSession with one tree and nothing behind it.
func newTestSession(d *Demux) (*clientSession, *tree) {
	cs := &clientSession{demux: d, opens: map[uint64]*open{}}
	return cs, &tree{demux: d, session: cs}
}

func TestIDsAreOfOneSession(t *testing.T) {
	d := &Demux{}
	a, treeA := newTestSession(d)
	b, treeB := newTestSession(d)
	seen := map[smb2.FileID]bool{}
	var opens []*open
	for i := range 100 {
		cs, tr := a, treeA
		if i%2 == 1 {
			cs, tr = b, treeB
		}
		o := &open{tree: tr, state: core.OpenID(7<<52 + i + 1)}
		if err := cs.add(o); err != nil {
			t.Fatal(err)
		}
		if seen[o.id] || o.id.Volatile == 0 || o.id.Persistent>>52 != 7 {
			t.Fatalf("id %x given out twice, or without its node", o.id)
		}
		seen[o.id] = true
		opens = append(opens, o)
	}
	for i, o := range opens {
		own, other := a, b
		if i%2 == 1 {
			own, other = b, a
		}
		if own.find(o.id) != o || other.find(o.id) != nil {
			t.Fatalf("open %d: found by its session %v, by the other %v", i, own.find(o.id) == o, other.find(o.id) != nil)
		}
		if own.find(smb2.FileID{Persistent: o.id.Persistent + 1, Volatile: o.id.Volatile}) != nil {
			t.Fatal("an id with half of it wrong was found")
		}
	}
}

func TestRemoveOnce(t *testing.T) {
	cs, tr := newTestSession(&Demux{})
	o := &open{tree: tr}
	if err := cs.add(o); err != nil {
		t.Fatal(err)
	}
	var wins sync.Map
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if cs.remove(o) {
				wins.Store(i, true)
			}
		})
	}
	wg.Wait()
	n := 0
	wins.Range(func(any, any) bool { n++; return true })
	if n != 1 || cs.find(o.id) != nil {
		t.Errorf("closed %d times, want once; still found: %v", n, cs.find(o.id) != nil)
	}
}

func TestClosedTreeOpensNothing(t *testing.T) {
	cs, tr := newTestSession(&Demux{})
	other := &tree{demux: tr.demux, session: cs}
	mine, theirs := &open{tree: tr, state: 1}, &open{tree: other, state: 2}
	if err := errors.Join(cs.add(mine), cs.add(theirs)); err != nil {
		t.Fatal(err)
	}
	if taken := cs.takeTree(tr); len(taken) != 1 || taken[0] != mine {
		t.Fatalf("closing a tree takes %d opens, want its own", len(taken))
	}
	if cs.find(theirs.id) != theirs {
		t.Error("another tree's open is gone")
	}
	if err := cs.add(&open{tree: tr}); !errors.Is(err, ntstatus.NetworkNameDeleted) {
		t.Errorf("open through a closed tree: %v", err)
	}
	cs.closed = true
	if err := cs.add(&open{tree: other}); !errors.Is(err, ntstatus.UserSessionDeleted) {
		t.Errorf("open in a closed session: %v", err)
	}
}

// TestIDsInMessages shows that each direction writes its own kind of id.
func TestIDsInMessages(t *testing.T) {
	o := &open{id: smb2.FileID{Persistent: 1, Volatile: 2}}
	h := &handle{fid: backend.FileIDOf(smb2.FileID{Persistent: 3, Volatile: 4})}
	msg := make([]byte, 96)
	h.putID(msg, 80)
	if got := smb2.RawFileID(msg, 80); got != (smb2.FileID{Persistent: 3, Volatile: 4}) {
		t.Errorf("to the backend: %v", got)
	}
	o.putClientID(msg, 80)
	if got := smb2.RawFileID(msg, 80); got != o.id {
		t.Errorf("to the client: %v", got)
	}
}

func TestResumeKeys(t *testing.T) {
	d := &Demux{}
	a, treeA := newTestSession(d)
	b, _ := newTestSession(d)
	o, other := &open{tree: treeA, state: 1}, &open{tree: treeA, state: 2}
	if err := errors.Join(a.add(o), a.add(other)); err != nil {
		t.Fatal(err)
	}
	backendKey := [resumeKeySize]byte{1, 2, 3}
	key := o.resumeKeyFor(backendKey, nil)
	if key == backendKey {
		t.Error("the client sees the backend's key")
	}
	if got, bk, _ := a.findResumeKey(key[:]); got != o || bk != backendKey {
		t.Errorf("key of the open finds %p %x, want %p %x", got, bk, o, backendKey)
	}
	if again := o.resumeKeyFor([resumeKeySize]byte{9}, nil); again != key {
		t.Error("the client's key changed while the file was open")
	}
	if _, bk, _ := a.findResumeKey(key[:]); bk != ([resumeKeySize]byte{9}) {
		t.Error("the backend's newer key was not kept")
	}
	if got, bk, _ := b.findResumeKey(key[:]); got != nil || bk != ([resumeKeySize]byte{}) {
		t.Error("another session can use the key")
	}
	forged := key
	forged[20]++
	if got, _, _ := a.findResumeKey(forged[:]); got != nil {
		t.Error("a forged key is taken")
	}
	unasked := [resumeKeySize]byte{}
	copy(unasked[:], key[:])
	unasked[0], unasked[8] = byte(other.id.Persistent), byte(other.id.Volatile)
	if got, _, _ := a.findResumeKey(unasked[:]); got != nil {
		t.Error("an open whose key was never asked for can be named")
	}
	a.remove(o)
	if got, _, _ := a.findResumeKey(key[:]); got != nil {
		t.Error("the key outlives its open")
	}
}

// TestFull: one session cannot use up the handles of an smbd that others share.
func TestFull(t *testing.T) {
	cs, tr := newTestSession(&Demux{})
	var last *open
	for i := range maxOpens {
		if cs.full() {
			t.Fatalf("full with %d opens", len(cs.opens))
		}
		last = &open{tree: tr, state: core.OpenID(i + 1)}
		if err := cs.add(last); err != nil {
			t.Fatal(err)
		}
	}
	if !cs.full() {
		t.Errorf("not full with %d opens", len(cs.opens))
	}
	if cs.remove(last); cs.full() {
		t.Error("still full after a CLOSE")
	}
}
