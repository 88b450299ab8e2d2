package oracle

import (
	"fmt"
	"strings"

	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// request builds the message of one step and what describes a successful answer.
//
//	open   h=NAME name= access= share= disp= opt= attr= oplock= ctx=MxAc,QFid,ExtA,AlSi [ctxhex=]
//	close  h= flags=             flush h=
//	read   h= off= len= min=     write h= off= datalen= seed= | data=HEX flags=
//	lock   h= flags= off= len= seq=
//	query  h= type= class= add= flags= len= in=HEX
//	set    h= type= class= add= buf=HEX | rename= replace= | link= | eof= | alloc= | delete= | attr= | time=
//	list   h= pattern= class= flags= len=
//	ioctl  h= code= in=HEX max=  key   h= k=NAME          copy  h= k= chunks=SRC:DST:LEN,...
//	notify h= filter= tree= len= id=NAME
//	echo   tdis
//
// Each also takes user=N, and id=NAME if a later "wait id=NAME" or "cancel id=NAME" is to look at its end.
func (w *world) request(l line) (smb2.Header, smb2.Body, func(rawsmb.Message) string) {
	h := smb2.Header{TreeID: w.tree(l).TreeID}
	f := w.file(l, "h")
	switch l.verb {
	case "open":
		h.Command = smb2.CommandCreate
		return h, createRequest(l), func(m rawsmb.Message) string { return w.opened(l, m) }
	case "close":
		h.Command = smb2.CommandClose
		return h, &smb2.CloseRequest{FileID: f, Flags: uint16(l.num("flags", 0))}, func(m rawsmb.Message) string {
			delete(w.files, l.args["h"])
			return closed(m)
		}
	case "flush":
		h.Command = smb2.CommandFlush
		return h, &smb2.FlushRequest{FileID: f}, body[smb2.FlushResponse]
	case "read":
		h.Command = smb2.CommandRead
		h.CreditCharge = smb2.CreditCharge(int(l.num("len", 100)))
		return h, &smb2.ReadRequest{FileID: f, Offset: l.num("off", 0), Length: uint32(l.num("len", 100)),
			MinimumCount: uint32(l.num("min", 0))}, read
	case "write":
		h.Command = smb2.CommandWrite
		return h, &smb2.WriteRequest{FileID: f, Offset: l.num("off", 0), Data: l.data("data"), Flags: uint32(l.num("flags", 0))}, body[smb2.WriteResponse]
	case "lock":
		h.Command = smb2.CommandLock
		return h, &smb2.LockRequest{FileID: f, LockSequence: uint32(l.num("seq", 0)), Locks: []smb2.LockElement{
			{Offset: l.num("off", 0), Length: l.num("len", 1), Flags: uint32(l.num("flags", 0x12))}}}, body[smb2.LockResponse]
	case "query":
		h.Command = smb2.CommandQueryInfo
		req := &smb2.QueryInfoRequest{InfoType: smb2.InfoType(l.num("type", 1)), FileInfoClass: smb2.InfoClass(l.num("class", 0)), FileID: f,
			OutputBufferLength: uint32(l.num("len", 4096)), AdditionalInformation: uint32(l.num("add", 0)), Flags: uint32(l.num("flags", 0)), InputBuffer: l.data("in")}
		return h, req, func(m rawsmb.Message) string { return queried(req, m) }
	case "set":
		h.Command = smb2.CommandSetInfo
		return h, setRequest(l, f), body[smb2.SetInfoResponse]
	case "list":
		h.Command = smb2.CommandQueryDirectory
		req := &smb2.QueryDirectoryRequest{FileInformationClass: smb2.InfoClass(l.num("class", 37)), Flags: uint8(l.num("flags", 0)),
			FileID: f, FileName: l.args["pattern"], OutputBufferLength: uint32(l.num("len", 65536))}
		return h, req, func(m rawsmb.Message) string { return listed(req.FileInformationClass, m) }
	case "ioctl":
		h.Command = smb2.CommandIoctl
		return h, &smb2.IoctlRequest{CtlCode: smb2.FsctlCode(l.num("code", 0)), FileID: f, Flags: smb2.IoctlIsFsctl,
			MaxOutputResponse: uint32(l.num("max", 4096)), Input: l.data("in")}, ioctl
	case "key":
		h.Command = smb2.CommandIoctl
		return h, &smb2.IoctlRequest{CtlCode: smb2.FsctlSrvRequestResumeKey, FileID: f, Flags: smb2.IoctlIsFsctl, MaxOutputResponse: 32},
			func(m rawsmb.Message) string { return w.resumeKey(l, m) }
	case "copy":
		h.Command = smb2.CommandIoctl
		return h, w.copyRequest(l, f), ioctl
	case "notify":
		h.Command = smb2.CommandChangeNotify
		return h, &smb2.ChangeNotifyRequest{FileID: f, Flags: uint16(l.num("tree", 0)), CompletionFilter: smb2.CompletionFilter(l.num("filter", 0xFFF)),
			OutputBufferLength: uint32(l.num("len", 4096))}, body[smb2.ChangeNotifyResponse]
	case "echo":
		return smb2.Header{Command: smb2.CommandEcho}, &smb2.EchoRequest{}, body[smb2.EchoResponse]
	case "tdis":
		h.Command = smb2.CommandTreeDisconnect
		return h, &smb2.TreeDisconnectRequest{}, body[smb2.TreeDisconnectResponse]
	}
	panic(fmt.Sprintf("script %q: unknown verb", l.text))
}

// defaultAccess is what a file is opened for where a step does not say: reading and writing.
const defaultAccess = 0x12019F

// createRequest builds CREATE.
func createRequest(l line) *smb2.CreateRequest {
	req := &smb2.CreateRequest{Name: l.args["name"], ImpersonationLevel: smb2.ImpersonationLevel(l.num("imp", 2)),
		RequestedOplockLevel: smb2.OplockLevel(l.num("oplock", 0)), DesiredAccess: smb2.AccessMask(l.num("access", defaultAccess)),
		FileAttributes: smb2.FileAttributes(l.num("attr", 0)), ShareAccess: smb2.ShareAccess(l.num("share", 7)),
		CreateDisposition: smb2.CreateDisposition(l.num("disp", 3)), CreateOptions: smb2.CreateOptions(l.num("opt", 0))}
	for _, name := range strings.Split(l.args["ctx"], ",") {
		switch name {
		case "":
		case "AlSi":
			req.CreateContexts = append(req.CreateContexts, smb2.CreateContext{Name: []byte(name), Data: le.AppendUint64(nil, l.num("alsi", 0))})
		case "MxAc", "QFid":
			req.CreateContexts = append(req.CreateContexts, smb2.CreateContext{Name: []byte(name)})
		default:
			req.CreateContexts = append(req.CreateContexts, smb2.CreateContext{Name: []byte(name), Data: l.data("ctxhex")})
		}
	}
	return req
}

// setRequest builds SET_INFO, from raw bytes or from the classes that scripts set often.
func setRequest(l line, f smb2.FileID) *smb2.SetInfoRequest {
	req := &smb2.SetInfoRequest{InfoType: smb2.InfoType(l.num("type", 1)), FileID: f, FileInfoClass: smb2.InfoClass(l.num("class", 0)),
		AdditionalInformation: uint32(l.num("add", 0)), Buffer: l.data("buf")}
	target := func(name string) []byte {
		text := smb2.AppendUTF16(nil, name)
		b := make([]byte, 16, 20+len(text))
		b[0] = byte(l.num("replace", 0))
		return append(le.AppendUint32(b, uint32(len(text))), text...)
	}
	for key, v := range l.args {
		switch key {
		case "rename":
			req.FileInfoClass, req.Buffer = smb2.FileRenameInformation, target(v)
		case "link":
			req.FileInfoClass, req.Buffer = smb2.FileLinkInformation, target(v)
		case "eof":
			req.FileInfoClass, req.Buffer = smb2.FileEndOfFileInformation, le.AppendUint64(nil, l.num(key, 0))
		case "alloc":
			req.FileInfoClass, req.Buffer = smb2.FileAllocationInformation, le.AppendUint64(nil, l.num(key, 0))
		case "delete":
			req.FileInfoClass, req.Buffer = smb2.FileDispositionInformation, []byte{byte(l.num(key, 1))}
		case "attr", "time":
			b := make([]byte, 40)
			for i := 0; i < 4; i++ {
				le.PutUint64(b[8*i:], l.num("time", 0))
			}
			le.PutUint32(b[32:], uint32(l.num("attr", 0)))
			req.FileInfoClass, req.Buffer = smb2.FileBasicInformation, b
		}
	}
	return req
}

// copyRequest builds FSCTL_SRV_COPYCHUNK ([MS-SMB2] 2.2.31.1) with a key that "key" has fetched.
func (w *world) copyRequest(l line, f smb2.FileID) *smb2.IoctlRequest {
	in := make([]byte, 24)
	copy(in, w.keys[l.args["k"]])
	var chunks []byte
	n := uint32(0)
	for _, c := range strings.Split(l.args["chunks"], ",") {
		var src, dst uint64
		var size uint32
		if _, err := fmt.Sscanf(c, "%d:%d:%d", &src, &dst, &size); err != nil {
			panic(fmt.Sprintf("script %q: chunk %q", l.text, c))
		}
		chunks = le.AppendUint32(le.AppendUint32(le.AppendUint64(le.AppendUint64(chunks, src), dst), size), 0)
		n++
	}
	in = append(le.AppendUint32(le.AppendUint32(in, n)[:28], 0), chunks...)
	return &smb2.IoctlRequest{CtlCode: smb2.FsctlSrvCopychunk, FileID: f, Flags: smb2.IoctlIsFsctl, MaxOutputResponse: 12, Input: in}
}

// resumeKey keeps the key of FSCTL_SRV_REQUEST_RESUME_KEY; what it is differs from server to server.
func (w *world) resumeKey(l line, m rawsmb.Message) string {
	var r smb2.IoctlResponse
	if err := r.Decode(m.Bytes); err != nil {
		return err.Error()
	}
	if len(r.Output) < 24 {
		return fmt.Sprintf("key of %d bytes", len(r.Output))
	}
	w.keys[l.args["k"]] = append([]byte(nil), r.Output[:24]...)
	return fmt.Sprintf("key, %d bytes of output", len(r.Output))
}
