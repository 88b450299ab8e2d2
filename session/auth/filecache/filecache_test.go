package filecache

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// parseWord takes any content but "bad".
func parseWord(_ string, data []byte) (string, error) {
	if strings.HasPrefix(string(data), "bad") {
		return "", errors.New("bad content")
	}
	return string(data), nil
}

// bench is a file, its cache and a clock.
type bench struct {
	t    *testing.T
	path string
	now  time.Time
	log  bytes.Buffer
	f    *File[string]
}

// newBench makes a file with the content "one" and opens it.
func newBench(t *testing.T, mode os.FileMode) *bench {
	b := &bench{t: t, path: filepath.Join(t.TempDir(), "f"), now: time.Now().Add(time.Hour)}
	b.write("one")
	if err := os.Chmod(b.path, mode); err != nil {
		t.Fatal(err)
	}
	f, err := Open(b.path, parseWord, func() time.Time { return b.now }, slog.New(slog.NewTextHandler(&b.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	b.f = f
	return b
}

// write replaces the file as careful programs do: a new file renamed over the old.
func (b *bench) write(s string) {
	b.t.Helper()
	if err := errors.Join(os.WriteFile(b.path+".new", []byte(s), 0o600), os.Rename(b.path+".new", b.path)); err != nil {
		b.t.Fatal(err)
	}
}

// later is Get after the rate limit.
func (b *bench) later() string {
	b.now = b.now.Add(CheckEvery)
	return b.f.Get()
}

// TestReload follows a file through good and bad states.
func TestReload(t *testing.T) {
	b := newBench(t, 0o600)
	if got := b.f.Get(); got != "one" {
		t.Fatalf("got %q, want one", got)
	}
	b.write("two")
	if got := b.f.Get(); got != "one" {
		t.Errorf("within the rate limit: got %q, want one", got)
	}
	if got := b.later(); got != "two" {
		t.Errorf("after it: got %q, want two", got)
	}
	b.write("bad")
	for range 3 {
		if got := b.later(); got != "two" || b.f.Err() == nil {
			t.Errorf("bad file: got %q, fault %v; want two and a fault", got, b.f.Err())
		}
	}
	if n := strings.Count(b.log.String(), "level=ERROR"); n != 1 {
		t.Errorf("got %d error records, want 1:\n%s", n, &b.log)
	}
	if err := os.Remove(b.path); err != nil {
		t.Fatal(err)
	}
	if got := b.later(); got != "two" || !errors.Is(b.f.Err(), os.ErrNotExist) {
		t.Errorf("no file: got %q, fault %v", got, b.f.Err())
	}
	b.write("three")
	if got := b.later(); got != "three" || b.f.Err() != nil {
		t.Errorf("good again: got %q, fault %v", got, b.f.Err())
	}
	if strings.Contains(b.log.String(), "level=WARN") {
		t.Errorf("a warning about a file of mode 0600:\n%s", &b.log)
	}
}

// TestInPlace sees a change of the same size, in the same inode, with the old mtime: ctime tells.
func TestInPlace(t *testing.T) {
	b := newBench(t, 0o600)
	info, err := os.Stat(b.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(b.path, []byte("two"), 0o600), os.Chtimes(b.path, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
	if got := b.later(); got != "two" {
		t.Errorf("got %q, want two", got)
	}
}

// TestFresh reads a file once more that was read right after it was written: a second write in
// the same tick of the kernel's clock leaves the stamp as it is.
func TestFresh(t *testing.T) {
	b := newBench(t, 0o600)
	n := 0
	b.f.parse = func(p string, d []byte) (string, error) { n++; return parseWord(p, d) }
	b.write("two")
	info, err := os.Stat(b.path)
	if err != nil {
		t.Fatal(err)
	}
	b.f.checked, b.now = time.Time{}, info.ModTime().Add(settle/2)
	for i, want := range []int{1, 2, 2} {
		if i > 0 {
			b.now = b.now.Add(CheckEvery)
		}
		if got := b.f.Get(); got != "two" || n != want {
			t.Errorf("look %d: got %q after %d reads, want two after %d", i, got, n, want)
		}
	}
}

// TestNotRead says that an unchanged file is left alone.
func TestNotRead(t *testing.T) {
	b := newBench(t, 0o600)
	n := 0
	parse := b.f.parse
	b.f.parse = func(p string, d []byte) (string, error) { n++; return parse(p, d) }
	for range 5 {
		b.later()
	}
	if n != 0 {
		t.Errorf("an unchanged file was read %d times", n)
	}
	b.now = b.now.Add(-48 * time.Hour) // the clock was set back: do not wait two days
	b.write("two")
	if got := b.f.Get(); got != "two" {
		t.Errorf("after the clock went back: got %q, want two", got)
	}
}

// TestOpenFaults fails at start on what only warns later.
func TestOpenFaults(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{bad, dir, filepath.Join(dir, "none")} {
		if _, err := Open(path, parseWord, nil, nil); err == nil {
			t.Errorf("%s: got no error", path)
		}
	}
}

// TestWorldReadable warns.
func TestWorldReadable(t *testing.T) {
	b := newBench(t, 0o644)
	if !strings.Contains(b.log.String(), "level=WARN") {
		t.Errorf("no warning about mode 0644:\n%s", &b.log)
	}
}
