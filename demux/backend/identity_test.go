package backend

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Two users on one lane are two users at the backend, groups included.
func TestUsersOnOneLane(t *testing.T) {
	r := newRig(t, "")
	p := startPool(t, r.config())
	one := mustConnect(t, p, "user1", "share", 1)
	two := mustConnect(t, p, "user2", "share", 2)
	three := mustConnect(t, p, "user3", "share", 3)
	if one.Lane() != two.Lane() || two.Lane() != three.Lane() {
		t.Fatalf("lanes %d, %d, %d, want one", one.Lane(), two.Lane(), three.Lane())
	}
	if st := p.Status(); len(st.Lanes) != 1 || st.Lanes[0].Sessions != 3 || st.Lanes[0].Signing != "AES-GMAC" {
		t.Errorf("status %+v, want one lane with three sessions, signed with AES-GMAC", st)
	}
	for tree, uid := range map[*Tree]uint32{one: 20001, two: 20002} {
		name := "of-" + tree.User()
		_, st := create(t, tree, name, smb2.FileWriteData, smb2.FileCreate)
		must(t, "create "+name, st)
		info, err := os.Stat(r.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if sys := info.Sys().(*syscall.Stat_t); sys.Uid != uid || sys.Gid != uid {
			t.Errorf("%s belongs to %d:%d, want %d", name, sys.Uid, sys.Gid, uid)
		}
	}

	// "project" (20102) is a supplementary group of user1 and user2, not of user3.
	r.mkdir(t, "project", 0, 20102, 0o770)
	for tree, want := range map[*Tree]ntstatus.Status{one: ntstatus.Success, two: ntstatus.Success, three: ntstatus.AccessDenied} {
		if _, st := create(t, tree, `project\`+tree.User(), smb2.FileWriteData, smb2.FileCreate); st != want {
			t.Errorf("%s creates in the project's directory: %v, want %v", tree.User(), st, want)
		}
	}
	r.mkdir(t, "private", 20001, 20001, 0o700)
	if _, st := create(t, two, `private\x`, smb2.FileWriteData, smb2.FileCreate); st != ntstatus.AccessDenied {
		t.Errorf("user2 in user1's directory: %v, want access denied", st)
	}
}

// Trees of one user to one share share session and tree connect; the client's
// affinity decides on the lane.
func TestSharingAndAffinity(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.Lanes, cfg.MaxLanes = 2, 2
	p := startPool(t, cfg)
	a := mustConnect(t, p, "user1", "share", 1)
	again := mustConnect(t, p, "user1", "SHARE", 1)
	other := mustConnect(t, p, "user1", "other", 1)
	b := mustConnect(t, p, "user1", "share", 2)
	if a.SessionID() != again.SessionID() || a.TreeID() != again.TreeID() {
		t.Error("one user, one share, one lane: two tree connects")
	}
	if a.SessionID() != other.SessionID() || a.TreeID() == other.TreeID() {
		t.Error("two shares: want one session and two tree connects")
	}
	if a.Lane() == b.Lane() || a.Lane() != other.Lane() {
		t.Errorf("lanes %d, %d, %d: clients share a lane while another is empty, or one client is on two", a.Lane(), other.Lane(), b.Lane())
	}
}

func TestRefusedUsers(t *testing.T) {
	r := newRig(t, "")
	p := startPool(t, r.config())
	for user, want := range map[string]ntstatus.Status{
		"root": ntstatus.AccessDenied, "stranger": ntstatus.NoSuchUser, "user1@" + testRealm: ntstatus.AccessDenied,
	} {
		_, err := p.Connect(t.Context(), user, "share", 1)
		if ntstatus.From(err) != want || !strings.Contains(err.Error(), "b1") || !strings.Contains(err.Error(), user) {
			t.Errorf("%s: %v, want %v, user and backend named", user, err, want)
		}
	}
	// Known here, unknown at the backend: its own answer.
	_, err := p.Connect(t.Context(), "ghost", "share", 1)
	if st := ntstatus.From(err); st != ntstatus.LogonFailure && st != ntstatus.NoSuchUser && st != ntstatus.AccessDenied {
		t.Errorf("ghost: %v, want a refusal", err)
	}
	t.Logf("ghost: %v", err)
	_, err = p.Connect(t.Context(), "user1", "nowhere", 1)
	if ntstatus.From(err) != ntstatus.BadNetworkName {
		t.Errorf("unknown share: %v, want bad network name", err)
	}
	mustConnect(t, p, "user1", "share", 1)
}

func TestWrongKey(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.KeytabFile = t.TempDir() + "/other.keytab"
	if err := GenerateKeytab(cfg.KeytabFile, testSPN, testRealm); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	p, err := NewPool(cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Connect(t.Context(), "user1", "share", 1)
	if err == nil {
		t.Fatal("a ticket made with another key was accepted")
	}
	t.Logf("error: %v", err)
	if !errors.Is(err, ntstatus.LogonFailure) || !strings.Contains(err.Error(), `"b1"`) || !strings.Contains(err.Error(), cfg.KeytabFile) {
		t.Errorf("error %q, want logon failure with backend and keytab named", err)
	}
	if s := log.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, cfg.KeytabFile) {
		t.Errorf("log %q, want one line with the keytab", s)
	}
	for _, cn := range p.connections() {
		cn.kill(errClosed)
	}
	p.children.Wait()
}

// smbd takes tickets of the old version too as long as its keytab has that key.
func TestKeyRotation(t *testing.T) {
	r := newRig(t, "")
	old := t.TempDir() + "/old.keytab"
	data, err := os.ReadFile(r.keytab)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, data, 0o600); err != nil {
		t.Fatal(err)
	}
	p := startPool(t, r.config())
	mustConnect(t, p, "user1", "share", 1)
	if _, err := RotateKeytab(r.keytab, testSPN, testRealm); err != nil {
		t.Fatal(err)
	}
	mustConnect(t, p, "user2", "share", 2)
	if tk, err := p.mint("user2", nil); err != nil || tk.kvno != 2 {
		t.Fatalf("minted with key version %d, %v, want 2", tk.kvno, err)
	}
	cfg := r.config()
	cfg.KeytabFile = old
	mustConnect(t, startPool(t, cfg), "user3", "share", 3)
}

// Every cipher, demanded by either side, carries what signing carries.
func TestEncryption(t *testing.T) {
	r := newRig(t, "\tserver smb encrypt = required\n")
	for _, cipher := range []crypto.Cipher{crypto.CipherAES128GCM, crypto.CipherAES256GCM, crypto.CipherAES128CCM, crypto.CipherAES256CCM} {
		for name, encrypt := range map[string]bool{"demanded by both": true, "by the backend": false} {
			t.Run(cipher.String()+" "+name, func(t *testing.T) {
				cfg := r.config()
				cfg.Encrypt, cfg.Ciphers = encrypt, []crypto.Cipher{cipher}
				p := startPool(t, cfg)
				tree := mustConnect(t, p, "user1", "share", 1)
				if got := p.Status().Lanes[0].Cipher; got != cipher.String() {
					t.Fatalf("cipher %s, want %v", got, cipher)
				}
				readBack(t, tree, strings.ReplaceAll(cipher.String()+name, " ", "-"), 300_000)
			})
		}
	}
}

// A share that wants encryption gets it, the others of the session are signed.
func TestEncryptedShare(t *testing.T) {
	r := newRig(t, "[other]\n\tserver smb encrypt = required\n")
	p := startPool(t, r.config())
	plain := mustConnect(t, p, "user1", "share", 1)
	sealed := mustConnect(t, p, "user1", "other", 1)
	if !sealed.tc.encrypt || plain.tc.encrypt {
		t.Fatalf("encrypted: %v, the other %v", sealed.tc.encrypt, plain.tc.encrypt)
	}
	readBack(t, plain, "x", 1000)
	readBack(t, sealed, "x", 1000)
}

// With encryption configured a backend that cannot is no backend.
func TestEncryptionRefused(t *testing.T) {
	r := newRig(t, "\tserver smb encrypt = off\n")
	cfg := r.config()
	cfg.Encrypt = true
	_, err := startPool(t, cfg).Connect(t.Context(), "user1", "share", 1)
	if ntstatus.From(err) != ntstatus.UnexpectedNetworkError || !strings.Contains(err.Error(), "encryption") {
		t.Fatalf("got %v, want an error about encryption", err)
	}
}

// readBack writes n bytes to a new file, reads them again and compares.
func readBack(t *testing.T, tree *Tree, name string, n int) {
	t.Helper()
	id, st := create(t, tree, name, smb2.FileReadData|smb2.FileWriteData, smb2.FileCreate)
	must(t, "create", st)
	data := bytes.Repeat([]byte("smbproxy"), n/8)
	must(t, "write", request(t, tree, smb2.CommandWrite, &smb2.WriteRequest{FileID: id.Wire(), Data: data}, smb2.CreditCharge(len(data))))
	h, reply, err := tree.Do(t.Context(), smb2.CommandRead,
		&smb2.ReadRequest{FileID: id.Wire(), Length: uint32(len(data))}, smb2.CreditCharge(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Release()
	must(t, "read", h.Status)
	var resp smb2.ReadResponse
	if err := resp.Decode(reply.Bytes()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(resp.Data, data) {
		t.Fatalf("%d bytes read, not what %d were written", len(resp.Data), len(data))
	}
	must(t, "close", request(t, tree, smb2.CommandClose, &smb2.CloseRequest{FileID: id.Wire()}, 1))
}
