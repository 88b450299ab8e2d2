package backend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/types"
)

const (
	testRealm = "LAB.TEST"
	testSPN   = "cifs/b1"
)

func TestGenerateKeytab(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	if err := GenerateKeytab(path, testSPN, testRealm); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if kvno, err := LoadKeytab(path, testSPN, testRealm); err != nil || kvno != 1 {
		t.Errorf("LoadKeytab = %d, %v, want 1", kvno, err)
	}
	if err := GenerateKeytab(path, testSPN, testRealm); !os.IsExist(err) {
		t.Errorf("second GenerateKeytab: %v, want exists", err)
	}
	for _, other := range [][2]string{{"cifs/b2", testRealm}, {testSPN, "OTHER"}, {"b1", testRealm}} {
		if _, err := LoadKeytab(path, other[0], other[1]); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("key of %v: error %v, want one that names the file", other, err)
		}
	}
}

func TestRotateKeytabKeepsOldKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	if err := GenerateKeytab(path, testSPN, testRealm); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if kvno, err := RotateKeytab(path, testSPN, testRealm); err != nil || kvno != 2 {
		t.Fatalf("RotateKeytab = %d, %v, want 2", kvno, err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(after), string(before)) {
		t.Errorf("the old keys are gone (%v)", err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
}

func TestKeytabThatOthersRead(t *testing.T) {
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o440: true, 0o644: false, 0o660: false, 0o604: false} {
		path := filepath.Join(t.TempDir(), "k")
		if err := GenerateKeytab(path, testSPN, testRealm); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKeytab(path, testSPN, testRealm); (err == nil) != ok {
			t.Errorf("mode %04o: %v, want ok %v", mode, err, ok)
		}
	}
}

// The file need not list versions in order, and gokrb5 goes by the timestamp.
func TestNewestKeyGoesByVersion(t *testing.T) {
	kt := keytab.New()
	for _, e := range []struct {
		kvno  uint8
		etype int32
		when  int64
	}{{2, 17, 10}, {3, 17, 5}, {3, 18, 5}, {1, 18, 100}} {
		if err := kt.AddEntry(testSPN, testRealm, "x", time.Unix(e.when, 0), e.kvno, e.etype); err != nil {
			t.Fatal(err)
		}
	}
	k, err := newestKey(kt, testSPN, testRealm)
	if err != nil || k.kvno != 3 || k.key.KeyType != 18 {
		t.Errorf("key version %d type %d, %v, want 3, 18", k.kvno, k.key.KeyType, err)
	}
}

func TestDamagedKeytabSaysNothingOfItsBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	if err := GenerateKeytab(path, testSPN, testRealm); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		_, err := parseKeytab("file", good[:n])
		if err != nil && len(err.Error()) > 60 {
			t.Fatalf("%d bytes: error %q", n, err)
		}
	}
}

func TestKeySourceFollowsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	if err := GenerateKeytab(path, testSPN, testRealm); err != nil {
		t.Fatal(err)
	}
	s := &keySource{path: path, spn: testSPN, realm: testRealm}
	get := func(kvno int, warned bool) {
		t.Helper()
		k, warn, err := s.get()
		if err != nil || k.kvno != kvno || (warn != nil) != warned {
			t.Fatalf("key version %d, warning %v, %v; want %d, warning %v", k.kvno, warn, err, kvno, warned)
		}
	}
	get(1, false)
	if _, err := RotateKeytab(path, testSPN, testRealm); err != nil {
		t.Fatal(err)
	}
	get(2, false)
	if err := os.WriteFile(path, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	get(2, true)
	get(2, false)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	get(2, true)

	if _, _, err := (&keySource{path: path, spn: testSPN, realm: testRealm}).get(); !os.IsNotExist(err) {
		t.Errorf("no file from the start: %v, want not-exist", err)
	}
}

// A ticket must open with the key it was minted with, name the user as one
// component, and leave the plaintext at home.
func TestMint(t *testing.T) {
	kt := keytab.New()
	if err := addKeys(kt, testSPN, testRealm, 7); err != nil {
		t.Fatal(err)
	}
	k, err := newestKey(kt, testSPN, testRealm)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	tk, err := mint(k, testSPN, testRealm, "alice", now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if len(tk.wire.DecryptedEncPart.CRealm) != 0 {
		t.Error("the ticket carries its own plaintext")
	}
	opened := tk.wire
	sname := types.NewPrincipalName(2, testSPN)
	if err := opened.DecryptEncPart(kt, &sname); err != nil {
		t.Fatal(err)
	}
	part := opened.DecryptedEncPart
	if got := part.CName.NameString; len(got) != 1 || got[0] != "alice" || part.CRealm != testRealm {
		t.Errorf("ticket for %v@%s", got, part.CRealm)
	}
	if len(part.AuthorizationData) != 0 {
		t.Error("authorization data in the ticket, want none")
	}
	if d := part.EndTime.Sub(now); d < 59*time.Minute || d > time.Hour {
		t.Errorf("valid for %v, want an hour", d)
	}
	if opened.EncPart.KVNO != 7 {
		t.Errorf("key version %d, want 7", opened.EncPart.KVNO)
	}
}
