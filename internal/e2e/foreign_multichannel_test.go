package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// channels logs user1 in and binds a second connection to the session; both trees are the same TreeConnect.
func channels(t *testing.T, c *lab.Cluster, opt rawsmb.Options, seal bool) (first, second *rawsmb.Tree) {
	t.Helper()
	u := c.Lab.User("user1")
	opt.ClientGUID = smb2.GUID{1, 2, 3}
	dial := func() *rawsmb.Conn {
		conn, err := rawsmb.Dial(t.Context(), c.Proxy.Addr(), opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		if conn.Resp.Capabilities&smb2.GlobalCapMultiChannel == 0 {
			t.Fatalf("%v: no SMB2_GLOBAL_CAP_MULTI_CHANNEL", conn.Resp.DialectRevision)
		}
		return conn
	}
	s, err := dial().Login(t.Context(), u.Name, u.Password)
	if err != nil {
		t.Fatal(err)
	}
	s.Sign, s.Seal = true, seal
	if first, err = s.TreeConnect("share"); err != nil {
		t.Fatal(err)
	}
	bound, err := s.Bind(t.Context(), dial(), rawsmb.NTLM(u.Name, u.Password))
	if err != nil {
		t.Fatalf("bind: %v", err)
	}
	return first, &rawsmb.Tree{Session: bound, TreeID: first.TreeID}
}

// TestMultichannel works with one file over two connections of one session: each writes what the other reads,
// both at once, and when the first connection breaks the session and its open live on by the second.
func TestMultichannel(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	for _, d := range []smb2.Dialect{smb2.Dialect300, smb2.Dialect302, smb2.Dialect311} {
		for _, seal := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v sealed %v", d, seal), func(t *testing.T) {
				first, second := channels(t, c, rawsmb.Options{Dialects: []smb2.Dialect{d}}, seal)
				f, err := first.Create(smb2.CreateRequest{Name: "two ways"})
				if err != nil {
					t.Fatal(err)
				}
				const part, parts = 64 << 10, 16
				want := noise(3, part*parts)
				inTwo(t, first, second, parts, func(tree *rawsmb.Tree, i int) error {
					_, err := tree.Do(smb2.CommandWrite, &smb2.WriteRequest{FileID: f.FileID, Offset: uint64(i * part), Data: want[i*part : (i+1)*part]})
					return err
				})
				inTwo(t, second, first, parts, func(tree *rawsmb.Tree, i int) error { // who wrote a part does not read it
					return reads(tree, f.FileID, i*part, want[i*part:(i+1)*part])
				})
				first.Conn.Close()
				if err := reads(second, f.FileID, 0, want[:part]); err != nil {
					t.Errorf("after the first connection has gone: %v", err)
				}
				if err := second.CloseFile(f.FileID); err != nil {
					t.Errorf("close: %v", err)
				}
				if err := second.Logoff(); err != nil {
					t.Errorf("logoff: %v", err)
				}
			})
		}
	}
}

// inTwo does the even steps on one channel and the odd ones on the other, at the same time.
func inTwo(t *testing.T, even, odd *rawsmb.Tree, steps int, step func(*rawsmb.Tree, int) error) {
	t.Helper()
	var wg sync.WaitGroup
	for side, tree := range []*rawsmb.Tree{even, odd} {
		wg.Go(func() {
			for i := side; i < steps; i += 2 {
				if err := step(tree, i); err != nil {
					t.Errorf("step %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

// reads compares a part of a file.
func reads(tree *rawsmb.Tree, id smb2.FileID, off int, want []byte) error {
	m, err := tree.Do(smb2.CommandRead, &smb2.ReadRequest{FileID: id, Offset: uint64(off), Length: uint32(len(want))})
	if err != nil {
		return err
	}
	var r smb2.ReadResponse
	if err := r.Decode(m.Bytes); err != nil {
		return err
	}
	if !bytes.Equal(r.Data, want) {
		return fmt.Errorf("%d bytes at %d differ from the %d that were written", len(r.Data), off, len(want))
	}
	return nil
}

// TestMultichannelRefused: nobody binds to another user's session, from another machine, without the session's
// key, or where the administrator said no.
func TestMultichannelRefused(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	first, _ := channels(t, c, rawsmb.Options{}, false)
	u1, u2 := c.Lab.User("user1"), c.Lab.User("user2")
	bind := func(guid smb2.GUID, s *rawsmb.Session, u lab.User) error {
		conn, err := rawsmb.Dial(t.Context(), c.Proxy.Addr(), rawsmb.Options{ClientGUID: guid})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, err = s.Bind(t.Context(), conn, rawsmb.NTLM(u.Name, u.Password))
		return err
	}
	mine := smb2.GUID{1, 2, 3}
	stranger, _ := channels(t, c, rawsmb.Options{}, false)
	forged := *stranger.Session // another session's key, this one's id
	forged.ID = first.ID
	for _, try := range []struct {
		name string
		err  error
		want ntstatus.Status
	}{
		{"another user", bind(mine, first.Session, u2), ntstatus.AccessDenied},
		{"another ClientGuid", bind(smb2.GUID{9}, first.Session, u1), ntstatus.UserSessionDeleted},
		{"another key", bind(mine, &forged, u1), ntstatus.AccessDenied},
		{"wrong password", bind(mine, first.Session, lab.User{Name: u1.Name, Password: "wrong"}), ntstatus.LogonFailure},
	} {
		if !errors.Is(try.err, try.want) {
			t.Errorf("%s: got %v, want %v", try.name, try.err, try.want)
		}
	}
	if _, err := first.Create(smb2.CreateRequest{Name: "still there"}); err != nil {
		t.Errorf("the session did not outlive the attempts: %v", err)
	}
	if err := c.Reconfigure(func(opt *lab.ClusterOptions) {
		opt.GlobalLines = []string{"server signing = auto", "server multi channel support = no"}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Proxy.Run(t.Context(), "reload"); err != nil {
		t.Fatal(err)
	}
	conn, err := rawsmb.Dial(t.Context(), c.Proxy.Addr(), rawsmb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.Resp.Capabilities&smb2.GlobalCapMultiChannel != 0 {
		t.Error("multichannel is offered where it is off")
	}
	if err := bind(mine, first.Session, u1); !errors.Is(err, ntstatus.RequestNotAccepted) {
		t.Errorf("bind where it is off: got %v, want %v", err, ntstatus.RequestNotAccepted)
	}
}

// TestMultichannelInterfaces: clients are told where smbproxy listens.
func TestMultichannelInterfaces(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	first, _ := channels(t, c, rawsmb.Options{}, false)
	ask := func(room uint32) (rawsmb.Message, error) {
		return first.Do(smb2.CommandIoctl, &smb2.IoctlRequest{CtlCode: smb2.FsctlQueryNetworkInterfaceInfo, Flags: smb2.IoctlIsFsctl,
			FileID: smb2.RelatedFileID, MaxOutputResponse: room})
	}
	if _, err := ask(1); !errors.Is(err, ntstatus.BufferTooSmall) { // [MS-SMB2] 3.3.5.15.11
		t.Errorf("with room for one byte: got %v, want %v", err, ntstatus.BufferTooSmall)
	}
	m, err := ask(65536)
	if err != nil {
		t.Fatal(err)
	}
	var r smb2.IoctlResponse
	if err := r.Decode(m.Bytes); err != nil {
		t.Fatal(err)
	}
	list, err := smb2.DecodeNetworkInterfaces(r.Output)
	want := netip.MustParseAddrPort(c.Proxy.Addr()).Addr()
	if err != nil || len(list) != 1 || list[0].Address != want || list[0].LinkSpeed == 0 || list[0].IfIndex == 0 {
		t.Errorf("got %+v, %v; want %v alone", list, err, want)
	}
}

// TestMultichannelLimit: a session has 32 channels at most, and a new one in place of one that went.
func TestMultichannelLimit(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	first, second := channels(t, c, rawsmb.Options{}, false)
	u := c.Lab.User("user1")
	bind := func() error {
		conn, err := rawsmb.Dial(t.Context(), c.Proxy.Addr(), rawsmb.Options{ClientGUID: smb2.GUID{1, 2, 3}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		_, err = first.Bind(t.Context(), conn, rawsmb.NTLM(u.Name, u.Password))
		return err
	}
	for n := 3; n <= 32; n++ {
		if err := bind(); err != nil {
			t.Fatalf("channel %d: %v", n, err)
		}
	}
	if err := bind(); !errors.Is(err, ntstatus.InsufficientResources) {
		t.Errorf("channel 33: got %v, want %v", err, ntstatus.InsufficientResources)
	}
	second.Conn.Close()
	if err := lab.WaitFor(10*time.Second, bind); err != nil { // until smbproxy has seen the end of the other
		t.Errorf("a channel in place of one that went: %v", err)
	}
}
