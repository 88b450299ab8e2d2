package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// shortLife is a ticket's life that is long enough to log on, open and write with it.
const shortLife = 5 * time.Second

// TestKerberosExpiry lets the ticket of a session run out: requests get NETWORK_SESSION_EXPIRED, those excepted
// by [MS-SMB2] 3.3.5.2.9 work on, and a new ticket revives the session with its tree, its open and its keys. A
// ticket of another user makes the session his.
func TestKerberosExpiry(t *testing.T) {
	for _, seal := range []bool{false, true} {
		for _, d := range []smb2.Dialect{smb2.Dialect210, smb2.Dialect302, smb2.Dialect311} {
			if seal && d == smb2.Dialect210 {
				continue
			}
			t.Run(fmt.Sprintf("%v sealed %v", d, seal), func(t *testing.T) {
				t.Parallel()
				c, k := kerberos(t, lab.ClusterOptions{Shares: []lab.Share{{Name: "share", Lines: []string{"valid users = user1 user2"}}}})
				login := func(user string, life time.Duration) rawsmb.Mechanism {
					t.Helper()
					m, err := k.Mechanism(user, c.Lab.User(user).Password, "cifs/"+kerberosHost, life)
					if err != nil {
						t.Fatal(err)
					}
					return m
				}
				conn, err := rawsmb.Dial(t.Context(), c.Proxy.Addr(), rawsmb.Options{Dialects: []smb2.Dialect{d}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(conn.Close)
				s, err := conn.LoginAs(t.Context(), login("user1", shortLife), 0)
				if err != nil {
					t.Fatal(err)
				}
				s.Seal = seal
				tree, err := s.TreeConnect("share")
				if err != nil {
					t.Fatal(err)
				}
				expiring(t, tree, func() error { return s.Reauthenticate(t.Context(), login("user1", 0)) })
				changes(t, c, tree, func(user string) error { return s.Reauthenticate(t.Context(), login(user, 0)) })
			})
		}
	}
}

// expiring works on a tree until the session's ticket has run out, and after again has been called.
func expiring(t *testing.T, tree *rawsmb.Tree, again func() error) {
	t.Helper()
	f, err := tree.Create(smb2.CreateRequest{Name: "kept open"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := tree.Create(smb2.CreateRequest{Name: "closed while expired"})
	if err != nil {
		t.Fatal(err)
	}
	data := noise(1, 1000)
	if _, err := tree.Do(smb2.CommandWrite, &smb2.WriteRequest{FileID: f.FileID, Data: data}); err != nil {
		t.Fatal(err)
	}
	if err := lab.WaitFor(4*shortLife, func() error {
		err := reads(tree, f.FileID, 0, data)
		if errors.Is(err, ntstatus.NetworkSessionExpired) {
			return nil
		}
		return fmt.Errorf("READ gives %w", err)
	}); err != nil {
		t.Fatalf("the session does not expire: %v", err)
	}
	for name, try := range map[string]func() error{
		"CREATE": func() error { _, err := tree.Create(smb2.CreateRequest{Name: "too late"}); return err },
		"WRITE": func() error {
			_, err := tree.Do(smb2.CommandWrite, &smb2.WriteRequest{FileID: f.FileID, Data: []byte("too late")})
			return err
		},
		"TREE_CONNECT": func() error { _, err := tree.TreeConnect("share"); return err },
		"QUERY_INFO": func() error {
			_, err := tree.Do(smb2.CommandQueryInfo, &smb2.QueryInfoRequest{FileID: f.FileID, InfoType: smb2.InfoFile, FileInfoClass: smb2.FileStandardInformation, OutputBufferLength: 100})
			return err
		},
	} {
		if err := try(); !errors.Is(err, ntstatus.NetworkSessionExpired) {
			t.Errorf("%s on an expired session: got %v, want %v", name, err, ntstatus.NetworkSessionExpired)
		}
	}
	if err := tree.CloseFile(other.FileID); err != nil {
		t.Errorf("CLOSE on an expired session: %v", err)
	}
	if err := again(); err != nil {
		t.Fatalf("authenticate anew: %v", err)
	}
	if err := reads(tree, f.FileID, 0, data); err != nil {
		t.Errorf("after a new ticket: %v", err)
	}
	if err := tree.CloseFile(f.FileID); err != nil {
		t.Errorf("CLOSE after a new ticket: %v", err)
	}
}

// changes gives a session of user1, on which he has an open, to others ([MS-SMB2] 3.3.5.5.3): what is opened from
// then on is opened as them, by the share's rules and the disk's permissions.
func changes(t *testing.T, c *lab.Cluster, tree *rawsmb.Tree, to func(user string) error) {
	t.Helper()
	f, err := tree.Create(smb2.CreateRequest{Name: "of user1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(c.ShareDir("share"), "of user1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := to("user2"); err != nil {
		t.Fatalf("user1's session authenticated as user2: %v", err)
	}
	if _, err := tree.Do(smb2.CommandWrite, &smb2.WriteRequest{FileID: f.FileID, Data: []byte("x")}); err != nil {
		t.Errorf("what user1 opened: %v", err)
	}
	if _, err := tree.Create(smb2.CreateRequest{Name: "of user1"}); !errors.Is(err, ntstatus.AccessDenied) {
		t.Errorf("user1's own file as user2: got %v, want %v", err, ntstatus.AccessDenied)
	}
	if _, err := tree.Create(smb2.CreateRequest{Name: "of user2"}); err != nil {
		t.Errorf("a new file as user2: %v", err)
	} else if uid, _ := owner(t, filepath.Join(c.ShareDir("share"), "of user2")); uid != c.Lab.User("user2").UID {
		t.Errorf("user2's new file belongs to %d", uid)
	}
	if err := to("user3"); err != nil {
		t.Fatalf("authenticated as user3: %v", err)
	}
	if _, err := tree.Create(smb2.CreateRequest{Name: "of user3"}); !errors.Is(err, ntstatus.AccessDenied) {
		t.Errorf("as user3, who may not use the share: got %v, want %v", err, ntstatus.AccessDenied)
	}
	if err := to("user1"); err != nil {
		t.Fatalf("authenticated as user1 again: %v", err)
	}
	if _, err := tree.Create(smb2.CreateRequest{Name: "of user1"}); err != nil {
		t.Errorf("user1's own file: %v", err)
	}
}
