package oracle_test

import (
	"testing"
	"time"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// pipeStep is one request on an open pipe.
type pipeStep struct {
	name string
	cmd  smb2.Command
	body func(id smb2.FileID) smb2.Body
}

// pipeSteps are what a client can ask of a pipe beside speaking with it, but for LOCK and FSCTLs of files, where
// smbd says what comes of a pipe being a file inside, and for what follows garbage: smbd's worker for RPC may have ended the
// pipe by then, or not (4.17).
func pipeSteps() []pipeStep {
	list := []pipeStep{
		{"flush", smb2.CommandFlush, func(id smb2.FileID) smb2.Body { return &smb2.FlushRequest{FileID: id} }},
		{"list", smb2.CommandQueryDirectory, func(id smb2.FileID) smb2.Body {
			return &smb2.QueryDirectoryRequest{FileID: id, FileInformationClass: smb2.FileNamesInformation, FileName: "*", OutputBufferLength: 1000}
		}},
		{"notify", smb2.CommandChangeNotify, func(id smb2.FileID) smb2.Body {
			return &smb2.ChangeNotifyRequest{FileID: id, OutputBufferLength: 1000, CompletionFilter: 1}
		}},
		{"peek", smb2.CommandIoctl, func(id smb2.FileID) smb2.Body {
			return &smb2.IoctlRequest{FileID: id, CtlCode: smb2.FsctlPipePeek, Flags: smb2.IoctlIsFsctl, MaxOutputResponse: 100}
		}},
		{"oplock break", smb2.CommandOplockBreak, func(id smb2.FileID) smb2.Body { return &smb2.OplockBreakRequest{FileID: id} }},
		{"write nothing", smb2.CommandWrite, func(id smb2.FileID) smb2.Body { return &smb2.WriteRequest{FileID: id} }},
		{"set rename", smb2.CommandSetInfo, func(id smb2.FileID) smb2.Body {
			return &smb2.SetInfoRequest{FileID: id, InfoType: smb2.InfoFile, FileInfoClass: smb2.FileRenameInformation, Buffer: (&smb2.FileRenameInfo{FileName: "x"}).Append(nil)}
		}},
		{"set end of file", smb2.CommandSetInfo, func(id smb2.FileID) smb2.Body {
			return &smb2.SetInfoRequest{FileID: id, InfoType: smb2.InfoFile, FileInfoClass: smb2.FileEndOfFileInformation, Buffer: make([]byte, 8)}
		}},
		{"set pipe", smb2.CommandSetInfo, func(id smb2.FileID) smb2.Body {
			return &smb2.SetInfoRequest{FileID: id, InfoType: smb2.InfoFile, FileInfoClass: 23, Buffer: make([]byte, 8)}
		}},
	}
	for _, class := range []smb2.InfoClass{4, 5, 6, 7, 9, 14, 18, 22, 23, 24, 25, 34, 48} {
		list = append(list, pipeStep{"query file " + string(rune('0'+class/10)) + string(rune('0'+class%10)), smb2.CommandQueryInfo, func(id smb2.FileID) smb2.Body {
			return &smb2.QueryInfoRequest{FileID: id, InfoType: smb2.InfoFile, FileInfoClass: class, OutputBufferLength: 4096}
		}})
	}
	return append(list,
		pipeStep{"query fs", smb2.CommandQueryInfo, func(id smb2.FileID) smb2.Body {
			return &smb2.QueryInfoRequest{FileID: id, InfoType: smb2.InfoFilesystem, FileInfoClass: smb2.FileFsVolumeInformation, OutputBufferLength: 4096}
		}},
		pipeStep{"query security", smb2.CommandQueryInfo, func(id smb2.FileID) smb2.Body {
			return &smb2.QueryInfoRequest{FileID: id, InfoType: smb2.InfoSecurity, AdditionalInformation: 4, OutputBufferLength: 4096}
		}},
		pipeStep{"write garbage", smb2.CommandWrite, func(id smb2.FileID) smb2.Body { return &smb2.WriteRequest{FileID: id, Data: make([]byte, 64)} }},
		pipeStep{"close", smb2.CommandClose, func(id smb2.FileID) smb2.Body { return &smb2.CloseRequest{FileID: id, Flags: 1} }},
		pipeStep{"close again", smb2.CommandClose, func(id smb2.FileID) smb2.Body { return &smb2.CloseRequest{FileID: id} }},
	)
}

// TestPipes: a pipe that smbproxy serves itself answers what a pipe of smbd answers.
func TestPipes(t *testing.T) {
	l := lab.New(t, lab.Options{})
	c := l.MustCluster(lab.ClusterOptions{Direct: true})
	u := l.User("user1")
	run := func(addr string) []ntstatus.Status {
		conn, err := rawsmb.Dial(t.Context(), addr, rawsmb.Options{Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		s, err := conn.Login(t.Context(), u.Name, u.Password)
		if err != nil {
			t.Fatal(err)
		}
		s.Sign = true
		tree, err := s.TreeConnect("IPC$")
		if err != nil {
			t.Fatal(err)
		}
		m, err := tree.Create(smb2.CreateRequest{
			ImpersonationLevel: 2, DesiredAccess: smb2.FileReadData | smb2.FileWriteData, ShareAccess: 3, CreateDisposition: smb2.FileOpen, Name: "srvsvc",
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: CREATE %+v", addr, m)
		var list []ntstatus.Status
		for _, step := range pipeSteps() {
			reply, err := tree.Do(step.cmd, step.body(m.FileID))
			if err != nil {
				list = append(list, ntstatus.From(err))
				continue
			}
			list = append(list, reply.Header.Status)
		}
		return list
	}
	direct, proxy := run(c.Direct.Addr()), run(c.Proxy.Addr())
	for i, step := range pipeSteps() {
		t.Logf("%-20s %v", step.name, direct[i])
		if direct[i] != proxy[i] {
			t.Errorf("%s: %v, directly %v", step.name, proxy[i], direct[i])
		}
	}
}
