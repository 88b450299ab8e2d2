package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// store is a backend in memory: session's own server with commands that are made up. Every user has
// files of his own, so that a reply that shows another user's bytes proves a mixed-up id. What smbd would
// have to forgive it does not: a name with a `..` in it, a FileId of another session.
//
// A directory is what is created with FILE_DIRECTORY_FILE. READ of a file named "wait" and CHANGE_NOTIFY
// wait until they are cancelled.
type store struct {
	mu     sync.Mutex // guards all below
	files  map[string]*file
	opens  map[smb2.FileID]*handle
	last   uint64
	faults []string // what should never have come
}

// file is one user's file.
type file struct {
	id        uint64
	name      string
	data      []byte
	directory bool
}

// handle is an open of the backend's.
type handle struct {
	*file
	session *session.Session
	listed  bool
}

func newStore() *store {
	return &store{files: map[string]*file{}, opens: map[smb2.FileID]*handle{}}
}

// fault notes what should never have come.
func (s *store) faultLocked(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// check gives the faults and forgets them.
func (s *store) check() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.faults
	s.faults = nil
	return f
}

// openCount is how many handles are open.
func (s *store) openCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.opens)
}

// SessionClosed, TreeClosed and ConnectionClosed make store session's Upper.
func (s *store) SessionClosed(gone *session.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, h := range s.opens {
		if h.session == gone {
			delete(s.opens, id)
		}
	}
}
func (s *store) SessionEnds(*session.Session)            {}
func (s *store) TreeClosed(*session.TreeConnect)         {}
func (s *store) ConnectionClosed(*session.Connection)    {}
func (s *store) key(r *session.Request, n string) string { return r.Session.Identity().User + "|" + n }

// table is what the backend serves.
func (s *store) table() *[smb2.CommandCount]session.Command {
	const tree = session.NeedsSession | session.NeedsTree
	const open = tree | session.NeedsFile
	t := &[smb2.CommandCount]session.Command{
		smb2.CommandNegotiate:      {Name: "NEGOTIATE", StructureSize: 36, Run: session.Negotiate},
		smb2.CommandSessionSetup:   {Name: "SESSION_SETUP", StructureSize: 25, Run: session.SessionSetup},
		smb2.CommandLogoff:         {Name: "LOGOFF", StructureSize: 4, Needs: session.NeedsSession, Run: session.Logoff},
		smb2.CommandTreeConnect:    {Name: "TREE_CONNECT", StructureSize: 9, Needs: session.NeedsSession, Run: s.treeConnect},
		smb2.CommandTreeDisconnect: {Name: "TREE_DISCONNECT", StructureSize: 4, Needs: tree, Run: session.TreeDisconnect},
		smb2.CommandEcho:           {Name: "ECHO", StructureSize: 4, Run: session.Echo},
		smb2.CommandCancel:         {Name: "CANCEL", StructureSize: 4, Run: session.Cancel},
		smb2.CommandCreate:         {Name: "CREATE", StructureSize: 57, Needs: tree, Run: s.create},
	}
	for cmd, run := range map[smb2.Command]func(*session.Request, *handle){
		smb2.CommandClose: s.closeFile, smb2.CommandFlush: reply(&smb2.FlushResponse{}), smb2.CommandRead: s.read,
		smb2.CommandWrite: s.write, smb2.CommandLock: reply(&smb2.LockResponse{}), smb2.CommandIoctl: s.ioctl,
		smb2.CommandQueryDirectory: s.list, smb2.CommandChangeNotify: s.notify, smb2.CommandQueryInfo: s.query, smb2.CommandSetInfo: s.set,
	} {
		sizes := map[smb2.Command]uint16{smb2.CommandClose: 24, smb2.CommandFlush: 24, smb2.CommandRead: 49, smb2.CommandWrite: 49, smb2.CommandLock: 48,
			smb2.CommandIoctl: 57, smb2.CommandQueryDirectory: 33, smb2.CommandChangeNotify: 32, smb2.CommandQueryInfo: 41, smb2.CommandSetInfo: 33}
		t[cmd] = session.Command{Name: cmd.String(), StructureSize: sizes[cmd], Needs: open, FileIDOffset: smb2.FileIDOffset(cmd), Run: s.with(run)}
	}
	return t
}

// reply answers everything alike.
func reply(body smb2.Body) func(*session.Request, *handle) {
	return func(r *session.Request, _ *handle) { r.Reply(ntstatus.Success, body) }
}

// with finds the open, which must be one of the session's.
func (s *store) with(run func(*session.Request, *handle)) func(*session.Request) {
	return func(r *session.Request) {
		s.mu.Lock()
		h := s.opens[r.FileID]
		if h == nil || h.session != r.Session {
			s.faultLocked("%v for a FileId that %q has not open", r.Header.Command, r.Session.Identity().User)
			h = nil
		}
		s.mu.Unlock()
		if h == nil {
			r.Fail(ntstatus.FileClosed)
			return
		}
		run(r, h)
	}
}

func (s *store) treeConnect(r *session.Request) {
	var m smb2.TreeConnectRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	resp := &smb2.TreeConnectResponse{ShareType: smb2.ShareTypeDisk, MaximalAccess: 0x1F01FF}
	if strings.HasSuffix(m.Path, "IPC$") {
		resp.ShareType = smb2.ShareTypePipe
	}
	t, err := r.Session.AddTree(m.Path, false, nil)
	if err != nil {
		r.FailErr(err)
		return
	}
	r.SetTree(t)
	r.Reply(ntstatus.Success, resp)
}

// checkName notes a name that must not reach a backend.
func (s *store) checkNameLocked(what, name string) {
	path, _, _ := strings.Cut(name, ":")
	for _, part := range strings.FieldsFunc(path, func(c rune) bool { return c == '\\' || c == '/' }) {
		if part == ".." {
			s.faultLocked("%s of %q", what, name)
		}
	}
	if strings.ContainsAny(path, "/") || strings.HasPrefix(path, `\`) {
		s.faultLocked("%s of %q", what, name)
	}
}

func (s *store) create(r *session.Request) {
	var m smb2.CreateRequest
	if err := m.Decode(r.Message()); err != nil {
		s.mu.Lock()
		s.faultLocked("CREATE that does not decode: %v", err)
		s.mu.Unlock()
		r.FailErr(err)
		return
	}
	s.mu.Lock()
	s.checkNameLocked("CREATE", m.Name)
	key := s.key(r, m.Name)
	f, action := s.files[key], smb2.CreateAction(smb2.FileOpened)
	if f == nil {
		s.last++
		f, action = &file{id: s.last, name: m.Name, directory: m.Name == "" || m.CreateOptions&smb2.FileDirectoryFile != 0}, smb2.FileCreated
		if len(s.files) < 10_000 {
			s.files[key] = f
		}
	}
	s.last++
	id := smb2.FileID{Persistent: s.last, Volatile: s.last}
	s.opens[id] = &handle{file: f, session: r.Session}
	size := len(f.data)
	s.mu.Unlock()
	attributes := smb2.FileAttributeArchive
	if f.directory {
		attributes = smb2.FileAttributeDirectory
	}
	r.SetFileID(id)
	disk := smb2.QueryOnDiskIDResponse{DiskFileID: f.id, VolumeID: 1}
	r.Reply(ntstatus.Success, &smb2.CreateResponse{FileID: id, CreateAction: action, FileAttributes: attributes, EndofFile: uint64(size),
		CreateContexts: []smb2.CreateContext{{Name: []byte(smb2.CreateQueryOnDiskID), Data: disk.Append(nil)}}})
}

func (s *store) closeFile(r *session.Request, _ *handle) {
	s.mu.Lock()
	delete(s.opens, r.FileID)
	s.mu.Unlock()
	r.Reply(ntstatus.Success, &smb2.CloseResponse{})
}

func (s *store) read(r *session.Request, h *handle) {
	var m smb2.ReadRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	if h.name == "wait" {
		r.Pending(func() { r.Fail(ntstatus.Cancelled) })
		return
	}
	s.mu.Lock()
	data := h.data
	s.mu.Unlock()
	if h.name == "large" { // as much as is asked for
		data = make([]byte, m.Length)
		m.Offset = 0
	}
	if m.Offset >= uint64(len(data)) {
		r.Fail(ntstatus.EndOfFile)
		return
	}
	data = data[m.Offset:]
	r.Reply(ntstatus.Success, &smb2.ReadResponse{Data: data[:min(len(data), int(m.Length))]})
}

func (s *store) write(r *session.Request, h *handle) {
	var m smb2.WriteRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	const most = 1 << 20 // of a file
	if end := m.Offset + uint64(len(m.Data)); m.Offset <= most && end <= most {
		s.mu.Lock()
		if uint64(len(h.data)) < end {
			h.data = append(bytes.Clone(h.data), make([]byte, end-uint64(len(h.data)))...)
		} else {
			h.data = bytes.Clone(h.data) // a READ may be looking at it
		}
		copy(h.data[m.Offset:], m.Data)
		s.mu.Unlock()
	}
	r.Reply(ntstatus.Success, &smb2.WriteResponse{Count: uint32(len(m.Data))})
}

func (s *store) ioctl(r *session.Request, _ *handle) {
	var m smb2.IoctlRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	if m.CtlCode == smb2.FsctlSrvRequestResumeKey {
		out := make([]byte, 32)
		binary.LittleEndian.PutUint64(out, r.FileID.Volatile)
		r.Reply(ntstatus.Success, &smb2.IoctlResponse{CtlCode: m.CtlCode, FileID: r.FileID, Output: out})
		return
	}
	r.Fail(ntstatus.InvalidDeviceRequest)
}

func (s *store) list(r *session.Request, h *handle) {
	s.mu.Lock()
	listed := h.listed
	h.listed = true
	s.mu.Unlock()
	if listed {
		r.Fail(ntstatus.NoMoreFiles)
		return
	}
	var m smb2.QueryDirectoryRequest
	if err := m.Decode(r.Message()); err != nil || m.OutputBufferLength < 16 {
		r.Fail(ntstatus.InfoLengthMismatch)
		return
	}
	r.Reply(ntstatus.Success, &smb2.QueryDirectoryResponse{OutputBuffer: make([]byte, 16)})
}

func (s *store) notify(r *session.Request, _ *handle) {
	r.Pending(func() { r.Fail(ntstatus.Cancelled) })
}

func (s *store) query(r *session.Request, _ *handle) {
	var m smb2.QueryInfoRequest
	if err := m.Decode(r.Message()); err != nil || m.OutputBufferLength < 8 {
		r.Fail(ntstatus.InfoLengthMismatch)
		return
	}
	r.Reply(ntstatus.Success, &smb2.QueryInfoResponse{OutputBuffer: make([]byte, 8)})
}

func (s *store) set(r *session.Request, _ *handle) {
	var m smb2.SetInfoRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	var name struct{ what, name string }
	switch {
	case m.InfoType == smb2.InfoFile && m.FileInfoClass == smb2.FileRenameInformation:
		var info smb2.FileRenameInfo
		if info.Decode(m.Buffer) == nil {
			name.what, name.name = "rename", info.FileName
		}
	case m.InfoType == smb2.InfoFile && m.FileInfoClass == smb2.FileLinkInformation:
		var info smb2.FileLinkInfo
		if info.Decode(m.Buffer) == nil {
			name.what, name.name = "link", info.FileName
		}
	}
	s.mu.Lock()
	s.checkNameLocked(name.what, name.name)
	s.mu.Unlock()
	r.Reply(ntstatus.Success, &smb2.SetInfoResponse{})
}
