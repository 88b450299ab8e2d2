package demux

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/session"
)

// tree is the upper half of a tree connect: a share in use by a session, and the backends'
// trees that stand behind it.
type tree struct {
	demux    *Demux
	session  *clientSession
	connect  *session.TreeConnect // set before the client learns the TreeId
	share    *Share               // as it was when the tree was connected
	readOnly bool
	pipes    bool // IPC$
	admin    bool // of IPC$: may list and close what others have open
	born     time.Time

	closed bool // guarded by session.mu: nothing more can be opened

	mu   sync.Mutex                    // guards at and its meaning
	at   map[*backend.Pool]*attachment // made when needed; nil once the tree is closed
	data map[dataTree]*attachment      // likewise, at backends of data
	// identity is whose session it was when the tree was last attached, user his name at the backends.
	identity session.Identity
	user     string
}

// attachment is one tree connect at a backend. The tree holds one reference while it uses it,
// every open made through it one, and every CREATE in flight.
type attachment struct {
	*backend.Tree
	pool *backend.Pool
	refs atomic.Int64
}

// newAttachment takes over a tree, with so many references.
func newAttachment(pool *backend.Pool, t *backend.Tree, refs int64) *attachment {
	a := &attachment{Tree: t, pool: pool}
	a.refs.Store(refs)
	return a
}

// besides says whether handles of both lie in one backend session, where smbd finds one by the
// other.
func (a *attachment) besides(b *attachment) bool {
	return a.pool == b.pool && a.Lane() == b.Lane() && a.SessionID() == b.SessionID() && a.Alive() && b.Alive()
}

// drop gives a reference back.
func (a *attachment) drop() {
	if a.refs.Add(-1) == 0 {
		a.Release()
	}
}

// fit says whether new opens should go through the attachment: it is not lost, and nobody else's request holds up
// its lane.
func (a *attachment) fit() bool { return a.Alive() && !a.Avoid() }

// treeOf is the tree that a request runs on; its row needs one.
func treeOf(r *session.Request) *tree { return r.Tree.Upper.(*tree) }

// attached returns the attachment to a backend with a reference for the caller, or nil if there is none, it is
// lost or held up, or if a reauthentication has made the session another user's: then attach must be asked, which blocks.
func (t *tree) attached(id session.Identity, pool *backend.Pool) *attachment {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.at[pool]
	if a == nil || !a.fit() || t.identity != id {
		return nil
	}
	a.refs.Add(1)
	return a
}

// reach returns an attachment, with a reference for the caller, to the backend that serves path, or to
// the next one where that cannot be reached. Blocks.
func (t *tree) reach(ctx context.Context, r *session.Request, path string) (*attachment, error) {
	var tried []*backend.Pool
	for {
		pool := t.demux.routes.Load().home(t.share, path, func(p *backend.Pool) bool { return slices.Contains(tried, p) })
		if pool == nil {
			return nil, fmt.Errorf("share %q: %w", t.share.Name, ntstatus.NetworkNameDeleted)
		}
		if a := t.attached(r.Session.Identity(), pool); a != nil {
			return a, nil
		}
		a, err := t.attach(ctx, r, pool)
		if err == nil {
			return a, nil
		}
		tried = append(tried, pool)
		if !unreachable(err) || len(tried) == len(t.share.serving(path)) {
			return nil, err
		}
	}
}

// attach connects to the share at a backend, as the user whose session it is, and returns the
// attachment with a reference for the caller. Another user than before is one more for the share's rules
// ([MS-SMB2] 3.3.5.5.3 replaces Session.SecurityContext); what the one before has opened stays his.
func (t *tree) attach(ctx context.Context, r *session.Request, pool *backend.Pool) (*attachment, error) {
	routes := t.demux.routes.Load()
	share := routes.share(t.share.Name)
	if share == nil {
		return nil, fmt.Errorf("share %q: %w", t.share.Name, ntstatus.NetworkNameDeleted)
	}
	id := r.Session.Identity()
	t.mu.Lock()
	user, same := t.user, t.identity == id
	t.mu.Unlock()
	if !same {
		var err error
		if user, _, err = t.demux.admit(ctx, r, routes, share); err != nil {
			return nil, fmt.Errorf("share %q refused: %w: %w", share.Name, err, ntstatus.AccessDenied)
		}
	}
	bt, err := pool.Connect(ctx, user, share.BackendShare, affinity(t.session.session))
	if err != nil {
		return nil, fmt.Errorf("share %q: %w", share.Name, t.share.connectFault(err))
	}
	return t.keep(newAttachment(pool, bt, 2), id, user)
}

// keep makes a, which has a reference for the tree and one for the caller, the tree's attachment to its
// backend. Of several that come at once the first is kept; those of another user go.
func (t *tree) keep(a *attachment, id session.Identity, user string) (*attachment, error) {
	t.mu.Lock()
	t.session.mu.RLock() // under t.mu: close looks for attachments after it has set closed
	closed := t.closed
	t.session.mu.RUnlock()
	old := t.at[a.pool]
	switch {
	case closed:
		t.mu.Unlock()
		a.Release()
		return nil, ntstatus.NetworkNameDeleted
	case old != nil && old.fit() && t.identity == id:
		old.refs.Add(1)
		t.mu.Unlock()
		a.Release()
		return old, nil
	}
	var gone []*attachment
	if t.identity != id || t.at == nil {
		gone = slices.Collect(maps.Values(t.at))
		t.at = map[*backend.Pool]*attachment{}
	} else if old != nil {
		gone = append(gone, old)
	}
	t.at[a.pool], t.identity, t.user = a, id, user
	t.mu.Unlock()
	for _, g := range gone {
		g.drop()
	}
	return a, nil
}

// close ends the tree: what is open through it is closed at the backends, whose trees then go
// back to their pools.
func (t *tree) close() {
	for _, o := range t.session.takeTree(t) {
		o.abandon()
	}
	t.mu.Lock()
	gone, data := t.at, t.data
	t.at, t.data = nil, nil
	t.mu.Unlock()
	for _, a := range gone {
		a.drop()
	}
	for _, a := range data {
		a.drop()
	}
}

// backendUser is as whom the backend last saw the tree.
func (t *tree) backendUser() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.user
}

// present says whether the share is still configured; a tree of one that is gone opens nothing
// more.
func (t *tree) present() bool { return t.demux.routes.Load().share(t.share.Name) != nil }

// connectError is what a client is told when a backend would not connect a share: its own
// status where it gave one, else what Windows answers for a share whose storage is away.
func connectError(err error) ntstatus.Status {
	switch {
	case errors.Is(err, context.Canceled):
		return ntstatus.Cancelled
	case errors.Is(err, ntstatus.NoSuchUser), errors.Is(err, ntstatus.LogonFailure):
		// The client has logged on; that the backend does not know the user, or our key, is not its password's fault.
		return ntstatus.AccessDenied
	}
	return ntstatus.From(err)
}
