package hostile

import (
	"encoding/binary"
	"slices"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// le is SMB2's byte order.
var le = binary.LittleEndian

// frameCases are what may be wrong with a frame of an authenticated client whose session signs. Each says
// itself how it must end.
var frameCases = []struct {
	name string
	run  func(t *testing.T, c *client)
}{
	{"replayed", func(t *testing.T, c *client) { // [MS-SMB2] 3.3.5.2.3: the id is not in the window any more
		msg := c.echoMessage()
		c.status(ntstatus.Success, msg)
		c.send(msg)
		gone(t, c.Conn)
	}},
	{"reordered", func(t *testing.T, c *client) { // ids of the window may come in any order
		first, second := c.echoMessage(), c.echoMessage()
		c.status(ntstatus.Success, second)
		c.status(ntstatus.Success, first)
		c.echo()
	}},
	{"unsigned", func(t *testing.T, c *client) { // 3.3.5.2.4
		msg := c.echoMessage()
		smb2.SetRawFlags(msg, 0)
		clear(smb2.RawSignature(msg))
		c.status(ntstatus.AccessDenied, msg)
		c.echo()
	}},
	{"unsigned, signed flag", func(t *testing.T, c *client) {
		msg := c.echoMessage()
		clear(smb2.RawSignature(msg))
		c.status(ntstatus.AccessDenied, msg)
		c.echo()
	}},
	{"wrongly signed", func(t *testing.T, c *client) {
		for bit := range 8 * 16 {
			if bit%16 != 3 && bit != 127 {
				continue
			}
			msg := c.echoMessage()
			smb2.RawSignature(msg)[bit/8] ^= 1 << (bit % 8)
			c.status(ntstatus.AccessDenied, msg)
		}
		c.echo()
	}},
	{"changed after signing", func(t *testing.T, c *client) { // each field of the header counts, and the body
		for _, off := range []int{6, 14, 36, 66} {
			msg := c.echoMessage()
			msg[off] ^= 1
			c.status(ntstatus.AccessDenied, msg)
		}
		c.echo()
	}},
	{"TREE_CONNECT unsigned", func(t *testing.T, c *client) { // 3.3.5.7, and 3.3.5.2.4 before it
		msg := (&smb2.TreeConnectRequest{Path: `\\smbproxy\share`}).Append(ptr(c.header(smb2.CommandTreeConnect)).Append(nil))
		c.status(ntstatus.AccessDenied, msg)
		c.echo()
	}},
	{"header alone", func(t *testing.T, c *client) {
		c.status(ntstatus.InvalidParameter, c.message(c.header(smb2.CommandRead), rawsmb.Body(nil)))
		c.echo()
	}},
	{"every truncation of a header", func(t *testing.T, c *client) { // 3.3.5.2
		c.send(c.echoMessage()[:63])
		gone(t, c.Conn)
	}},
	{"four bytes", func(t *testing.T, c *client) { c.send(c.echoMessage()[:4]); gone(t, c.Conn) }},
	{"one byte", func(t *testing.T, c *client) { c.send([]byte{0xFE}); gone(t, c.Conn) }},
	{"truncated bodies", func(t *testing.T, c *client) {
		for cmd, size := range structureSizes {
			for _, n := range []int{0, 1, size / 2, size - 2} {
				body := make(rawsmb.Body, n)
				if n >= 2 {
					le.PutUint16(body, uint16(size))
				}
				if len(body) >= size&^1 {
					continue
				}
				c.status(ntstatus.InvalidParameter, c.message(c.header(cmd), body))
			}
		}
		c.echo()
	}},
	{"wrong structure size", func(t *testing.T, c *client) {
		for cmd, size := range structureSizes {
			body := make(rawsmb.Body, size+8)
			le.PutUint16(body, uint16(size+1))
			c.status(ntstatus.InvalidParameter, c.message(c.header(cmd), body))
		}
		c.echo()
	}},
	{"garbage", func(t *testing.T, c *client) {
		c.send(slices.Repeat([]byte{0xA5}, 333))
		gone(t, c.Conn)
	}},
	{"garbage behind a good message", func(t *testing.T, c *client) { // what lies behind a message is signed too
		msg := append((&smb2.EchoRequest{}).Append(ptr(c.header(smb2.CommandEcho)).Append(nil)), slices.Repeat([]byte{0xA5}, 4096)...)
		c.SignMessage(msg)
		c.status(ntstatus.Success, msg)
		c.echo()
	}},
	{"a response", func(t *testing.T, c *client) {
		h := c.header(smb2.CommandEcho)
		h.Flags |= smb2.FlagServerToRedir
		c.send(c.message(h, &smb2.EchoResponse{}))
		gone(t, c.Conn)
	}},
	{"header's StructureSize", func(t *testing.T, c *client) {
		msg := c.echoMessage()
		msg[4] = 65
		c.SignMessage(msg)
		c.send(msg)
		gone(t, c.Conn)
	}},
	{"unknown commands", func(t *testing.T, c *client) {
		for _, cmd := range []smb2.Command{19, 20, 0x7F, 0xFFFF} {
			c.status(ntstatus.InvalidParameter, c.message(c.header(cmd), rawsmb.Body{4, 0, 0, 0}))
		}
		c.echo()
	}},
	{"unknown flags", func(t *testing.T, c *client) {
		for _, f := range []smb2.Flags{0x100, 0x80000000, smb2.FlagAsync} {
			h := c.header(smb2.CommandEcho)
			h.Flags = f
			c.status(ntstatus.InvalidParameter, c.message(h, &smb2.EchoRequest{}))
		}
		c.echo()
	}},
	{"NEGOTIATE twice", func(t *testing.T, c *client) { // 3.3.5.4
		c.send(c.message(c.header(smb2.CommandNegotiate), &smb2.NegotiateRequest{Dialects: []smb2.Dialect{smb2.Dialect210}}))
		gone(t, c.Conn)
	}},
	{"SMB1 NEGOTIATE afterwards", func(t *testing.T, c *client) {
		c.send(smb1Negotiate("NT LM 0.12", "SMB 2.002"))
		gone(t, c.Conn)
	}},
	{"SMB1 command", func(t *testing.T, c *client) {
		msg := smb1Negotiate("NT LM 0.12")
		msg[4] = 0x73
		c.send(msg)
		gone(t, c.Conn)
	}},
	{"compressed", func(t *testing.T, c *client) { // was not negotiated, 3.3.5.2.13
		c.send(append([]byte("\xFCSMB"), make([]byte, 96)...))
		gone(t, c.Conn)
	}},
	{"LOGOFF and on", func(t *testing.T, c *client) { // 3.3.5.2.9
		c.call(ntstatus.Success, smb2.CommandLogoff, &smb2.LogoffRequest{})
		c.status(ntstatus.UserSessionDeleted, c.echoMessage())
		msg := c.message(c.header(smb2.CommandCreate), createRequest("x", smb2.FileOpenIf, 0))
		c.status(ntstatus.UserSessionDeleted, msg)
	}},
}

// structureSizes are those of requests whose rows check them ([MS-SMB2] 2.2).
var structureSizes = map[smb2.Command]int{
	smb2.CommandTreeConnect: 9, smb2.CommandTreeDisconnect: 4, smb2.CommandCreate: 57, smb2.CommandClose: 24, smb2.CommandFlush: 24,
	smb2.CommandRead: 49, smb2.CommandWrite: 49, smb2.CommandLock: 48, smb2.CommandIoctl: 57, smb2.CommandQueryDirectory: 33,
	smb2.CommandChangeNotify: 32, smb2.CommandQueryInfo: 41, smb2.CommandSetInfo: 33, smb2.CommandEcho: 4, smb2.CommandLogoff: 4,
}

// smb1Negotiate is SMB1's NEGOTIATE ([MS-CIFS] 2.2.4.52.1).
func smb1Negotiate(dialects ...string) []byte {
	msg := append([]byte("\xFFSMB\x72"), make([]byte, 27)...)
	var list []byte
	for _, d := range dialects {
		list = append(append(append(list, 2), d...), 0)
	}
	return append(le.AppendUint16(append(msg, 0), uint16(len(list))), list...)
}

// ptr is a pointer to v.
func ptr[T any](v T) *T { return &v }

// TestFrames sends each wrong frame to both sites: nobody else notices, nothing remains.
func TestFrames(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		w := newWitness(s.client(t, "user2", rawsmb.Options{}))
		for _, fc := range frameCases {
			t.Run(fc.name, func(t *testing.T) {
				c := s.client(t, "user1", rawsmb.Options{})
				c.Sign = true
				fc.run(t, c)
				c.Conn.Close()
				w.undisturbed(t)
			})
		}
	})
}

// TestSealedFrames is TestFrames for what may be wrong with a TRANSFORM_HEADER ([MS-SMB2] 3.3.5.2.1.1): all of
// it ends the connection.
func TestSealedFrames(t *testing.T) {
	seal := func(t *testing.T, c *client, msg []byte) []byte {
		t.Helper()
		frame, err := c.SealFrame(msg)
		must(t, err)
		return frame
	}
	cases := []struct {
		name string
		make func(t *testing.T, c *client, other *client) []byte
	}{
		{"unknown session", func(t *testing.T, c, _ *client) []byte {
			f := seal(t, c, c.echoMessage())
			le.PutUint64(f[44:], c.ID^0x1000)
			return f
		}},
		{"no session", func(t *testing.T, c, _ *client) []byte {
			f := seal(t, c, c.echoMessage())
			le.PutUint64(f[44:], 0)
			return f
		}},
		{"session of another connection", func(t *testing.T, c, other *client) []byte { // with its right key
			h := c.header(smb2.CommandEcho)
			h.SessionID = other.ID
			return seal(t, other, (&smb2.EchoRequest{}).Append(h.Append(nil)))
		}},
		{"message of another session inside", func(t *testing.T, c, other *client) []byte {
			h := c.header(smb2.CommandEcho)
			h.SessionID = other.ID
			return seal(t, c, (&smb2.EchoRequest{}).Append(h.Append(nil)))
		}},
		{"wrong tag", func(t *testing.T, c, _ *client) []byte { f := seal(t, c, c.echoMessage()); f[4] ^= 1; return f }},
		{"wrong nonce", func(t *testing.T, c, _ *client) []byte { f := seal(t, c, c.echoMessage()); f[20] ^= 1; return f }},
		{"changed text", func(t *testing.T, c, _ *client) []byte { f := seal(t, c, c.echoMessage()); f[len(f)-1] ^= 1; return f }},
		{"plain text", func(t *testing.T, c, _ *client) []byte {
			msg := c.echoMessage()
			return append(seal(t, c, slices.Clone(msg))[:smb2.TransformHeaderSize], msg...)
		}},
		{"size too small", func(t *testing.T, c, _ *client) []byte {
			f := seal(t, c, c.echoMessage())
			le.PutUint32(f[36:], le.Uint32(f[36:])-1)
			return f
		}},
		{"size too large", func(t *testing.T, c, _ *client) []byte {
			f := seal(t, c, c.echoMessage())
			le.PutUint32(f[36:], 0xFFFFFFFF)
			return f
		}},
		{"flags", func(t *testing.T, c, _ *client) []byte { f := seal(t, c, c.echoMessage()); f[42] = 2; return f }},
		{"header alone", func(t *testing.T, c, _ *client) []byte { return seal(t, c, c.echoMessage())[:smb2.TransformHeaderSize] }},
		{"nothing inside", func(t *testing.T, c, _ *client) []byte { return seal(t, c, nil) }},
		{"63 bytes inside", func(t *testing.T, c, _ *client) []byte { return seal(t, c, c.echoMessage()[:63]) }},
		{"nested", func(t *testing.T, c, _ *client) []byte { return seal(t, c, seal(t, c, c.echoMessage())) }},
		{"SMB1 inside", func(t *testing.T, c, _ *client) []byte {
			return seal(t, c, append(smb1Negotiate("SMB 2.???"), make([]byte, 64)...))
		}},
		{"compressed inside", func(t *testing.T, c, _ *client) []byte {
			return seal(t, c, append([]byte("\xFCSMB"), make([]byte, 96)...))
		}},
	}
	onBoth(t, func(t *testing.T, s site) {
		w := newWitness(s.client(t, "user2", rawsmb.Options{}))
		for _, fc := range cases {
			t.Run(fc.name, func(t *testing.T) {
				c := s.client(t, "user1", rawsmb.Options{})
				c.send(fc.make(t, c, w.client))
				gone(t, c.Conn)
				w.undisturbed(t)
			})
		}
		t.Run("replayed", func(t *testing.T) { // the message id has been used
			c := s.client(t, "user1", rawsmb.Options{})
			f := seal(t, c, c.echoMessage())
			c.send(f)
			c.send(f)
			<-c.Conn.Done()
			w.undisturbed(t)
		})
	})
}
