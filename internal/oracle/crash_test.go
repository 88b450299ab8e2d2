package oracle_test

import (
	"errors"
	"testing"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// TestInventedResumeKey: asked directly, smbd 4.17 dies of a COPYCHUNK with a key if it has given out none before;
// through smbproxy such a key never gets there. The lab fails the test where an smbd logged a PANIC.
func TestInventedResumeKey(t *testing.T) {
	l := lab.New(t, lab.Options{PlainTree: true})
	p := l.MustCluster(lab.ClusterOptions{}).Proxy
	c, err := rawsmb.Dial(t.Context(), p.Addr(), rawsmb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	u := l.User("user1")
	s, err := c.Login(t.Context(), u.Name, u.Password)
	if err != nil {
		t.Fatal(err)
	}
	s.Sign = true
	tree, err := s.TreeConnect("share")
	if err != nil {
		t.Fatal(err)
	}
	f, err := tree.Create(smb2.CreateRequest{Name: "f"})
	if err != nil {
		t.Fatal(err)
	}
	in := smb2.SrvCopychunkCopy{Chunks: []smb2.SrvCopychunk{{Length: 10}}}
	_, err = tree.Do(smb2.CommandIoctl, &smb2.IoctlRequest{CtlCode: smb2.FsctlSrvCopychunk, FileID: f.FileID, Flags: smb2.IoctlIsFsctl,
		MaxOutputResponse: 12, Input: in.Append(nil)})
	if !errors.Is(err, ntstatus.ObjectNameNotFound) {
		t.Errorf("copy from an invented key: got %v, want %v", err, ntstatus.ObjectNameNotFound)
	}
	if err := tree.CloseFile(f.FileID); err != nil {
		t.Errorf("the open did not survive: %v", err)
	}
}
