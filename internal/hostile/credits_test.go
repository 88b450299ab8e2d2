package hostile

import (
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// TestCredits: what a client may not do with its message ids and credits ([MS-SMB2] 3.3.5.2.3, 3.3.5.2.5).
func TestCredits(t *testing.T) {
	echo := func(c *client, id uint64, charge uint16) []byte {
		h := smb2.Header{Command: smb2.CommandEcho, CreditCharge: charge, Credits: 1, MessageID: id, SessionID: c.ID}
		return c.message(h, &smb2.EchoRequest{})
	}
	cases := []struct {
		name string
		run  func(t *testing.T, c *client)
	}{
		{"beyond the window", func(t *testing.T, c *client) { c.send(echo(c, c.Conn.Take(1)+100_000, 1)); gone(t, c.Conn) }},
		{"far beyond", func(t *testing.T, c *client) { c.send(echo(c, 1<<63, 1)); gone(t, c.Conn) }},
		{"the id of breaks", func(t *testing.T, c *client) { c.send(echo(c, ^uint64(0), 1)); gone(t, c.Conn) }},
		{"the range wraps", func(t *testing.T, c *client) { c.send(echo(c, ^uint64(0)-1, 3)); gone(t, c.Conn) }},
		{"below the window", func(t *testing.T, c *client) { c.send(echo(c, 0, 1)); gone(t, c.Conn) }},
		{"charge 0 counts as 1", func(t *testing.T, c *client) {
			id := c.Conn.Take(1)
			c.status(ntstatus.Success, echo(c, id, 0))
			c.send(echo(c, id, 0))
			gone(t, c.Conn)
		}},
		{"charge 65535", func(t *testing.T, c *client) { c.send(echo(c, c.Conn.Take(1), 0xFFFF)); gone(t, c.Conn) }},
		{"ranges that overlap", func(t *testing.T, c *client) {
			id := c.Conn.Take(4)
			c.status(ntstatus.Success, echo(c, id, 4))
			c.send(echo(c, id+2, 1))
			gone(t, c.Conn)
		}},
		{"a range with a used id in it", func(t *testing.T, c *client) {
			id := c.Conn.Take(4)
			c.status(ntstatus.Success, echo(c, id+2, 1))
			c.send(echo(c, id, 4))
			gone(t, c.Conn)
		}},
		{"twice in one compound", func(t *testing.T, c *client) { // all ids are looked at before anything runs
			msg := echo(c, c.Conn.Take(1), 1)
			for len(msg)%8 != 0 {
				msg = append(msg, 0)
			}
			first := append([]byte(nil), msg...)
			smb2.SetRawNextCommand(first, uint32(len(first)))
			c.SignMessage(first)
			c.send(append(first, msg...))
			gone(t, c.Conn)
		}},
		{"a payload that the charge does not pay for", func(t *testing.T, c *client) {
			id := c.create("large", 0)
			for _, body := range []struct {
				cmd  smb2.Command
				body smb2.Body
			}{
				{smb2.CommandRead, &smb2.ReadRequest{FileID: id, Length: 65537}},
				{smb2.CommandRead, &smb2.ReadRequest{FileID: id, Length: 1 << 20}},
				{smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Data: make([]byte, 65537)}},
				{smb2.CommandQueryInfo, &smb2.QueryInfoRequest{InfoType: smb2.InfoFile, FileInfoClass: smb2.FileAllInformation, FileID: id, OutputBufferLength: 65537}},
				{smb2.CommandQueryDirectory, &smb2.QueryDirectoryRequest{FileInformationClass: smb2.FileNamesInformation, FileID: id, FileName: "*", OutputBufferLength: 65537}},
				{smb2.CommandIoctl, &smb2.IoctlRequest{CtlCode: smb2.FsctlSrvRequestResumeKey, FileID: id, Flags: smb2.IoctlIsFsctl, MaxOutputResponse: 65537}},
				{smb2.CommandChangeNotify, &smb2.ChangeNotifyRequest{FileID: id, OutputBufferLength: 65537, CompletionFilter: 1}},
			} {
				c.call(ntstatus.InvalidParameter, body.cmd, body.body)
			}
			c.echo()
		}},
		{"all at once", func(t *testing.T, c *client) { // as many as were granted, and one more
			for c.Conn.Credits() < 300 {
				c.echo()
			}
			n := c.Conn.Credits()
			first := c.Conn.Take(uint16(n + 1))
			var ps []*rawsmb.Pending
			for i := range uint64(n) {
				ps = append(ps, c.Conn.Expect(first+i))
			}
			for i := range uint64(n) {
				h := smb2.Header{Command: smb2.CommandEcho, CreditCharge: 1, MessageID: first + i, SessionID: c.ID}
				c.send(c.message(h, &smb2.EchoRequest{}))
			}
			for _, p := range ps[:n-1] {
				wait(t, p, ntstatus.Success)
			}
			// The last one's reply brings a credit: a client is never left without.
			if m := wait(t, ps[n-1], ntstatus.Success); m.Header.Credits != 1 {
				t.Errorf("the last credit brings %d, want 1", m.Header.Credits)
			}
			c.send(echo(c, first+uint64(n)+1, 1))
			gone(t, c.Conn)
		}},
	}
	onBoth(t, func(t *testing.T, s site) {
		w := newWitness(s.client(t, "user2", rawsmb.Options{}))
		for _, cc := range cases {
			t.Run(cc.name, func(t *testing.T) {
				c := s.client(t, "user1", rawsmb.Options{})
				cc.run(t, c)
				c.Conn.Close()
				w.undisturbed(t)
			})
		}
	})
}

// TestCreditsAreBounded: however much a client asks for, it holds no more than the limit.
func TestCreditsAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		c := s.client(t, "user1", rawsmb.Options{})
		for range 200 {
			c.want(ntstatus.Success, smb2.Header{Command: smb2.CommandEcho, Credits: 0xFFFF}, &smb2.EchoRequest{})
			if n := c.Conn.Credits(); n > 8192 {
				t.Fatalf("the client holds %d credits, want 8192 at most", n)
			}
		}
		if n := c.Conn.Credits(); n != 8192 {
			t.Errorf("the client holds %d credits after asking for all there are, want 8192", n)
		}
	})
}
