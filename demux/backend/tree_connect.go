package backend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// ipc is the share that every smbd has.
const ipc = "IPC$"

// treeConnect is one share in one session: MS-SMB2's TreeConnect, 3.2.1.4. All
// Trees of the session's user to that share use it.
type treeConnect struct {
	session *session
	share   string
	key     string // of session.trees

	ready chan struct{} // closed when connected or failed
	gone  chan struct{} // closed by dropLocked
	// Fixed once ready is closed.
	err     error
	id      uint32
	info    smb2.TreeConnectResponse
	encrypt bool

	// Guarded by conn.mu.
	refs int
	idle int64 // since when refs is 0
	lost bool  // smbd does not know it any more
}

// pipe tells whether the share holds named pipes, whose requests wait for their
// other end.
func (tc *treeConnect) pipe() bool { return tc.info.ShareType == smb2.ShareTypePipe }

// tree returns the user's connect to the share, made if need be, with one
// reference more; release gives it back.
func (cn *connection) tree(ctx context.Context, user, share string) (*treeConnect, error) {
	s, err := cn.session(ctx, user)
	if err != nil {
		return nil, err
	}
	defer s.leave()
	key := strings.ToLower(share)
	cn.mu.Lock()
	if cn.err != nil || s.gone {
		defer cn.mu.Unlock()
		return nil, cn.goneLocked()
	}
	tc := s.trees[key]
	if tc == nil {
		tc = &treeConnect{session: s, share: share, key: key, ready: make(chan struct{}), gone: make(chan struct{})}
		if !cn.pool.spawn(tc.setup) {
			defer cn.mu.Unlock()
			return nil, errClosed
		}
		s.trees[key] = tc
	}
	tc.refs++
	cn.mu.Unlock()
	if err = await(ctx, tc.ready); err == nil {
		err = tc.err
	}
	if err != nil {
		tc.release()
		return nil, err
	}
	return tc, nil
}

// goneLocked is the error for calls on what is lost.
func (cn *connection) goneLocked() error {
	if cn.err != nil {
		return cn.err
	}
	return cn.pool.errGone
}

// release gives a reference back.
func (tc *treeConnect) release() {
	cn := tc.session.conn
	cn.mu.Lock()
	defer cn.mu.Unlock()
	tc.refs--
	tc.idle = cn.pool.now()
}

// setup runs TREE_CONNECT and tells who waits.
func (tc *treeConnect) setup() {
	cn := tc.session.conn
	err := tc.connect(context.Background()) // the watcher ends a lane that does not answer
	cn.mu.Lock()
	if err == nil && (cn.err != nil || tc.session.gone) {
		err = cn.goneLocked()
	}
	if err != nil {
		tc.err = err
		tc.dropLocked()
	}
	cn.mu.Unlock()
	close(tc.ready)
}

// connect is the TREE_CONNECT itself, [MS-SMB2] 3.2.4.2.4, 3.2.5.5. smbd wants it
// signed or sealed in 3.1.1.
func (tc *treeConnect) connect(ctx context.Context) error {
	for try := 1; ; try++ {
		err := tc.ask(ctx)
		if try == youngTries || !errors.Is(err, ntstatus.NoMemory) {
			return err
		}
		timer := time.NewTimer(youngPause)
		select {
		case <-timer.C:
		case <-tc.session.conn.pool.life.Done():
			timer.Stop()
			return err
		}
	}
}

// Samba: TREE_CONNECT says STATUS_NO_MEMORY until smbd's notify daemon runs, which
// takes some 100 ms after its start (4.17, notify_init).
const (
	youngTries = 20
	youngPause = 50 * time.Millisecond
)

// ask is one TREE_CONNECT.
func (tc *treeConnect) ask(ctx context.Context) error {
	s := tc.session
	p := s.conn.pool
	host, _, _ := net.SplitHostPort(p.cfg.Address) // checked by Config
	w := &waiter{done: make(chan struct{})}
	w.session = s
	w.Frame = NewRequest(smb2.CommandTreeConnect, &smb2.TreeConnectRequest{Path: `\\` + host + `\` + tc.share}, smallBody)
	h, reply, err := s.conn.wait(ctx, w)
	if err != nil {
		return err
	}
	defer reply.Release()
	if h.Status != ntstatus.Success {
		return fmt.Errorf("backend %q: share %q as %q: %w", p.cfg.Name, tc.share, s.user, h.Status)
	}
	if err := tc.info.Decode(reply.Bytes()); err != nil {
		return fmt.Errorf("backend %q: share %q: %w", p.cfg.Name, tc.share, err)
	}
	tc.id = h.TreeID
	tc.encrypt = tc.info.ShareFlags&smb2.ShareFlagEncryptData != 0
	if tc.encrypt && s.sealer == nil {
		return fmt.Errorf("backend %q: share %q wants encryption and no cipher was agreed on: %w", p.cfg.Name, tc.share, ntstatus.AccessDenied)
	}
	return nil
}

// dropLocked makes the tree unusable and tells who watches Gone.
func (tc *treeConnect) dropLocked() {
	if tc.lost {
		return
	}
	tc.lost = true
	close(tc.gone)
	tc.forgetLocked()
}

// forgetLocked sees to it that no Connect finds the tree.
func (tc *treeConnect) forgetLocked() {
	s := tc.session
	if s.trees[tc.key] == tc {
		delete(s.trees, tc.key)
	}
	if s.conn.keeper == tc {
		s.conn.keeper = nil
	}
}

// disconnect ends a tree that forgetLocked was called for.
func (tc *treeConnect) disconnect() {
	c := &Call{Done: forget{}, Frame: NewRequest(smb2.CommandTreeDisconnect, &smb2.TreeDisconnectRequest{}, smallBody)}
	c.tree, c.session = tc, tc.session
	tc.session.conn.submit(c)
}
