package backend

import (
	"sync/atomic"

	"smbproxy/internal/smb2"
)

// Tree is one client's way to one share as one user, from Connect to Release.
// Trees of one user to one share on one lane share session and tree connect.
type Tree struct {
	pool     *Pool
	tc       *treeConnect
	at       *assignment
	client   *clientQueue
	released atomic.Bool
}

// Share is the share's name as it was asked for.
func (t *Tree) Share() string { return t.tc.share }

// User is the user in the passwd entry's spelling.
func (t *Tree) User() string { return t.tc.session.user }

// ShareType is what the backend says of the share, [MS-SMB2] 2.2.10.
func (t *Tree) ShareType() smb2.ShareType { return t.tc.info.ShareType }

// ShareFlags is what the backend says of the share, [MS-SMB2] 2.2.10.
func (t *Tree) ShareFlags() smb2.ShareFlags { return t.tc.info.ShareFlags }

// Capabilities is what the backend says of the share, [MS-SMB2] 2.2.10.
func (t *Tree) Capabilities() smb2.ShareCapabilities { return t.tc.info.Capabilities }

// MaximalAccess is what the user may have of the share at most.
func (t *Tree) MaximalAccess() smb2.AccessMask { return t.tc.info.MaximalAccess }

// MaxReadSize is the longest READ the lane takes, in bytes.
func (t *Tree) MaxReadSize() uint32 { return t.tc.session.conn.neg.maxRead }

// MaxWriteSize is the longest WRITE the lane takes, in bytes.
func (t *Tree) MaxWriteSize() uint32 { return t.tc.session.conn.neg.maxWrite }

// MaxTransactSize is the longest payload of everything else, in bytes.
func (t *Tree) MaxTransactSize() uint32 { return t.tc.session.conn.neg.maxTransact }

// Lane is the number of the lane within the pool. FileIds are good on it only,
// and only as long as the tree is not Gone.
func (t *Tree) Lane() int { return t.tc.session.conn.lane }

// SessionID and TreeID are the backend's, for FSCTLs that carry them and to fence
// a session that was lost.
func (t *Tree) SessionID() uint64 { return t.tc.session.id }

// Session names the session, to fence it when it was lost.
func (t *Tree) Session() OldSession { return t.tc.session.old() }

// Seals tells whether Submit encrypts the frame of a call in place: afterwards it
// holds what was sent, and no longer the request.
func (t *Tree) Seals() bool { return t.tc.session.seals(t.tc) }

// TreeID is the backend's TreeId.
func (t *Tree) TreeID() uint32 { return t.tc.id }

// Alive tells whether Submit has a chance.
func (t *Tree) Alive() bool {
	select {
	case <-t.tc.gone:
		return false
	default:
		return true
	}
}

// Gone is closed when lane, session or share is lost. Connect anew then.
func (t *Tree) Gone() <-chan struct{} { return t.tc.gone }

// Release gives the tree back; opens on it must have been closed. Calls under way
// are completed as ever. A second Release does nothing.
func (t *Tree) Release() {
	if t.released.Swap(true) {
		return
	}
	t.tc.session.conn.releaseClient(t.client)
	t.tc.release()
	t.pool.detach(t.at)
}

// client returns the queue of a client on the connection, with one reference more.
func (cn *connection) client(affinity uint64) *clientQueue {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cl := cn.clients[affinity]
	if cl == nil {
		cl = &clientQueue{affinity: affinity}
		cn.clients[affinity] = cl
	}
	cl.refs++
	return cl
}

// releaseClient gives a reference back.
func (cn *connection) releaseClient(cl *clientQueue) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if cl.refs--; cl.refs == 0 {
		delete(cn.clients, cl.affinity)
	}
}
