package session

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	gosmb2 "github.com/hirochachacha/go-smb2"
	"golang.org/x/crypto/md4" //nolint:staticcheck // NTLM's hash

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session/auth"
)

// passdbOf writes an smbpasswd file with one user.
func passdbOf(t *testing.T, user, password string) string {
	t.Helper()
	h := md4.New()
	h.Write(smb2.AppendUTF16(nil, password))
	path := filepath.Join(t.TempDir(), "smbpasswd")
	line := fmt.Sprintf("%s:1000:%032X:%s:[U          ]:LCT-5F000000:\n", user, 0, hexUpper(h.Sum(nil)))
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// hexUpper is the spelling of the file.
func hexUpper(b []byte) string { return fmt.Sprintf("%X", b) }

// TestForeignClient lets go-smb2 log on with NTLM through the real authenticator and connect a tree.
func TestForeignClient(t *testing.T) {
	for _, mode := range []string{"plain", "signed", "sealed"} {
		t.Run(mode, func(t *testing.T) {
			a, err := auth.New(auth.Config{ServerName: "PROXY", Workgroup: "TEST", PassdbFile: passdbOf(t, "anna", "secret")})
			if err != nil {
				t.Fatal(err)
			}
			ts := serve(t, func(cfg *Config) {
				cfg.Authenticator, cfg.SigningRequired = a, mode == "signed"
				if mode == "sealed" {
					cfg.Encryption = EncryptionRequired
				}
			})
			sess, err := goDial(t, ts.addr, "anna", "secret")
			if err != nil {
				t.Fatal(err)
			}
			fs, err := sess.Mount(`\\127.3.0.1\share`)
			if err != nil {
				t.Fatal(err)
			}
			if got := ts.Sessions(); len(got) != 1 || got[0].User != "anna" || got[0].Trees != 1 {
				t.Errorf("sessions: %+v", got)
			}
			if err := fs.Umount(); err != nil {
				t.Error(err)
			}
			if err := sess.Logoff(); err != nil {
				t.Error(err)
			}
			_, err = goDial(t, ts.addr, "anna", "wrong")
			var re *gosmb2.ResponseError
			if !errors.As(err, &re) || ntstatus.Status(re.Code) != ntstatus.LogonFailure {
				t.Errorf("wrong password: got %v, want %v", err, ntstatus.LogonFailure)
			}
		})
	}
}

// goDial logs on with go-smb2.
func goDial(t *testing.T, addr, user, password string) (*gosmb2.Session, error) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	d := &gosmb2.Dialer{Initiator: &gosmb2.NTLMInitiator{User: user, Password: password}}
	return d.Dial(nc)
}
