package hostile

import (
	"math/rand/v2"
	"strings"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// fileRequests are every request that names a file, for the file that is given.
func fileRequests(id smb2.FileID) map[smb2.Command]smb2.Body {
	return map[smb2.Command]smb2.Body{
		smb2.CommandClose:          &smb2.CloseRequest{FileID: id},
		smb2.CommandFlush:          &smb2.FlushRequest{FileID: id},
		smb2.CommandRead:           &smb2.ReadRequest{FileID: id, Length: 100},
		smb2.CommandWrite:          &smb2.WriteRequest{FileID: id, Data: []byte("overwritten")},
		smb2.CommandLock:           &smb2.LockRequest{FileID: id, Locks: []smb2.LockElement{{Length: 1, Flags: smb2.LockFlagExclusiveLock | smb2.LockFlagFailImmediately}}},
		smb2.CommandIoctl:          &smb2.IoctlRequest{CtlCode: smb2.FsctlSrvRequestResumeKey, FileID: id, MaxOutputResponse: 100, Flags: smb2.IoctlIsFsctl},
		smb2.CommandQueryDirectory: &smb2.QueryDirectoryRequest{FileInformationClass: smb2.FileNamesInformation, FileID: id, FileName: "*", OutputBufferLength: 1000},
		smb2.CommandChangeNotify:   &smb2.ChangeNotifyRequest{FileID: id, OutputBufferLength: 1000, CompletionFilter: 1},
		smb2.CommandQueryInfo:      &smb2.QueryInfoRequest{InfoType: smb2.InfoFile, FileInfoClass: smb2.FileBasicInformation, FileID: id, OutputBufferLength: 1000},
		smb2.CommandSetInfo:        &smb2.SetInfoRequest{InfoType: smb2.InfoFile, FileInfoClass: smb2.FileDispositionInformation, FileID: id, Buffer: []byte{1}},
	}
}

// TestForeignIDs: the ids of another user's session, all of them right, are of no use ([MS-SMB2] 3.3.5.2.9,
// 3.3.5.2.11, 3.3.5.10 and its likes).
func TestForeignIDs(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		w := newWitness(s.client(t, "user2", rawsmb.Options{}))
		c := s.client(t, "user1", rawsmb.Options{})
		for cmd, body := range fileRequests(w.file) {
			t.Run(cmd.String(), func(t *testing.T) {
				c.t = t
				c.call(ntstatus.FileClosed, cmd, body)
				// In one's own session, the other's TreeId.
				foreign := w.tree
				if foreign == c.tree {
					foreign = 0x7777
				}
				c.want(ntstatus.NetworkNameDeleted, smb2.Header{Command: cmd, TreeID: foreign}, body)
				// The other's SessionId, signed with one's own key.
				c.want(ntstatus.UserSessionDeleted, smb2.Header{Command: cmd, TreeID: w.tree, SessionID: w.ID}, body)
				w.undisturbed(t)
			})
		}
		c.t = t
		// The same, with nobody's file of one's own: a FileId is looked for in the session, not the number.
		mine := c.create("mine", 0)
		for _, id := range []smb2.FileID{
			{Persistent: mine.Persistent, Volatile: mine.Volatile + 1}, {Persistent: mine.Persistent + 1, Volatile: mine.Volatile},
			{Persistent: mine.Volatile, Volatile: w.file.Volatile}, {}, {Persistent: ^uint64(0)}, {Volatile: ^uint64(0)}, smb2.RelatedFileID,
		} {
			if id == mine {
				continue
			}
			c.call(ntstatus.FileClosed, smb2.CommandRead, &smb2.ReadRequest{FileID: id, Length: 10})
		}
		c.call(ntstatus.Success, smb2.CommandClose, &smb2.CloseRequest{FileID: mine})
		c.call(ntstatus.FileClosed, smb2.CommandClose, &smb2.CloseRequest{FileID: mine})
	})
}

// TestForeignTree: a file of one tree is not one of another tree of the same session.
func TestForeignTree(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		c := s.client(t, "user1", rawsmb.Options{})
		other := c.connect("other")
		id := c.create("mine", 0)
		for cmd, body := range fileRequests(id) {
			c.want(ntstatus.FileClosed, smb2.Header{Command: cmd, TreeID: other}, body)
		}
		c.want(ntstatus.Success, smb2.Header{Command: smb2.CommandTreeDisconnect}, &smb2.TreeDisconnectRequest{})
		c.want(ntstatus.NetworkNameDeleted, smb2.Header{Command: smb2.CommandRead}, &smb2.ReadRequest{FileID: id, Length: 1})
		c.want(ntstatus.FileClosed, smb2.Header{Command: smb2.CommandRead, TreeID: other}, &smb2.ReadRequest{FileID: id, Length: 1})
	})
}

// TestGuessing: thousands of guesses at ids find nothing, whatever they are near to.
func TestGuessing(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		w := newWitness(s.client(t, "user2", rawsmb.Options{}))
		c := s.client(t, "user1", rawsmb.Options{})
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 1500 {
			var near uint64
			switch rnd.IntN(3) {
			case 0:
				near = rnd.Uint64()
			case 1:
				near = rnd.Uint64N(64)
			}
			id := smb2.FileID{Persistent: w.file.Persistent ^ near, Volatile: w.file.Volatile ^ rnd.Uint64N(4)}
			h := smb2.Header{Command: smb2.CommandRead, TreeID: c.tree, SessionID: c.ID}
			want := ntstatus.FileClosed
			switch rnd.IntN(3) {
			case 0:
				h.TreeID = w.tree ^ uint32(near)
				if h.TreeID != c.tree {
					want = ntstatus.NetworkNameDeleted
				}
			case 1:
				h.SessionID = w.ID ^ near
				if h.SessionID != c.ID {
					want = ntstatus.UserSessionDeleted
				}
			}
			if h.TreeID == 0 || h.SessionID == 0 {
				continue
			}
			c.want(want, h, &smb2.ReadRequest{FileID: id, Length: 100})
		}
		w.undisturbed(t)
	})
}

// TestResumeKeys: COPYCHUNK from another user's file, by its key ([MS-SMB2] 3.3.5.15.6), and by guesses.
func TestResumeKeys(t *testing.T) {
	b := theBinary(t)
	w := newWitness(b.client(t, "user2", rawsmb.Options{}))
	ioctl := func(c *client, id smb2.FileID, code smb2.FsctlCode, in []byte) (ntstatus.Status, []byte) {
		m, _ := c.Do(smb2.Header{Command: smb2.CommandIoctl, TreeID: c.tree}, &smb2.IoctlRequest{CtlCode: code, FileID: id, Input: in, MaxOutputResponse: 100, Flags: smb2.IoctlIsFsctl})
		var resp smb2.IoctlResponse
		if m.Header.Status != ntstatus.Success || resp.Decode(m.Bytes) != nil {
			return m.Header.Status, nil
		}
		return m.Header.Status, resp.Output
	}
	st, key := ioctl(w.client, w.file, smb2.FsctlSrvRequestResumeKey, nil)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	c := b.client(t, "user1", rawsmb.Options{})
	target := c.create("copy", 0)
	chunk := func(key []byte) []byte { // one chunk of 10 bytes
		in := append(append([]byte(nil), key[:24]...), 1, 0, 0, 0, 0, 0, 0, 0)
		return append(append(in, make([]byte, 16)...), 10, 0, 0, 0, 0, 0, 0, 0)
	}
	for i, k := range [][]byte{key, make([]byte, 24), []byte(strings.Repeat("\xFF", 24))} {
		if st, _ := ioctl(c, target, smb2.FsctlSrvCopychunk, chunk(k)); st != ntstatus.ObjectNameNotFound {
			t.Errorf("key %d: got %v, want %v", i, st, ntstatus.ObjectNameNotFound)
		}
	}
	c.call(ntstatus.EndOfFile, smb2.CommandRead, &smb2.ReadRequest{FileID: target, Length: 100})
	w.undisturbed(t)
}
