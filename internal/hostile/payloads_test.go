package hostile

import (
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// TestCodesNotInTheTables: FSCTLs and information classes without a row are refused, all of them but those few that
// have one ([MS-SMB2] 3.3.5.15, 3.3.5.20, 3.3.5.21).
func TestCodesNotInTheTables(t *testing.T) {
	s := newStack(t, nil)
	c := s.client(t, "user1", rawsmb.Options{})
	id := c.create("file", 0)
	served := map[string]int{}
	for class := range 256 {
		for _, kind := range []smb2.InfoType{0, smb2.InfoFile, smb2.InfoFilesystem, smb2.InfoSecurity, smb2.InfoQuota, 5, 255} {
			query := c.ask(smb2.CommandQueryInfo, &smb2.QueryInfoRequest{InfoType: kind, FileInfoClass: smb2.InfoClass(class), FileID: id, OutputBufferLength: 1000})
			set := c.ask(smb2.CommandSetInfo, &smb2.SetInfoRequest{InfoType: kind, FileInfoClass: smb2.InfoClass(class), FileID: id, Buffer: make([]byte, 40)})
			for what, st := range map[string]ntstatus.Status{"query": query, "set": set} {
				switch st {
				case ntstatus.Success:
					served[what]++
				case ntstatus.InvalidInfoClass, ntstatus.InvalidParameter, ntstatus.NotSupported:
				default:
					t.Errorf("%s of type %d class %d: got %v", what, kind, class, st)
				}
			}
		}
		if st := c.ask(smb2.CommandQueryDirectory, &smb2.QueryDirectoryRequest{FileInformationClass: smb2.InfoClass(class), FileID: id, FileName: "*", OutputBufferLength: 1000}); st != ntstatus.Success && st != ntstatus.NoMoreFiles {
			if st != ntstatus.InvalidInfoClass {
				t.Errorf("listing with class %d: got %v, want %v", class, st, ntstatus.InvalidInfoClass)
			}
		} else {
			served["list"]++
		}
	}
	// Quota and security have no classes: any number of the 256 passes.
	if served["query"] > 40+2*256 || served["set"] > 15+256 || served["list"] != 6 {
		t.Errorf("served %v", served)
	}
	for i := range uint32(3000) {
		code := smb2.FsctlCode(0x00090000 + i*4)
		switch i % 3 {
		case 1:
			code = smb2.FsctlCode(0x00140000 + i*4)
		case 2:
			code = smb2.FsctlCode(i * 0x00011004)
		}
		st := c.ask(smb2.CommandIoctl, &smb2.IoctlRequest{CtlCode: code, FileID: id, MaxOutputResponse: 100, Flags: smb2.IoctlIsFsctl})
		if st != ntstatus.InvalidDeviceRequest && st != ntstatus.InvalidParameter && code != smb2.FsctlSrvRequestResumeKey {
			t.Errorf("FSCTL %#x: got %v", uint32(code), st)
		}
	}
	// Not an FSCTL at all ([MS-SMB2] 3.3.5.15).
	c.call(ntstatus.NotSupported, smb2.CommandIoctl, &smb2.IoctlRequest{CtlCode: smb2.FsctlSrvRequestResumeKey, FileID: id, MaxOutputResponse: 100})
}

// TestLyingLengths: offsets and lengths in bodies that lie outside of the message, or overlap what they should not,
// end with STATUS_INVALID_PARAMETER ([MS-SMB2] 3.3.5.2.6 and each command's section).
func TestLyingLengths(t *testing.T) {
	onBoth(t, func(t *testing.T, s site) {
		w := newWitness(s.client(t, "user2", rawsmb.Options{}))
		c := s.client(t, "user1", rawsmb.Options{})
		id := c.create("file", 0)
		lie := func(cmd smb2.Command, body smb2.Body, at ...uint32) { // at: offset in body, value, size; ...
			t.Helper()
			h := c.header(cmd)
			h.CreditCharge, h.MessageID = 1, c.Conn.Take(1)
			msg := body.Append(h.Append(nil))
			for i := 0; i < len(at); i += 3 {
				if at[i+2] == 2 {
					le.PutUint16(msg[smb2.HeaderSize+at[i]:], uint16(at[i+1]))
				} else {
					le.PutUint32(msg[smb2.HeaderSize+at[i]:], at[i+1])
				}
			}
			c.SignMessage(msg)
			p := c.Conn.Expect(h.MessageID)
			c.send(msg)
			if m := next(t, p); m.Header.Status != ntstatus.InvalidParameter {
				t.Errorf("%v with %v: got %v, want %v", cmd, at, m.Header.Status, ntstatus.InvalidParameter)
			}
		}
		write := &smb2.WriteRequest{FileID: id, Data: make([]byte, 100)}
		for _, at := range [][]uint32{{2, 0xFFFF, 2}, {2, 63, 2}, {2, 0, 2}, {4, 101, 4}, {4, 0xFFFFFFFF, 4}, {4, 65000, 4}} {
			lie(smb2.CommandWrite, write, at...)
		}
		ioctl := &smb2.IoctlRequest{CtlCode: smb2.FsctlSrvCopychunk, FileID: id, Input: make([]byte, 32), MaxOutputResponse: 100, Flags: smb2.IoctlIsFsctl}
		for _, at := range [][]uint32{{24, 0xFFFFFFFF, 4}, {24, 1, 4}, {28, 0xFFFFFFFF, 4}, {28, 33, 4}, {32, 0xFFFFFFFF, 4}, {44, 0xFFFFFFFF, 4},
			{36, 0xFFFFFFFF, 4, 40, 0xFFFFFFFF, 4}, {24, 0xFFFFFFF0, 4, 28, 0x20, 4}, {28, 0x80000000, 4}, {44, 0x80000001, 4}} {
			lie(smb2.CommandIoctl, ioctl, at...)
		}
		set := &smb2.SetInfoRequest{InfoType: smb2.InfoFile, FileInfoClass: smb2.FileBasicInformation, FileID: id, Buffer: make([]byte, 40)}
		for _, at := range [][]uint32{{4, 41, 4}, {4, 0xFFFFFFFF, 4}, {8, 0xFFFF, 2}, {8, 1, 2}} {
			lie(smb2.CommandSetInfo, set, at...)
		}
		query := &smb2.QueryInfoRequest{InfoType: smb2.InfoFile, FileInfoClass: smb2.FileFullEaInformation, FileID: id, InputBuffer: make([]byte, 10), OutputBufferLength: 100}
		for _, at := range [][]uint32{{4, 0xFFFFFFFF, 4}, {12, 11, 4}, {12, 0xFFFFFFFF, 4}, {8, 0xFFFF, 2}, {8, 1, 2}} {
			lie(smb2.CommandQueryInfo, query, at...)
		}
		list := &smb2.QueryDirectoryRequest{FileInformationClass: smb2.FileNamesInformation, FileID: id, FileName: "*", OutputBufferLength: 100}
		for _, at := range [][]uint32{{24, 0xFFFF, 2}, {24, 1, 2}, {26, 0xFFFF, 2}, {26, 3, 2}, {28, 0xFFFFFFFF, 4}, {28, 65537, 4}} {
			lie(smb2.CommandQueryDirectory, list, at...)
		}
		lock := &smb2.LockRequest{FileID: id, Locks: []smb2.LockElement{{Length: 1, Flags: smb2.LockFlagSharedLock | smb2.LockFlagFailImmediately}}}
		for _, count := range []uint32{2, 3, 1000, 0xFFFF} {
			lie(smb2.CommandLock, lock, 2, count, 2)
		}
		// READ of 4 GiB less a byte, and of a byte more than was negotiated.
		read := &smb2.ReadRequest{FileID: id, Length: 100}
		for _, n := range []uint32{0xFFFFFFFF, 8<<20 + 1, 0x80000000, 65537} {
			lie(smb2.CommandRead, read, 4, n, 4)
		}
		notify := &smb2.ChangeNotifyRequest{FileID: id, OutputBufferLength: 100, CompletionFilter: 1}
		lie(smb2.CommandChangeNotify, notify, 4, 0xFFFFFFFF, 4)
		c.echo()
		w.undisturbed(t)
	})
}

// TestExtremes: sizes and offsets that are allowed but at their ends, against real files: what smbd says, and
// nothing breaks.
func TestExtremes(t *testing.T) {
	b := theBinary(t)
	w := newWitness(b.client(t, "user2", rawsmb.Options{}))
	c := b.client(t, "user1", rawsmb.Options{})
	for c.Conn.Credits() < 1000 {
		c.want(ntstatus.Success, smb2.Header{Command: smb2.CommandEcho, Credits: 1000}, &smb2.EchoRequest{})
	}
	file, dir := c.create("file", 0), c.create("directory", smb2.FileDirectoryFile)
	c.put(file, "some data")
	c.call(ntstatus.Success, smb2.CommandRead, &smb2.ReadRequest{FileID: file})
	c.want(ntstatus.Success, smb2.Header{Command: smb2.CommandRead, CreditCharge: 128}, &smb2.ReadRequest{FileID: file, Length: 8 << 20})
	for _, off := range []uint64{1 << 62, 1<<63 - 1, 1 << 63, ^uint64(0), ^uint64(0) - 100} {
		if st := c.ask(smb2.CommandRead, &smb2.ReadRequest{FileID: file, Offset: off, Length: 65536}); st != ntstatus.EndOfFile && st != ntstatus.InvalidParameter {
			t.Errorf("READ at %#x: got %v", off, st)
		}
		if st := c.ask(smb2.CommandWrite, &smb2.WriteRequest{FileID: file, Offset: off, Data: []byte("x")}); !st.IsError() {
			t.Errorf("WRITE at %#x: got %v", off, st)
		}
	}
	// Listings into buffers that hold no entry, and as large a one as there may be.
	const want = ntstatus.InvalidParameter // Samba: 4.17 says this where [MS-SMB2] 3.3.5.18 has STATUS_INFO_LENGTH_MISMATCH
	for _, n := range []uint32{0, 1, 7} {
		for _, flags := range []uint8{smb2.QueryDirectoryRestartScans, smb2.QueryDirectoryReopen} {
			st := c.ask(smb2.CommandQueryDirectory, &smb2.QueryDirectoryRequest{FileInformationClass: smb2.FileIdBothDirectoryInformation, Flags: flags, FileID: dir, FileName: "*", OutputBufferLength: n})
			if st != want {
				t.Errorf("listing into %d bytes: got %v, want %v", n, st, want)
			}
		}
	}
	c.want(ntstatus.Success, smb2.Header{Command: smb2.CommandQueryDirectory, CreditCharge: 128},
		&smb2.QueryDirectoryRequest{FileInformationClass: smb2.FileIdBothDirectoryInformation, Flags: smb2.QueryDirectoryReopen, FileID: dir, FileName: "*", OutputBufferLength: 8 << 20})
	for _, pattern := range []string{`..\*`, `\`, `a/b`, ``} {
		st := c.ask(smb2.CommandQueryDirectory, &smb2.QueryDirectoryRequest{FileInformationClass: smb2.FileNamesInformation, Flags: smb2.QueryDirectoryReopen, FileID: dir, FileName: pattern, OutputBufferLength: 1000})
		if st != ntstatus.ObjectNameInvalid {
			t.Errorf("listing of %q: got %v, want %v", pattern, st, ntstatus.ObjectNameInvalid)
		}
	}
	c.call(ntstatus.InvalidParameter, smb2.CommandLock, &smb2.LockRequest{FileID: file})
	// As many locks as one LOCK can hold; then all of them again, which conflicts with itself.
	locks := make([]smb2.LockElement, 2000)
	for i := range locks {
		locks[i] = smb2.LockElement{Offset: uint64(i) * 2, Length: 1, Flags: smb2.LockFlagExclusiveLock | smb2.LockFlagFailImmediately}
	}
	c.call(ntstatus.Success, smb2.CommandLock, &smb2.LockRequest{FileID: file, Locks: locks})
	c.call(ntstatus.LockNotGranted, smb2.CommandLock, &smb2.LockRequest{FileID: file, Locks: locks})
	c.call(ntstatus.Success, smb2.CommandClose, &smb2.CloseRequest{FileID: file})
	w.undisturbed(t)
}
