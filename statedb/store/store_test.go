package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// clock is a clock that the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	c.t = c.t.Add(d)
	c.mu.Unlock()
}

func open(t *testing.T, cfg Config) *Badger {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	b, err := OpenBadger(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func put(t *testing.T, s Store, key, value string) uint64 {
	t.Helper()
	rev, ok, err := s.Txn(t.Context(), nil, []Op{{Key: key, Value: []byte(value)}})
	if err != nil || !ok {
		t.Fatalf("put %s: %v %v", key, ok, err)
	}
	return rev
}

func keys(t *testing.T, s Store, prefix string) (list string, rev uint64) {
	t.Helper()
	rev, err := s.Range(t.Context(), prefix, func(i Item) error {
		list += fmt.Sprintf("%s=%s@%d ", i.Key, i.Value, i.Revision)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list, rev
}

func TestTxn(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Config{Dir: dir})
	if _, err := b.Get(t.Context(), "a"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
	put(t, b, "a", "1")
	rev := put(t, b, "b", "2")
	// Nothing happens when one comparison fails.
	ops := []Op{{Key: "a", Delete: true}, {Key: "c", Value: []byte("3")}}
	if _, ok, err := b.Txn(t.Context(), []Compare{{"a", 1}, {"b", 1}}, ops); ok || err != nil {
		t.Fatalf("stale comparison: %v %v", ok, err)
	}
	if got, r := keys(t, b, ""); got != "a=1@1 b=2@2 " || r != rev {
		t.Fatalf("got %s at %d", got, r)
	}
	if _, ok, err := b.Txn(t.Context(), []Compare{{"a", 1}, {"b", 2}, {"c", 0}}, ops); !ok || err != nil {
		t.Fatalf("comparison that holds: %v %v", ok, err)
	}
	// All of it is there after a restart, and revisions go on.
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Txn(t.Context(), nil, ops); !errors.Is(err, ErrClosed) {
		t.Fatalf("closed: %v", err)
	}
	b = open(t, Config{Dir: dir})
	if got, r := keys(t, b, ""); got != "b=2@2 c=3@3 " || r != 3 {
		t.Fatalf("after restart: %s at %d", got, r)
	}
	if rev := put(t, b, "b", "4"); rev != 4 {
		t.Fatalf("revision %d after restart, want 4", rev)
	}
	if got, _ := keys(t, b, "c"); got != "c=3@3 " {
		t.Fatalf("prefix: %s", got)
	}
}

func TestWatch(t *testing.T) {
	b := open(t, Config{})
	put(t, b, "a/1", "x")
	put(t, b, "b/1", "x")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := make(chan string, 10)
	done := make(chan error, 1)
	go func() {
		done <- b.Watch(ctx, "a/", 1, func(e Event) error {
			got <- fmt.Sprintf("%s %v@%d", e.Key, e.Deleted, e.Revision)
			return nil
		})
	}()
	if x := <-got; x != "a/1 false@1" {
		t.Fatal(x)
	}
	put(t, b, "a/2", "y")
	if x := <-got; x != "a/2 false@3" {
		t.Fatal(x)
	}
	if _, _, err := b.Txn(t.Context(), nil, []Op{{Key: "a/1", Delete: true}}); err != nil {
		t.Fatal(err)
	}
	if x := <-got; x != "a/1 true@4" {
		t.Fatal(x)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	b.mu.Lock()
	b.kept = 3
	b.mu.Unlock()
	if err := b.Watch(t.Context(), "", 2, nil); !errors.Is(err, ErrCompacted) {
		t.Fatalf("got %v, want ErrCompacted", err)
	}
}

func TestLease(t *testing.T) {
	c := &clock{t: time.Unix(1000, 0)}
	dir := t.TempDir()
	b := open(t, Config{Dir: dir, Now: c.now})
	id, err := b.Lease(t.Context(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Txn(t.Context(), nil, []Op{{Key: "m", Lease: id}, {Key: "n", Lease: id}}); err != nil {
		t.Fatal(err)
	}
	put(t, b, "n", "kept") // no longer under the lease
	c.add(9 * time.Second)
	if err := b.KeepAlive(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	c.add(9 * time.Second)
	if _, err := b.Get(t.Context(), "m"); err != nil {
		t.Fatal(err)
	}
	c.add(time.Second)
	if _, err := b.Get(t.Context(), "m"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("after its time: %v", err)
	}
	if _, err := b.Get(t.Context(), "n"); err != nil {
		t.Fatal(err)
	}
	if err := b.KeepAlive(t.Context(), id); !errors.Is(err, ErrNoLease) {
		t.Fatalf("kept alive too late: %v", err)
	}
	if _, _, err := b.Txn(t.Context(), nil, []Op{{Key: "m", Lease: id}}); !errors.Is(err, ErrNoLease) {
		t.Fatalf("put under an expired lease: %v", err)
	}
	// A restart ends leases; revoking does at once.
	id, _ = b.Lease(t.Context(), time.Hour)
	if _, _, err := b.Txn(t.Context(), nil, []Op{{Key: "r", Lease: id}}); err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	b = open(t, Config{Dir: dir, Now: c.now})
	if got, _ := keys(t, b, ""); got != "n=kept@2 " {
		t.Fatalf("after restart: %s", got)
	}
	id, _ = b.Lease(t.Context(), time.Hour)
	if _, _, err := b.Txn(t.Context(), nil, []Op{{Key: "r", Lease: id}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(t.Context(), "r"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("revoked: %v", err)
	}
}

func TestFull(t *testing.T) {
	left := uint64(1 << 30)
	b := open(t, Config{Free: func(string) (uint64, error) { return left, nil }})
	put(t, b, "a", "1")
	left = 1 << 20
	if _, ok, err := b.Txn(t.Context(), nil, []Op{{Key: "b"}}); ok || !errors.Is(err, ErrFull) {
		t.Fatalf("full disk: %v %v", ok, err)
	}
	if got, _ := keys(t, b, ""); got != "a=1@1 " {
		t.Fatalf("reading on a full disk: %s", got)
	}
	if _, err := OpenBadger(Config{Dir: filepath.Join(t.TempDir(), "new"), Free: func(string) (uint64, error) { return left, nil }}); !errors.Is(err, ErrFull) {
		t.Fatalf("opening on a full disk: %v", err)
	}
	left = 1 << 30
	if rev := put(t, b, "b", "2"); rev != 2 {
		t.Fatalf("revision %d after the disk was full, want 2", rev)
	}
	left = 0
	if err := b.Close(); !errors.Is(err, ErrFull) {
		t.Fatalf("closed on a full disk: %v", err)
	}
}

// read is ReadBackup of what must be one.
func read(t *testing.T, text []byte) *Backup {
	t.Helper()
	b, err := ReadBackup(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func all(string) bool { return true }

func TestDump(t *testing.T) {
	b := open(t, Config{})
	put(t, b, "a\xff", "\xfe\x00")
	put(t, b, "b", "")
	put(t, b, "c", "3")
	id, err := b.Lease(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Txn(t.Context(), nil, []Op{{Key: "leased", Lease: id}}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Dump(t.Context(), b, &out); err != nil {
		t.Fatal(err)
	}
	backup := read(t, out.Bytes())
	if err := Load(t.Context(), b, backup, all); !errors.Is(err, ErrNotEmpty) {
		t.Fatalf("over what is there: %v", err)
	}
	c := open(t, Config{})
	if err := Load(t.Context(), c, backup, func(key string) bool { return key != "c" }); err != nil {
		t.Fatal(err)
	}
	if i, err := c.Get(t.Context(), "a\xff"); err != nil || string(i.Value) != "\xfe\x00" {
		t.Fatalf("got %q %v", i.Value, err)
	}
	if got, _ := keys(t, c, ""); got != "a\xff=\xfe\x00@1 b=@1 " {
		t.Fatalf("got %q", got)
	}
	// Half a backup is none.
	whole := out.Bytes()
	for n := range len(whole) - 1 {
		if _, err := ReadBackup(bytes.NewReader(whole[:n])); err == nil {
			t.Fatalf("%d bytes of %d were taken for a backup", n, len(whole))
		}
	}
	for _, text := range []string{
		"nonsense", `{"format":"smbproxy statedb backup","version":2}` + "\n" + `{"end":0}`, `{"format":"x","version":1}` + "\n" + `{"end":0}`,
		`{"format":"smbproxy statedb backup","version":1}` + "\n" + `{"key":"YQ=="}` + "\n" + `{"end":2}`,
	} {
		if _, err := ReadBackup(strings.NewReader(text)); err == nil {
			t.Errorf("%q was taken for a backup", text)
		}
	}
}

// TestInUse: one process at a time has a store open.
func TestInUse(t *testing.T) {
	b := open(t, Config{Dir: t.TempDir()})
	if _, err := OpenBadger(Config{Dir: b.cfg.Dir}); !errors.Is(err, ErrInUse) {
		t.Fatalf("opened twice: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Config{Dir: b.cfg.Dir})
}

// TestFaulty: an item that cannot be read keeps a store from being opened, unless it is opened to find it.
func TestFaulty(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Config{Dir: dir})
	put(t, b, "a", "1")
	err := b.db.Update(func(tx *badger.Txn) error {
		return errors.Join(tx.Set([]byte(userSpace+"b"), []byte("short")), tx.Set([]byte(revisionKey), []byte("x")))
	})
	if err := errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenBadger(Config{Dir: dir}); err == nil {
		t.Fatal("it was opened")
	}
	told := map[string]bool{}
	b = open(t, Config{Dir: dir, Faulty: func(key string, err error) { told[key] = err != nil }})
	if got, _ := keys(t, b, ""); got != "a=1@1 " {
		t.Errorf("what can be read: %s", got)
	}
	if len(told) != 2 || !told["b"] || !told[revisionKey] {
		t.Errorf("told of %v", told)
	}
}

// TestDamagedTable: what the disk has turned is an error, not a record less.
func TestDamagedTable(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Config{Dir: dir})
	for i := range 100 {
		put(t, b, fmt.Sprintf("k%03d", i), strings.Repeat("v", 100))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	data, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	data[100] ^= 1
	if err := os.WriteFile(tables[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenBadger(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Fatalf("a damaged table: %v", err)
	}
}

// BenchmarkTxn is one record with its sync to disk.
func BenchmarkTxn(b *testing.B) {
	s, err := OpenBadger(Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	v := make([]byte, 400)
	for i := 0; b.Loop(); i++ {
		if _, _, err := s.Txn(b.Context(), nil, []Op{{Key: fmt.Sprintf("open/%d", i), Value: v}}); err != nil {
			b.Fatal(err)
		}
	}
}
