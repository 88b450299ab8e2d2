package demux

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// This file is the only one where the FileIds of clients (smb2.FileID) and those of backends
// (backend.FileID) meet. A client's id is looked up in its own session and nowhere else, so no
// client can reach another's open, whatever it sends.

// open is what a client has open ([MS-SMB2] 3.3.1.10, Open), and what stands for it at the
// backend. Everything but names, which is set when it is made, and what mu guards is fixed.
type open struct {
	id        smb2.FileID            // as the client knows it
	state     core.OpenID            // as the state of open files knows it, if arbitrated
	names     atomic.Pointer[handle] // as a backend knows it
	tree      *tree
	directory bool
	access    smb2.AccessMask // as asked for
	born      time.Time
	sequence  channelSequence

	local   *localPipe                // a pipe that we serve ourselves, without names; else nil
	secured atomic.Pointer[localPipe] // what speaks for a pipe whose client authenticates inside RPC; else nil
	heard   atomic.Bool               // of a pipe: the client has written to it

	arbitrated    bool            // pipes are not
	hint          *core.Hint      // of locks and caching on the file; nil unless arbitrated
	granted       smb2.AccessMask // GrantedAccess, if arbitrated
	deleteOnClose bool            // FILE_DELETE_ON_CLOSE was asked for
	file          core.FileKey
	options       smb2.CreateOptions // as asked for
	share         smb2.ShareAccess   // as asked for
	data          *spread            // nil: all of it goes through names
	action        smb2.CreateAction
	deleting      atomic.Bool // it has made its file delete-pending
	wrote         atomic.Bool // data were written
	unseen        atomic.Bool // its CREATE may still be replayed: the client has not used it yet

	mu        sync.Mutex // guards what follows
	name      string     // normalised; a rename through this open changes it
	renaming  string     // the name that a rename under way gives it; empty: none is
	doomed    bool       // the handle takes the file with it when it is closed
	moves     moves
	busy      busy
	listing   *listing      // of a directory
	resumeKey *resumeKey    // asked for by FSCTL_SRV_REQUEST_RESUME_KEY; nil: not yet
	watch     *backendWatch // of a watched directory; nil: the backend has not been asked
}

// deletes says whether the file may go with this open.
func (o *open) deletes() bool { return o.deleteOnClose || o.deleting.Load() }

// Name is the normalised name, as far as this open knows it.
func (o *open) Name() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.name
}

// setName notes the new name.
func (o *open) setName(name string) {
	o.mu.Lock()
	o.name = name
	o.mu.Unlock()
}

// putClientID writes the client's id into a reply on its way to the client.
func (o *open) putClientID(msg []byte, off int) { smb2.SetRawFileID(msg, off, o.id) }

// clientSession is the upper half of a session: Session.OpenTable of [MS-SMB2] 3.3.1.8.
type clientSession struct {
	session *session.Session
	demux   *Demux

	mu     sync.RWMutex     // guards what follows, and tree.closed
	opens  map[uint64]*open // by FileId.Volatile
	closed bool
}

// sessionOf finds or makes the upper half. Called by TREE_CONNECT, which may run several times
// at once for one session, and while the session ends: then it is entered nowhere, since
// SessionClosed, which comes after the session is marked closed, may have been here already.
func (d *Demux) sessionOf(s *session.Session) *clientSession {
	d.mu.Lock()
	defer d.mu.Unlock()
	cs, ok := s.Upper.(*clientSession)
	if !ok {
		cs = &clientSession{session: s, demux: d, opens: map[uint64]*open{}}
		s.Upper = cs
		if s.Closed() {
			cs.closed = true
		} else {
			d.sessions[s.ID] = cs
		}
	}
	return cs
}

// add gives an open its FileId and enters it; the error is the status to answer where its tree or
// session has gone meanwhile. The caller then closes it at the backend.
func (cs *clientSession) add(o *open) error {
	o.id = fileID(o.state)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	switch {
	case cs.closed:
		return ntstatus.UserSessionDeleted
	case o.tree.closed:
		return ntstatus.NetworkNameDeleted
	}
	cs.opens[o.id.Volatile] = o
	return nil
}

// maxOpens is how many files a session may have open. The smbd process behind it is shared with
// other clients and has "max open files" for all of them. Samba: a client alone has 16384 (4.17).
const maxOpens = 16384

// full tells whether the session has as much open as it may. CREATEs on their way do not count.
func (cs *clientSession) full() bool {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	return len(cs.opens) >= maxOpens
}

// find looks up a client's id in its session, nil if there is no such open.
func (cs *clientSession) find(id smb2.FileID) *open {
	cs.mu.RLock()
	o := cs.opens[id.Volatile]
	cs.mu.RUnlock()
	if o == nil || o.id != id {
		return nil
	}
	return o
}

// remove takes an open out; false: somebody else has.
func (cs *clientSession) remove(o *open) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.opens[o.id.Volatile] != o {
		return false
	}
	delete(cs.opens, o.id.Volatile)
	return true
}

// takeTree takes out everything open through a tree, which can open nothing more.
func (cs *clientSession) takeTree(t *tree) []*open {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	t.closed = true
	var taken []*open
	for n, o := range cs.opens {
		if o.tree == t {
			taken = append(taken, o)
			delete(cs.opens, n)
		}
	}
	return taken
}

// closeAll closes what is still open, for a session that ends.
func (cs *clientSession) closeAll() {
	cs.mu.Lock()
	cs.closed = true
	rest := slices.Collect(maps.Values(cs.opens))
	clear(cs.opens)
	cs.mu.Unlock()
	for _, o := range rest {
		o.abandon()
	}
}

// list is a snapshot of the opens.
func (cs *clientSession) list() []*open {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	return slices.Collect(maps.Values(cs.opens))
}

// openOf finds the open that a request names ([MS-SMB2] 3.3.5.2.11): of the request's session
// and tree, and not overtaken by another channel (3.3.5.2.10), else nil, and then the request has
// been failed.
func openOf(r *session.Request) *open {
	t := treeOf(r)
	o := t.session.find(r.FileID)
	if o == nil || o.tree != t {
		r.Fail(ntstatus.FileClosed)
		return nil
	}
	if o.local != nil {
		if st, ok := localPipeStatus[r.Header.Command]; ok {
			r.Fail(st)
			return nil
		}
	}
	if st := o.inSequence(r); st != ntstatus.Success {
		r.Fail(st)
		return nil
	}
	if o.unseen.Load() {
		o.seen()
	}
	return o
}
