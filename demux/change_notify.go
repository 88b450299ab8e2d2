package demux

import (
	"context"
	"sync"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// changeNotify serves CHANGE_NOTIFY ([MS-SMB2] 3.3.5.19). The state of open files holds the registration, which lasts
// as long as the open, and is told of changes by whatever makes them: notify_events.go. On a share with other writers the
// backend is asked too: change_notify_backend.go.
//
// Samba: the order of the checks (4.17).
func (d *Demux) changeNotify(r *session.Request) {
	o := openOf(r)
	if o == nil {
		return
	}
	var m smb2.ChangeNotifyRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	switch {
	case o.tree.share.NoChangeNotify:
		r.Fail(ntstatus.NotImplemented) // Samba: the status (4.17)
		return
	case !o.arbitrated || !o.directory:
		r.Fail(ntstatus.InvalidParameter)
		return
	case o.granted&smb2.FileListDirectory == 0:
		r.Fail(ntstatus.AccessDenied)
		return
	}
	c := &core.Notify{
		Req: d.state.NewRequestID(), Open: o.state, Filter: m.CompletionFilter,
		Tree: m.Flags&smb2.ChangeNotifyWatchTree != 0, Limit: m.OutputBufferLength,
	}
	w := &watcher{r: r}
	req := c.Req
	res := d.state.Do(context.Background(), c, w.end)
	if res.Status != ntstatus.Pending {
		w.end(res)
		return
	}
	cancel := func() { d.tell(&core.Cancel{Req: req}) }
	if o.tree.share.OtherWriters && o.backendWatch(&m, func() { w.pending(cancel) }) {
		r.OnCancel(cancel)
		return
	}
	w.pending(cancel)
}

// watcher is a CHANGE_NOTIFY that waits. It may end while its interim reply is still to be sent, by another goroutine: then
// the interim reply comes first or not at all.
type watcher struct {
	r *session.Request

	mu    sync.Mutex // guards what follows
	asked bool       // the interim reply is being sent
	ended bool
	res   core.Result // if ended while asked
}

// pending sends the interim reply.
func (w *watcher) pending(cancel func()) {
	w.mu.Lock()
	if w.ended {
		w.mu.Unlock()
		return
	}
	w.asked = true
	w.mu.Unlock()
	w.r.Pending(cancel)
	w.mu.Lock()
	w.asked = false
	ended := w.ended
	w.mu.Unlock()
	if ended {
		w.reply(w.res)
	}
}

// end ends the request, once.
func (w *watcher) end(res core.Result) {
	w.mu.Lock()
	w.ended, w.res = true, res
	asked := w.asked
	w.mu.Unlock()
	if !asked {
		w.reply(res)
	}
}

// reply is the response. Nobody has cancelled a watch that is cancelled because its tree or session goes.
//
// Samba: the status (4.17).
func (w *watcher) reply(res core.Result) {
	switch {
	case res.Status == ntstatus.Success:
		w.r.Reply(res.Status, &smb2.ChangeNotifyResponse{OutputBuffer: changeList(res.Changes)})
	case res.Status == ntstatus.Cancelled && w.r.Closing():
		w.r.Fail(ntstatus.NotifyCleanup)
	default:
		w.r.Fail(res.Status)
	}
}

// changeList is a list of FILE_NOTIFY_INFORMATION ([MS-FSCC] 2.7.1).
func changeList(changes []core.Change) []byte {
	list := make([]smb2.NotifyInformation, len(changes))
	for i, c := range changes {
		list[i] = smb2.NotifyInformation{Action: c.Action, FileName: c.Name}
	}
	b := smb2.AppendNotifyInformation(nil, list)
	for len(b)%4 != 0 { // Samba: the last entry too (4.17)
		b = append(b, 0)
	}
	return b
}
