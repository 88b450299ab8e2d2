package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// connection is one negotiated connection to smbd: MS-SMB2's Connection of the
// client side, 3.2.1.2.
type connection struct {
	pool *Pool
	lane int
	nc   *transport.Conn
	neg  negotiated // set before anything else runs
	born int64      // by Pool.now

	header smb2.Header // of the reply at hand; the reader's

	opens atomic.Int64  // CREATEs that succeeded less CLOSEs
	calls atomic.Uint64 // replies
	dead  atomic.Bool   // err is set
	slow  atomic.Bool   // the head of ready waits for longer than SlowAfter
	// stuckBy is whose request the main thread of smbd hangs in; nil: it gets on.
	stuckBy atomic.Pointer[session]

	up bool // was the lane's connection; guarded by Pool.mu

	mu sync.Mutex // guards everything below
	// err is why the connection is given up; it wraps UnexpectedNetworkError.
	err error

	nextID      uint64 // MessageId of the next request
	credits     int    // granted and not used
	outstanding int    // used by requests whose reply has not given them back
	inflight    map[uint64]*Call
	ready       callList // in flight, not pending, an answer is due: the head is what the lane waits for
	pending     callList // in flight, interim reply received, an answer is due
	waiting     fairQueue
	pumping     bool         // pump is at work
	pumped      *clientQueue // whose call it is about to send
	echo        *Call        // the last ECHO that asked for credits
	ghosts      int          // of inflight, calls that were given up
	begged      int          // credits there were when it was sent last
	clients     map[uint64]*clientQueue

	sessions map[uint64]*session // by SessionId, until LOGOFF is answered
	users    map[string]*session // by user: the ones that Connect hands out
	keeper   *treeConnect        // the IPC$ connect that keeps smbd from dropping us
	keeping  bool                // keep is at work

	pinger  *Call  // the last ECHO that asked for a sign of life
	heard   uint64 // calls at the last tick
	heardAt int64  // of the tick that found calls changed, by Pool.now
	cancels bool   // CANCEL was asked for calls that may be in flight still
}

// newConnection takes over nc's socket; serve has to be run.
func newConnection(p *Pool, lane int) *connection {
	return &connection{
		pool: p, lane: lane, born: p.now(),
		credits:  1,
		inflight: make(map[uint64]*Call),
		clients:  make(map[uint64]*clientQueue),
		sessions: make(map[uint64]*session),
		users:    make(map[string]*session),
	}
}

// serve reads until the connection ends and then completes what is left.
func (cn *connection) serve() {
	err := cn.nc.Serve(context.Background(), cn.receive) // ended by Close
	cn.end(err)
}

// kill ends the connection because of err; the reader does the rest.
func (cn *connection) kill(err error) {
	cn.mu.Lock()
	cn.failLocked(err)
	cn.mu.Unlock()
	_ = cn.nc.Close() // the reason is err
}

// failLocked notes the first reason.
func (cn *connection) failLocked(err error) {
	if cn.err == nil {
		cn.dead.Store(true)
		cn.err = fmt.Errorf("backend %q: lane %d lost: %w: %w", cn.pool.cfg.Name, cn.lane, ntstatus.UnexpectedNetworkError, err)
	}
}

// errIdle ends a connection that nobody needs.
var errIdle = errors.New("nobody uses it")

// end runs last on the reader's goroutine: everything that is under way is
// completed, once.
func (cn *connection) end(err error) {
	cn.mu.Lock()
	cn.failLocked(err)
	lost := cn.err
	calls := make([]*Call, 0, len(cn.inflight)+cn.waiting.n) // in the order in which they were sent, then those that were not
	changed := make(map[*session]bool)
	for _, c := range cn.inflight {
		calls = append(calls, c)
		if c.changes {
			changed[c.session] = true
		}
	}
	slices.SortFunc(calls, func(a, b *Call) int { return cmp.Compare(a.messageID, b.messageID) })
	sent := len(calls)
	for c := cn.waiting.peek(); c != nil; c = cn.waiting.peek() {
		cn.waiting.take(c)
		calls = append(calls, c)
	}
	clear(cn.inflight)
	var frames []*transport.Frame
	for _, c := range calls {
		c.unlink()
		c.state = callIdle
		if c.frame != nil {
			frames = append(frames, c.frame)
			c.frame = nil
		}
	}
	all := slices.Collect(maps.Values(cn.sessions))
	over := cn.pool.sessionsOver(all, changed, peerEnded(lost)) // before anybody who sees Gone asks
	for _, s := range all {
		s.dropLocked()
	}
	cn.mu.Unlock()
	_ = cn.nc.Close()
	cn.pool.ended(cn, lost)
	for _, f := range frames {
		f.Release()
	}
	for i, c := range calls {
		cn.complete(c, nil, nil, cn.lost(c.session, i < sent, lost))
	}
	cn.pool.forgetSessions(over)
}

// opener finds the key for a TRANSFORM_HEADER; transport.Options.Opener.
func (cn *connection) opener(sessionID uint64) *crypto.Sealer {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if s := cn.sessions[sessionID]; s != nil {
		return s.opener
	}
	return nil
}
