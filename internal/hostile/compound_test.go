package hostile

import (
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// chain strings n messages together with NextCommand as they lie, each signed; build makes the i-th.
func (c *client) chain(n int, build func(i int) (smb2.Header, smb2.Body)) (frame []byte, ids []uint64) {
	for i := range n {
		h, body := build(i)
		msg := body.Append(h.Append(nil))
		if i < n-1 {
			for len(msg)%8 != 0 {
				msg = append(msg, 0)
			}
			smb2.SetRawNextCommand(msg, uint32(len(msg)))
		}
		c.SignMessage(msg)
		frame = append(frame, msg...)
		ids = append(ids, h.MessageID)
	}
	return frame, ids
}

// echoes is a chain of n ECHOs.
func (c *client) echoes(n int) ([]byte, []uint64) {
	return c.chain(n, func(int) (smb2.Header, smb2.Body) { return c.header(smb2.CommandEcho), &smb2.EchoRequest{} })
}

// TestCompoundChains: a chain that is not one ends the connection before anything of it has run ([MS-SMB2]
// 3.3.5.2.7; smbd 4.17 likewise).
func TestCompoundChains(t *testing.T) {
	cases := []struct {
		name string
		next func(size, total int) uint32 // NextCommand of the first of three
	}{
		{"not aligned", func(size, _ int) uint32 { return uint32(size) + 1 }},
		{"aligned to 4", func(size, _ int) uint32 { return uint32(size) + 4 }},
		{"itself", func(int, int) uint32 { return 8 }},
		{"within its header", func(int, int) uint32 { return 56 }},
		{"beyond the end", func(_, total int) uint32 { return uint32(total) + 8 }},
		{"to the end", func(_, total int) uint32 { return uint32(total) }},
		{"a header does not fit behind", func(_, total int) uint32 { return uint32(total - 56) }},
		{"backwards", func(int, int) uint32 { return 0xFFFFFFF8 }},
		{"far", func(int, int) uint32 { return 0x7FFFFFF8 }},
		{"into a body", func(size, _ int) uint32 { return uint32(size) + 8 }},
	}
	onBoth(t, func(t *testing.T, s site) {
		w := newWitness(s.client(t, "user2", rawsmb.Options{}))
		for _, cc := range cases {
			t.Run(cc.name, func(t *testing.T) {
				c := s.client(t, "user1", rawsmb.Options{})
				frame, _ := c.echoes(3)
				size := int(smb2.RawNextCommand(frame))
				smb2.SetRawNextCommand(frame, cc.next(size, len(frame)))
				c.SignMessage(frame[:size])
				c.send(frame)
				gone(t, c.Conn)
				w.undisturbed(t)
			})
		}
	})
}

// TestUnalignedCompound: a good message that begins where no message may begin.
func TestUnalignedCompound(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		c := s.client(t, "user1", rawsmb.Options{})
		first, second := c.echoMessage(), c.echoMessage() // of 68 bytes: a multiple of 4, not of 8
		smb2.SetRawNextCommand(first, uint32(len(first)))
		c.SignMessage(first)
		c.send(append(first, second...))
		gone(t, c.Conn)
	})
}

// TestLongCompounds: a thousand elements are served, more than maxCompound end the connection.
func TestLongCompounds(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		w := newWitness(s.client(t, "user2", rawsmb.Options{}))
		c := s.client(t, "user1", rawsmb.Options{})
		for c.Conn.Credits() < 4096 {
			c.want(ntstatus.Success, smb2.Header{Command: smb2.CommandEcho, Credits: 4096}, &smb2.EchoRequest{})
		}
		frame, ids := c.echoes(1000)
		var ps []*rawsmb.Pending
		for _, id := range ids {
			ps = append(ps, c.Conn.Expect(id))
		}
		c.send(frame)
		for _, p := range ps {
			wait(t, p, ntstatus.Success)
		}
		frame, _ = c.echoes(2000)
		c.send(frame)
		gone(t, c.Conn)
		w.undisturbed(t)
	})
}

// TestCompoundOfReads: the replies of a compound leave in one frame, so more than 16 MiB of them cannot leave
// at all. The connection ends, and what was gathered is bounded.
//
// Samba: the same, when the frame is to be sent (4.17).
func TestCompoundOfReads(t *testing.T) {
	s := newStack(t, nil)
	w := newWitness(s.client(t, "user2", rawsmb.Options{}))
	c := s.client(t, "user1", rawsmb.Options{})
	id := c.create("large", 0)
	for c.Conn.Credits() < 8000 {
		c.want(ntstatus.Success, smb2.Header{Command: smb2.CommandEcho, Credits: 8192}, &smb2.EchoRequest{})
	}
	before := heap()
	reads := func(n, size int) ([]byte, []uint64) {
		return c.chain(n, func(int) (smb2.Header, smb2.Body) {
			h := c.header(smb2.CommandRead)
			h.CreditCharge = smb2.CreditCharge(size)
			h.MessageID = c.Conn.Take(h.CreditCharge)
			return h, &smb2.ReadRequest{FileID: id, Length: uint32(size)}
		})
	}
	frame, ids := reads(200, 65536) // 12.5 MiB
	var ps []*rawsmb.Pending
	for _, id := range ids {
		ps = append(ps, c.Conn.Expect(id))
	}
	c.send(frame)
	for _, p := range ps {
		wait(t, p, ntstatus.Success)
	}
	frame, _ = reads(60, 8<<20) // 480 MiB
	c.send(frame)
	gone(t, c.Conn)
	if grown := heap() - before; grown > 64<<20 {
		t.Errorf("%d bytes more in use, want 64 MiB at most", grown)
	}
	w.undisturbed(t)
}

// TestRelated: what a compound inherits ([MS-SMB2] 3.3.5.2.7.2) must be there, and is never another session's.
func TestRelated(t *testing.T) {
	all := smb2.RelatedFileID
	cases := []struct {
		name  string
		parts func(c *client, other *witness) []rawsmb.Part
		want  []ntstatus.Status
	}{
		{"first is related", func(c *client, _ *witness) []rawsmb.Part {
			return []rawsmb.Part{
				{Header: smb2.Header{Command: smb2.CommandRead, Flags: smb2.FlagRelated, TreeID: c.tree}, Body: &smb2.ReadRequest{FileID: all, Length: 10}},
				{Header: smb2.Header{Command: smb2.CommandEcho}, Body: &smb2.EchoRequest{}},
			}
		}, []ntstatus.Status{ntstatus.InvalidParameter, ntstatus.Success}},
		{"no file to inherit", func(c *client, _ *witness) []rawsmb.Part {
			return []rawsmb.Part{
				{Header: smb2.Header{Command: smb2.CommandEcho}, Body: &smb2.EchoRequest{}},
				{Header: smb2.Header{Command: smb2.CommandRead, TreeID: c.tree}, Body: &smb2.ReadRequest{FileID: all, Length: 10}},
			}
		}, []ntstatus.Status{ntstatus.Success, ntstatus.FileClosed}},
		{"the file of a failed CREATE", func(c *client, _ *witness) []rawsmb.Part {
			return []rawsmb.Part{
				{Header: smb2.Header{Command: smb2.CommandCreate, TreeID: c.tree}, Body: createRequest(`..\x`, smb2.FileOpenIf, 0)},
				{Header: smb2.Header{Command: smb2.CommandRead, Flags: smb2.FlagRelated}, Body: &smb2.ReadRequest{FileID: all, Length: 10}},
				{Header: smb2.Header{Command: smb2.CommandClose, Flags: smb2.FlagRelated}, Body: &smb2.CloseRequest{FileID: all}},
			}
		}, []ntstatus.Status{ntstatus.ObjectPathSyntaxBad, ntstatus.ObjectPathSyntaxBad, ntstatus.ObjectPathSyntaxBad}},
		{"another session's file", func(c *client, other *witness) []rawsmb.Part {
			return []rawsmb.Part{
				{Header: smb2.Header{Command: smb2.CommandRead, TreeID: c.tree}, Body: &smb2.ReadRequest{FileID: other.file, Length: 100}},
				{Header: smb2.Header{Command: smb2.CommandRead, Flags: smb2.FlagRelated}, Body: &smb2.ReadRequest{FileID: all, Length: 100}},
			}
		}, []ntstatus.Status{ntstatus.FileClosed, ntstatus.FileClosed}},
		{"another session", func(c *client, other *witness) []rawsmb.Part {
			return []rawsmb.Part{
				{Header: smb2.Header{Command: smb2.CommandRead, SessionID: other.ID, TreeID: other.tree}, Body: &smb2.ReadRequest{FileID: other.file, Length: 100}},
				{Header: smb2.Header{Command: smb2.CommandRead, Flags: smb2.FlagRelated}, Body: &smb2.ReadRequest{FileID: other.file, Length: 100}},
			}
		}, []ntstatus.Status{ntstatus.UserSessionDeleted, ntstatus.InvalidParameter}},
	}
	onBoth(t, func(t *testing.T, s site) {
		w := newWitness(s.client(t, "user2", rawsmb.Options{}))
		for _, cc := range cases {
			t.Run(cc.name, func(t *testing.T) {
				c := s.client(t, "user1", rawsmb.Options{})
				ps, err := c.StartCompound(cc.parts(c, w)...)
				must(t, err)
				for i, p := range ps {
					wait(t, p, cc.want[i])
				}
				c.echo()
				w.undisturbed(t)
			})
		}
	})
}
