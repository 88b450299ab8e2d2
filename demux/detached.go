package demux

import (
	"sync"

	"smbproxy/session"
	"smbproxy/statedb/core"
)

// detached are the opens whose session is gone and whose client may come back for them
// ([MS-SMB2] 3.3.7.1): no client's id leads to one, only a reconnect whose claims the state has
// checked (reconnect.go). Their handles at the backend stay, and so do their attachments.
type detached struct {
	mu    sync.Mutex // guards opens; a leaf
	opens map[core.OpenID]*open
}

// put enters an open.
func (t *detached) put(o *open) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.opens == nil {
		t.opens = map[core.OpenID]*open{}
	}
	t.opens[o.state] = o
}

// find looks one up, nil: there is none.
func (t *detached) find(id core.OpenID) *open {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.opens[id]
}

// take takes one out, nil: somebody else has.
func (t *detached) take(id core.OpenID) *open {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.opens[id]
	delete(t.opens, id)
	return o
}

// list is a snapshot of those that have a handle, for who moves opens to another backend and for tests.
func (t *detached) list() []*open {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*open, 0, len(t.opens))
	for _, o := range t.opens {
		if o.held() != nil {
			list = append(list, o)
		}
	}
	return list
}

// SessionEnds lets go of what is open in a session (session.Upper): durable opens stay, detached, the others are
// closed. Pipes go with their trees.
func (d *Demux) SessionEnds(s *session.Session) {
	cs, ok := s.Upper.(*clientSession)
	if !ok {
		return
	}
	for _, o := range cs.takeArbitrated() {
		d.letGo(o)
	}
	d.tell(&core.Release{Session: core.SessionID(s.ID), Keep: true}) // what still waits
}

// takeArbitrated takes out what the state of open files knows. The session can open nothing more.
func (cs *clientSession) takeArbitrated() []*open {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.closed = true
	var taken []*open
	for n, o := range cs.opens {
		if o.arbitrated {
			taken = append(taken, o)
			delete(cs.opens, n)
		}
	}
	return taken
}

// letGo detaches an open that is in no table from its session, or closes it if it is not to be kept. It is entered
// among the detached ones first: from the moment on that the state lets go of it, it may be closed or claimed.
func (d *Demux) letGo(o *open) {
	d.detached.put(o)
	r := d.release(o, &core.Disconnect{Open: o.state})
	if r.Durable {
		o.data.close(func() {}) // opened again when they are needed
		return
	}
	if d.detached.take(o.state) != nil {
		o.closeAtBackend(r)
	}
}
