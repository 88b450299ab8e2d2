package rawsmb_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"smbproxy/crypto"
	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// TestAgainstSamba holds the client against the one server whose word counts: every dialect, cipher and signing
// algorithm that stock smbd has.
func TestAgainstSamba(t *testing.T) {
	l := lab.New(t, lab.Options{PlainTree: true})
	s := l.MustSamba(lab.SambaOptions{Name: "a", Conf: l.DirectConf("share"), Passwords: true})
	u := l.User("user1")
	type variant struct {
		name string
		opt  rawsmb.Options
		seal bool
	}
	var vs []variant
	for _, d := range []smb2.Dialect{smb2.Dialect202, smb2.Dialect210, smb2.Dialect300, smb2.Dialect302, smb2.Dialect311} {
		vs = append(vs, variant{name: d.String(), opt: rawsmb.Options{Dialects: []smb2.Dialect{d}}})
	}
	for _, a := range []crypto.SigningAlgorithm{crypto.SigningAESCMAC, crypto.SigningAESGMAC, crypto.SigningHMACSHA256} {
		vs = append(vs, variant{name: a.String(), opt: rawsmb.Options{Signing: []crypto.SigningAlgorithm{a}}})
	}
	for _, c := range []crypto.Cipher{crypto.CipherAES128CCM, crypto.CipherAES128GCM, crypto.CipherAES256CCM, crypto.CipherAES256GCM} {
		vs = append(vs, variant{name: c.String(), opt: rawsmb.Options{Ciphers: []crypto.Cipher{c}}, seal: true})
	}
	for _, v := range vs {
		t.Run(v.name, func(t *testing.T) {
			c, err := rawsmb.Dial(t.Context(), s.Addr(), v.opt)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			sess, err := c.Login(t.Context(), u.Name, u.Password)
			if err != nil {
				t.Fatal(err)
			}
			sess.Sign, sess.Seal = true, v.seal
			roundTrip(t, sess, v.name)
		})
	}
}

// roundTrip writes a file, reads it back in a compound, and deletes it.
func roundTrip(t *testing.T, sess *rawsmb.Session, name string) {
	t.Helper()
	tree, err := sess.TreeConnect("share")
	if err != nil {
		t.Fatal(err)
	}
	f, err := tree.Create(smb2.CreateRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte(name), 100)
	if _, err := tree.Do(smb2.CommandWrite, &smb2.WriteRequest{FileID: f.FileID, Data: want}); err != nil {
		t.Fatal(err)
	}
	if err := tree.CloseFile(f.FileID); err != nil {
		t.Fatal(err)
	}
	related := smb2.FileID{Persistent: ^uint64(0), Volatile: ^uint64(0)}
	h := func(cmd smb2.Command, flags smb2.Flags) smb2.Header {
		return smb2.Header{Command: cmd, TreeID: tree.TreeID, Flags: flags}
	}
	ps, err := sess.StartCompound(
		rawsmb.Part{Header: h(smb2.CommandCreate, 0), Body: &smb2.CreateRequest{Name: name, DesiredAccess: smb2.GenericRead | smb2.Delete,
			CreateDisposition: smb2.FileOpen, CreateOptions: smb2.FileDeleteOnClose, ImpersonationLevel: smb2.ImpersonationImpersonation}},
		rawsmb.Part{Header: h(smb2.CommandRead, smb2.FlagRelated), Body: &smb2.ReadRequest{FileID: related, Length: 65536}},
		rawsmb.Part{Header: h(smb2.CommandClose, smb2.FlagRelated), Body: &smb2.CloseRequest{FileID: related}})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range ps {
		m, err := p.Final(t.Context())
		if err != nil || m.Header.Status != ntstatus.Success {
			t.Fatalf("element %d of the compound: %v %v", i, m.Header.Status, err)
		}
		if i == 1 {
			var r smb2.ReadResponse
			if err := r.Decode(m.Bytes); err != nil || !bytes.Equal(r.Data, want) {
				t.Errorf("read %d bytes, want %d as written (%v)", len(r.Data), len(want), err)
			}
		}
	}
	if _, err := tree.Create(smb2.CreateRequest{Name: name, CreateDisposition: smb2.FileOpen}); !errors.Is(err, ntstatus.ObjectNameNotFound) {
		t.Errorf("open after delete: got %v, want %v", err, ntstatus.ObjectNameNotFound)
	}
	if err := sess.Logoff(); err != nil {
		t.Error(fmt.Errorf("logoff: %w", err))
	}
}
