package demux

import (
	"context"
	"sync"
	"time"

	"smbproxy/demux/rpc"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// localPipe is a pipe whose words are smbproxy's: one that speaks for the cluster, with no backend behind it, or one
// of a backend's whose client authenticates inside RPC (pipe_secured.go).
type localPipe struct {
	pipe    talker
	own     *rpc.Pipe    // pipe, of the first kind
	secured *rpc.Secured // pipe, of the second
	behind  *pipeBehind  // behind secured

	mu      sync.Mutex    // guards what follows, and who reads from pipe
	waiting []*pipeRead   // oldest first
	turn    chan struct{} // closed when the last WRITE to secured is done
	closed  bool
}

// talker is what a client reads from.
type talker interface {
	Read(n int) (b []byte, more bool, st ntstatus.Status)
	Unread() (n int, any bool)
}

// pipeRead is a READ or a FSCTL_PIPE_TRANSCEIVE that waits for something to read.
type pipeRead struct {
	r    *session.Request
	most uint32              // bytes
	call *smb2.IoctlResponse // of a FSCTL_PIPE_TRANSCEIVE, else nil
}

// createLocalPipe opens one. Samba: the attributes and times that its reply has (4.17).
func (d *Demux) createLocalPipe(r *session.Request, t *tree, name string, access smb2.AccessMask) {
	who := rpc.Caller{User: r.Session.Identity().User, Admin: t.admin}
	o := &open{
		tree: t, name: name, access: access, born: time.Now(), state: d.state.NewOpenID(),
	}
	own := d.pipes.Open(name, who)
	o.local = &localPipe{pipe: own, own: own}
	if err := t.session.add(o); err != nil {
		r.FailErr(err)
		return
	}
	r.SetFileID(o.id)
	const epoch = 116444736000000000 // 1970, as FILETIME
	r.Reply(ntstatus.Success, &smb2.CreateResponse{
		FileID: o.id, CreateAction: smb2.FileOpened, FileAttributes: smb2.FileAttributeNormal,
		CreationTime: epoch, LastAccessTime: epoch, LastWriteTime: epoch, ChangeTime: epoch,
	})
}

// localPipeStatus is what a command ends with that has nothing to do with pipes. Those that are not here are served.
//
// Samba: all but that of LOCK, which there is an accident (4.17).
var localPipeStatus = map[smb2.Command]ntstatus.Status{
	smb2.CommandFlush:          ntstatus.NotImplemented,
	smb2.CommandLock:           ntstatus.InvalidDeviceRequest,
	smb2.CommandQueryDirectory: ntstatus.NotSupported,
	smb2.CommandChangeNotify:   ntstatus.InvalidParameter,
	smb2.CommandSetInfo:        ntstatus.NotSupported,
	smb2.CommandOplockBreak:    ntstatus.InvalidOplockProtocol,
}

// read serves READ.
func (p *localPipe) read(r *session.Request, most uint32) { p.await(&pipeRead{r: r, most: most}) }

// write serves WRITE.
func (p *localPipe) write(r *session.Request, data []byte) {
	p.hear(r, data, func(st ntstatus.Status) {
		if st != ntstatus.Success {
			r.Fail(st)
			return
		}
		r.Reply(ntstatus.Success, &smb2.WriteResponse{Count: uint32(len(data))})
	})
}

// hear gives the pipe what the client says, and serves who waits for an answer. then runs in between, with the status.
func (p *localPipe) hear(r *session.Request, data []byte, then func(ntstatus.Status)) {
	if p.own != nil {
		then(p.own.Write(data))
		p.serve()
		return
	}
	p.mu.Lock()
	before, mine := p.turn, make(chan struct{})
	p.turn = mine
	p.mu.Unlock()
	r.Go(func(ctx context.Context) {
		defer close(mine)
		if before != nil {
			<-before
		}
		p.behind.req = r
		then(p.secured.Write(ctx, data))
		p.serve()
	})
}

// transceive serves FSCTL_PIPE_TRANSCEIVE ([MS-SMB2] 3.3.5.15.10): a WRITE and a READ in one.
func (p *localPipe) transceive(r *session.Request, m *smb2.IoctlRequest) {
	if _, unread := p.pipe.Unread(); unread {
		r.Fail(ntstatus.PipeBusy)
		return
	}
	w := &pipeRead{r: r, most: m.MaxOutputResponse, call: &smb2.IoctlResponse{CtlCode: m.CtlCode, FileID: r.FileID}}
	p.hear(r, m.Input, func(st ntstatus.Status) {
		if st != ntstatus.Success {
			r.Fail(st)
			return
		}
		p.await(w)
	})
}

// await ends a read, now or when there is something to read. A pipe that has been ended gives STATUS_PIPE_BROKEN.
func (p *localPipe) await(w *pipeRead) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		w.r.Fail(ntstatus.FileClosed)
		return
	}
	if len(p.waiting) == 0 {
		if b, more, st := p.pipe.Read(int(w.most)); b != nil || st != ntstatus.Success {
			p.mu.Unlock()
			w.end(b, more, st)
			return
		}
	}
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()
	w.r.Pending(func() {
		if p.forget(w) {
			w.r.Fail(ntstatus.Cancelled)
		}
	})
}

// forget takes a read that waits out; false: it has ended.
func (p *localPipe) forget(w *pipeRead) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, x := range p.waiting {
		if x == w {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// serve ends the reads that something has come for.
func (p *localPipe) serve() {
	for {
		p.mu.Lock()
		if len(p.waiting) == 0 {
			p.mu.Unlock()
			return
		}
		w := p.waiting[0]
		b, more, st := p.pipe.Read(int(w.most))
		if b == nil && st == ntstatus.Success {
			p.mu.Unlock()
			return
		}
		p.waiting = p.waiting[1:]
		p.mu.Unlock()
		w.end(b, more, st)
	}
}

// end ends a read.
func (w *pipeRead) end(b []byte, more bool, st ntstatus.Status) {
	if st != ntstatus.Success {
		w.r.Fail(st)
		return
	}
	if more {
		st = ntstatus.BufferOverflow
	}
	if w.call != nil {
		w.call.Output = b
		w.r.Reply(st, w.call)
		return
	}
	w.r.Reply(st, &smb2.ReadResponse{Data: b})
}

// close ends what waits.
func (p *localPipe) close() {
	p.mu.Lock()
	waiting := p.waiting
	p.waiting, p.closed = nil, true
	p.mu.Unlock()
	for _, w := range waiting {
		w.r.Fail(ntstatus.FileClosed)
	}
}

// queryInfo serves QUERY_INFO. Samba: of a pipe nothing but FileStandardInformation is told, and these values (4.17).
func (p *localPipe) queryInfo(r *session.Request, m *smb2.QueryInfoRequest) {
	if m.InfoType != smb2.InfoFile || m.FileInfoClass != smb2.FileStandardInformation {
		r.Fail(ntstatus.NotSupported)
		return
	}
	info := smb2.FileStandardInfo{AllocationSize: 4096, NumberOfLinks: 1, DeletePending: true}
	b := info.Append(nil)
	if int(m.OutputBufferLength) < len(b) {
		r.Fail(ntstatus.InfoLengthMismatch)
		return
	}
	r.Reply(ntstatus.Success, &smb2.QueryInfoResponse{OutputBuffer: b})
}

// transceivePipe serves FSCTL_PIPE_TRANSCEIVE.
func transceivePipe(d *Demux, r *session.Request, o *open, m *smb2.IoctlRequest) {
	if o.tree.pipes {
		if p := o.listening(r, m.Input); p != nil {
			p.transceive(r, m)
			return
		}
	}
	relayFsctlWaiting(d, r, o, m)
}

// localFsctlStatus is what FSCTLs about files end with. Samba: the status of FSCTL_PIPE_PEEK (4.17).
func localFsctlStatus(code smb2.FsctlCode) ntstatus.Status {
	if code == smb2.FsctlPipePeek {
		return ntstatus.FsDriverRequired
	}
	return ntstatus.InvalidDeviceRequest
}

// spoken is what speaks for a pipe here, nil where the backend does.
func (o *open) spoken() *localPipe {
	if p := o.secured.Load(); p != nil {
		return p
	}
	return o.local
}

// endedHere ends what waits for a pipe's words here. True: no backend stands behind it.
func (o *open) endedHere() bool {
	if p := o.spoken(); p != nil {
		p.close()
	}
	return o.local != nil
}
