package passdb

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	none = "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
	hash = "878D8014606CDA29677A44EFA1353FC7" // of "secret"
)

// TestParse reads what pdbedit -L -w writes, and its relatives.
func TestParse(t *testing.T) {
	text := strings.Join([]string{
		"# comment", "", "   ",
		"Alice:1001:" + none + ":" + hash + ":[U          ]:LCT-65530A40:",
		"bob:1002:" + hash + ":" + strings.ToLower(hash) + ":[UD         ]:LCT-00000000:\r",
		"nopw:1003:NO PASSWORDXXXXXXXXXXXXXXXXXXXXX:NO PASSWORDXXXXXXXXXXXXXXXXXXXXX:[NU         ]:LCT-0:",
		"old:1004:" + none + ":" + hash + ":Old Format:/home/old:/bin/sh",
		"ws$:1005:" + none + ":" + hash + ":[W          ]:LCT-65530A40:",
		"starred:1006:" + strings.Repeat("*", 32) + ":" + strings.Repeat("*", 32) + ":[U          ]:",
		"ünïcode:4294967295:" + none + ":" + hash + ":[ULX]:LCT-65530A40:",
	}, "\n")
	db, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if db.Len() != 7 {
		t.Errorf("got %d accounts, want 7", db.Len())
	}
	a, ok := db.Lookup("aLICE")
	if !ok || a.Name != "Alice" || a.UID != 1001 || !a.HasHash || strings.ToUpper(hex.EncodeToString(a.Hash[:])) != hash || a.Flags != FlagNormal || !a.LastChange.Equal(time.Unix(0x65530A40, 0)) {
		t.Errorf("alice: got %+v, %v", a, ok)
	}
	for name, want := range map[string]struct {
		flags Flags
		hash  bool
	}{
		"bob": {FlagNormal | FlagDisabled, true}, "nopw": {FlagNormal | FlagNoPassword, false}, "old": {FlagNormal, true},
		"ws$": {FlagWorkstation, true}, "starred": {FlagNormal, false}, "ÜNÏCODE": {FlagNormal | FlagLocked | FlagNoExpiry, true},
	} {
		if a, ok := db.Lookup(name); !ok || a.Flags != want.flags || a.HasHash != want.hash {
			t.Errorf("%s: got %+v, %v; want flags %b, hash %v", name, a, ok, want.flags, want.hash)
		}
	}
	if _, ok := db.Lookup("carol"); ok {
		t.Error("carol: got an account, want none")
	}
}

// TestParseFaults wants every fault with file and line, and no hash in any.
func TestParseFaults(t *testing.T) {
	bad := []struct{ line, reason string }{
		{"alice", "want name:uid"},
		{"a:1:" + none + ":" + hash, "want name:uid"},
		{":1:" + none + ":" + hash + ":[U]:", "bad user name"},
		{"a/b:1:" + none + ":" + hash + ":[U]:", "bad user name"},
		{"a:-1:" + none + ":" + hash + ":[U]:", "uid"},
		{"a:x:" + none + ":" + hash + ":[U]:", "uid"},
		{"a:1:" + none + ":" + hash[1:] + ":[U]:", "NT hash: 31 characters"},
		{"a:1:" + hash + "0:" + hash + ":[U]:", "LM hash: 33 characters"},
		{"a:1:" + none + ":" + hash[1:] + "G:[U]:", "not hexadecimal"},
		{"a:1:" + none + ":" + hash + ":[U:", "closing bracket"},
		{"a:1:" + none + ":" + hash + ":[UQ]:", "unknown flag"},
		{"a:1:" + none + ":" + hash + ":[U]:LCT-zz:", "LCT-"},
		{"a\xff:1:" + none + ":" + hash + ":[U]:", "not UTF-8"},
		{"GOOD:1:" + none + ":" + hash + ":[U]:", "in line 1 already"},
	}
	text := "good:1:" + none + ":" + hash + ":[U]:\n"
	for _, b := range bad {
		text += b.line + "\n"
	}
	_, err := Parse("/etc/p", []byte(text))
	if err == nil {
		t.Fatal("got no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(bad) {
		t.Fatalf("got %d faults, want %d:\n%v", len(lines), len(bad), err)
	}
	for i, b := range bad {
		if want := "/etc/p:" + itoa(i+2) + ": "; !strings.HasPrefix(lines[i], want) || !strings.Contains(lines[i], b.reason) {
			t.Errorf("got %q, want %s...%s", lines[i], want, b.reason)
		}
		if strings.Contains(lines[i], hash[2:20]) {
			t.Errorf("the error shows a hash: %q", lines[i])
		}
	}
	var le *LineError
	if !errors.As(err, &le) || le.Line != 2 {
		t.Errorf("got %+v, want a LineError of line 2", le)
	}
	_, err = Parse("f", []byte(strings.Repeat("junk\n", 1000)))
	if n := strings.Count(err.Error(), "\n"); n > maxFaults {
		t.Errorf("got %d faults of a file of junk, want them cut", n)
	}
}

// itoa is for small numbers.
func itoa(n int) string {
	return strings.TrimLeft(string([]byte{byte('0' + n/10), byte('0' + n%10)}), "0")
}

// TestOpen reads a real file.
func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smbpasswd")
	if err := os.WriteFile(path, []byte("alice:1:"+none+":"+hash+":[U]:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := f.Get().Lookup("alice"); !ok {
		t.Error("alice is missing")
	}
	if _, err := Open(path+"x", nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
}

// FuzzParse parses anything; an account that comes out is usable.
func FuzzParse(f *testing.F) {
	f.Add([]byte("alice:1001:" + none + ":" + hash + ":[U          ]:LCT-65530A40:\n"))
	f.Add([]byte("nopw:1003:NO PASSWORDXXXXXXXXXXXXXXXXXXXXX:NO PASSWORDXXXXXXXXXXXXXXXXXXXXX:[NU         ]:LCT-0:"))
	f.Fuzz(func(t *testing.T, b []byte) {
		db, err := Parse("f", b)
		if (db == nil) == (err == nil) {
			t.Fatalf("got %v, %v", db, err)
		}
		if db == nil {
			return
		}
		for _, a := range db.accounts {
			if got, ok := db.Lookup(a.Name); !ok || got != a || a.Name == "" || slices.Contains([]byte(a.Name), 0) {
				t.Fatalf("account %q: lookup gives %v, %v", a.Name, got, ok)
			}
		}
	})
}
