package demux

import (
	"context"
	"strings"
	"sync"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/statedb/core"
)

// On a share with other writers a watched directory is watched at the backend too: once with the open's handle, from the
// client's first CHANGE_NOTIFY until the open is closed, so that changes made behind us are told.
//
//	client's first CHANGE_NOTIFY -> state: registration -> backend: CHANGE_NOTIFY
//	    backend says PENDING   it watches; now the client is told PENDING
//	    backend tells          the changes go to the registration (core.Noticed), the backend is asked again
//	    backend refuses        our own stream goes on
//	    backend dies, drains   our own stream goes on; where the open goes it is watched again; the client has missed something
//
// Of changes behind us we know what smbd knows: its PENDING may precede its own watch by a moment, and in directories below a
// watched one it sees only what its own clients do, since inotify is not recursive (4.17). What is done through us is told
// from the registration on, whatever smbd says.
//
// The state sorts out which of them are the echo of what was done through us (core's notify_behind.go).

// backendWatch is the CHANGE_NOTIFY of an open at its backend. It asks for another when one has been answered.
type backendWatch struct {
	o      *open
	call   backend.Call
	held   *handle // that call goes through
	filter smb2.CompletionFilter
	flags  uint16

	mu      sync.Mutex // guards what follows
	armed   func()     // called when the backend has answered for the first time; nil since then
	watches bool       // the backend has said PENDING
	gap     bool       // it has watched, and does not now
}

// backendWatchSize is how many bytes of changes the backend may tell at once. It is what a request of one credit can carry.
const backendWatchSize = 1 << 16

// backendWatch sees that a directory is watched at its backend. If it was not so far, armed is called when it is, or when
// it turns out that it cannot be, and the answer is true.
func (o *open) backendWatch(m *smb2.ChangeNotifyRequest, armed func()) bool {
	o.mu.Lock()
	started := o.watch != nil
	var w *backendWatch
	if !started {
		w = &backendWatch{o: o, filter: backendFilter(m.CompletionFilter), flags: m.Flags, armed: armed}
		o.watch = w
	}
	o.mu.Unlock()
	if started {
		return false
	}
	// Changes of ours are noted from now on: the backend may tell of one that is made before it says that it watches.
	o.tree.demux.tell(&core.Noticed{Open: o.state})
	w.ask(o.held())
	return true
}

// backendFilter is what the backend is asked for. What local programs write comes as FILE_NOTIFY_CHANGE_ATTRIBUTES.
//
// Samba: notify_inotify's map has IN_MODIFY there and nowhere else (4.17).
func backendFilter(f smb2.CompletionFilter) smb2.CompletionFilter {
	if f&(smb2.FileNotifyChangeSize|smb2.FileNotifyChangeLastWrite) != 0 {
		f |= smb2.FileNotifyChangeAttributes
	}
	return f
}

// ask sends a CHANGE_NOTIFY. The next one is not sent before it has been answered.
func (w *backendWatch) ask(h *handle) {
	w.held = h
	w.call = backend.Call{CreditCharge: 1, Done: w, Frame: newRequest(smb2.CommandChangeNotify, &smb2.ChangeNotifyRequest{
		Flags: w.flags, OutputBufferLength: backendWatchSize, FileID: h.fid.Wire(), CompletionFilter: w.filter,
	}, 32)}
	h.at.Submit(&w.call)
}

// Pending: the backend watches (backend.Completion).
func (w *backendWatch) Pending(*backend.Call) {
	w.mu.Lock()
	gap := w.gap
	w.watches, w.gap = true, false
	w.mu.Unlock()
	w.tell(&core.Noticed{Lost: gap})
}

// Complete takes changes in (backend.Completion).
func (w *backendWatch) Complete(_ *backend.Call, h *smb2.Header, reply *transport.Frame, err error) {
	c := &core.Noticed{}
	switch st := statusOf(h, err); {
	case st == ntstatus.Success:
		var m smb2.ChangeNotifyResponse
		if err := m.Decode(reply.Bytes()); err != nil {
			c.Lost = true
			break
		}
		list, err := smb2.DecodeNotifyInformation(m.OutputBuffer)
		c.Lost = err != nil || len(list) == 0
		for _, x := range list {
			if named(x.FileName) {
				c.Changes = append(c.Changes, core.Change{Action: x.Action, Name: x.FileName})
			}
		}
	case st == ntstatus.NotifyEnumDir:
		c.Lost = true
	default:
		w.ended(w.o.lostOn(w.held, h, err) || st == ntstatus.NotifyCleanup && (w.o.held() != w.held || w.o.moving()))
		return
	}
	if w.tell(c) {
		w.ask(w.held)
	}
}

// ended is for a watch that has ended with its handle, or that smbd refuses. An open that moves is watched where it goes.
func (w *backendWatch) ended(moves bool) {
	w.mu.Lock()
	w.gap = w.gap || w.watches
	gap := w.gap
	w.watches = false
	w.mu.Unlock()
	if w.tell(&core.Noticed{Lost: gap}) && moves {
		_, _ = w.o.park(w, w.held) // else the open is lost, and nothing changes behind it that it could be told of
	}
}

// again watches with the handle that the open has now (parkable).
func (w *backendWatch) again(_ context.Context, h *handle) { w.ask(h) }

// fail: there is nowhere to watch, and the client has been told so (parkable).
func (w *backendWatch) fail(error) {}

// wait is nothing to what waits by nature (parkable).
func (w *backendWatch) wait() {}

// tell brings the state what the backend has said, and the client its interim reply. False: nobody watches any more.
func (w *backendWatch) tell(c *core.Noticed) bool {
	c.Open = w.o.state
	ok := w.o.tree.demux.tell(c).Status == ntstatus.Success
	w.mu.Lock()
	armed := w.armed
	w.armed = nil
	w.mu.Unlock()
	if armed != nil {
		armed()
	}
	return ok
}

// named says whether a change has a name that a client could use.
//
// Samba: what happens to the watched directory itself comes with a few bytes of anything for a name (4.17).
func named(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' })
}
