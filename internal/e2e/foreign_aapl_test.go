package e2e

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// macQuery is what a Mac sends with its first CREATE: all three questions, and what it can do itself.
var macQuery = smb2.AAPLRequest{CommandCode: smb2.AAPLServerQuery, RequestBitmap: 7, ClientCapabilities: 0x3F}

// aapl opens the share's root with an AAPL context, as a Mac does.
func aapl(t *testing.T, addr string, u lab.User, data []byte) (smb2.CreateResponse, error) {
	t.Helper()
	conn, err := rawsmb.Dial(t.Context(), addr, rawsmb.Options{Dialects: []smb2.Dialect{smb2.Dialect302}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s, err := conn.Login(t.Context(), u.Name, u.Password)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.TreeConnect("share")
	if err != nil {
		t.Fatal(err)
	}
	return tree.Create(smb2.CreateRequest{DesiredAccess: smb2.FileReadAttributes, CreateDisposition: smb2.FileOpen,
		CreateContexts: []smb2.CreateContext{{Name: []byte(smb2.CreateAAPL), Data: data}, {Name: []byte(smb2.CreateQueryMaximalAccessRequest)}}})
}

// TestForeignMac holds our answers to a Mac's questions against an smbd with vfs_fruit: we promise nothing that it
// does not, leave out only what needs its help at the backend, and refuse what it refuses.
func TestForeignMac(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	u := c.Lab.User("user1")
	conf := c.Lab.DirectConf("fruit")
	fruit := c.Lab.MustSamba(lab.SambaOptions{Name: "fruit", Passwords: true, Conf: func(d lab.Dirs) string {
		return strings.Replace(conf(d), "[fruit]", "[share]", 1) + "\tvfs objects = fruit streams_xattr\n\tfruit:time machine = yes\n"
	}})
	for _, bitmap := range []uint64{7, 1, 2, 4, 5, 0} {
		query := macQuery
		query.RequestBitmap = bitmap
		ask := func(addr string) (answer smb2.AAPLResponse) {
			t.Helper()
			resp, err := aapl(t, addr, u, query.Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			data, ok := smb2.FindCreateContext(resp.CreateContexts, smb2.CreateAAPL)
			if !ok {
				t.Fatal("no AAPL context in the answer")
			}
			if err := answer.Decode(data); err != nil {
				t.Fatal(err)
			}
			if _, ok := smb2.FindCreateContext(resp.CreateContexts, smb2.CreateQueryMaximalAccessRequest); !ok {
				t.Error("the other context has no answer")
			}
			return answer
		}
		ours, theirs := ask(c.Proxy.Addr()), ask(fruit.Addr())
		if ours.CommandCode != theirs.CommandCode || ours.ReplyBitmap != theirs.ReplyBitmap || (ours.Model == "") != (theirs.Model == "") {
			t.Errorf("bitmap %d: got %+v, vfs_fruit answers %+v", bitmap, ours, theirs)
		}
		const atBackend = smb2.AAPLSupportsReadDirAttr | smb2.AAPLSupportsOSXCopyfile | smb2.AAPLSupportsNFSACE
		if ours.ServerCaps != theirs.ServerCaps&^atBackend || ours.VolumeCaps != theirs.VolumeCaps {
			t.Errorf("bitmap %d: promises %x and %x, vfs_fruit %x and %x", bitmap, ours.ServerCaps, ours.VolumeCaps, theirs.ServerCaps, theirs.VolumeCaps)
		}
	}
	for name, data := range map[string][]byte{
		"empty":      nil,
		"short":      macQuery.Append(nil)[:23],
		"long":       append(macQuery.Append(nil), 0),
		"resolve id": (&smb2.AAPLRequest{CommandCode: smb2.AAPLResolveID, FileID: 5}).Append(nil),
		"unknown":    binary.LittleEndian.AppendUint64(nil, 99),
	} {
		_, got := aapl(t, c.Proxy.Addr(), u, data)
		_, want := aapl(t, fruit.Addr(), u, data)
		var status ntstatus.Status
		if !errors.As(want, &status) || !errors.Is(got, status) {
			t.Errorf("%s: got %v, vfs_fruit answers %v", name, got, want)
		}
	}
}
