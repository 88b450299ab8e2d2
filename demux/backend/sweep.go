package backend

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// tick looks at the requests that have waited longest, [MS-SMB2] 3.2.6.1. It costs
// the same however many there are. asked is since when the oldest waits for its
// answer, 0 if none does; heard tells that smbd has said something since the last
// tick.
//
// A lane is slow when its oldest request waits for longer than SlowAfter, and stuck
// when smbd answers nothing at all for so long, an ECHO included: smbd reads and
// writes files in threads, everything else in the one that also answers ECHO.
func (cn *connection) tick(now int64) (asked int64, heard bool) {
	limit := cn.pool.cfg.SlowAfter
	n := cn.calls.Load()
	cn.mu.Lock()
	if cn.err != nil {
		cn.mu.Unlock()
		return 0, false
	}
	if heard = n != cn.heard; heard {
		cn.heard, cn.heardAt = n, now
	}
	var age, silence time.Duration
	if head := cn.ready.head; head != nil {
		asked = head.since
		age, silence = time.Duration(now-asked), time.Duration(now-max(asked, cn.heardAt))
	}
	var by *session
	var over []*Call
	if silence > limit {
		by = cn.culpritLocked()
		over = cn.giveUpLocked(now)
	}
	ghosts := cn.ghosts
	cn.mu.Unlock()
	was := cn.stuckBy.Swap(by)
	cn.slow.Store(age > limit)
	for _, c := range over {
		cn.complete(c, nil, nil, ntstatus.Cancelled)
	}
	switch {
	case ghosts > maxGhosts:
		cn.kill(errGhosts)
	case silence > limit/2:
		cn.ping()
	}
	if (was == nil) != (by == nil) {
		cn.pool.log.Debug("lane is stuck", slog.Int("lane", cn.lane), slog.Bool("stuck", by != nil), slog.Duration("head", age))
	}
	return asked, heard
}

// nobody is the session of a request that has none.
var nobody = &session{}

// culpritLocked finds whose request the main thread of smbd hangs in: it takes
// requests in order, and hands only READ, WRITE and FLUSH of files to threads.
func (cn *connection) culpritLocked() *session {
	for c := cn.ready.head; c != nil; c = c.next {
		switch c.command {
		case smb2.CommandRead, smb2.CommandWrite, smb2.CommandFlush:
			continue
		default:
		}
		if c.session == nil {
			return nobody
		}
		return c.session
	}
	return nobody
}

// chores are what sweep found to do once the lock is gone.
type chores struct {
	disconnect []*treeConnect
	logoff     []*session
	renew      []*session
	keep       *session // has to hold the keeper
	idle       bool
}

// sweep gives up what nobody uses, renews tickets, and keeps the keeper.
func (cn *connection) sweep(now int64) {
	var do chores
	cn.mu.Lock()
	if cn.err == nil {
		cn.choresLocked(now, &do)
	}
	cn.mu.Unlock()
	if do.idle {
		cn.kill(errIdle)
		return
	}
	for _, tc := range do.disconnect {
		tc.disconnect()
	}
	for _, s := range do.logoff {
		s.logoff()
	}
	for _, s := range do.renew {
		cn.pool.spawn(s.renew)
	}
	if do.keep != nil {
		cn.pool.spawn(func() { cn.keep(do.keep) })
	}
}

// choresLocked collects. A session goes with its last tree: of the two only the
// tree is waited for.
func (cn *connection) choresLocked(now int64, do *chores) {
	limit := int64(cn.pool.cfg.IdleTimeout)
	used := len(cn.inflight) > cn.ghosts || cn.waiting.n > 0 || len(cn.clients) > 0
	var other *session // one that could hold the keeper
	for _, s := range cn.users {
		select {
		case <-s.ready:
		default:
			used = true
			continue // being set up
		}
		for _, tc := range s.trees {
			if tc.refs == 0 && now-tc.idle > limit {
				tc.forgetLocked()
				do.disconnect = append(do.disconnect, tc)
			}
		}
		keeps := cn.keeper != nil && cn.keeper.session == s
		trees := len(s.trees)
		if keeps && cn.keeper.refs == 1 {
			trees--
		}
		unused := trees == 0 && s.holders == 0 && now-s.idle > limit
		switch {
		case unused && !keeps:
			delete(cn.users, s.user)
			do.logoff = append(do.logoff, s)
			continue
		case !unused:
			used = true
			if other == nil || trees > len(other.trees) {
				other = s
			}
		}
		if now > s.renewAt && !s.renewing {
			s.renewing = true
			do.renew = append(do.renew, s)
		}
	}
	do.idle = !used && now-cn.born > limit
	cn.keeperLocked(other, now, do)
}

// keeperLocked finds a session for the keeper if there is none, or if the one
// that has it is kept for nothing else.
func (cn *connection) keeperLocked(other *session, now int64, do *chores) {
	k := cn.keeper
	switch {
	case cn.keeping || other == nil || do.idle:
	case k == nil:
		cn.keeping, do.keep = true, other
	case k.session != other && k.refs == 1 && len(k.session.trees) == 1 && k.session.holders == 0 &&
		now-k.session.idle > int64(cn.pool.cfg.IdleTimeout):
		cn.keeping, do.keep = true, other
	}
}

// keep connects IPC$ in the session and makes that the keeper. Samba: 4.17 ends a
// connection that has no tree connect at its 60 s tick.
func (cn *connection) keep(s *session) {
	ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
	defer cancel()
	tc, err := cn.tree(ctx, s.user, ipc)
	cn.mu.Lock()
	cn.keeping = false
	var old *treeConnect
	if err == nil && !tc.lost {
		old, cn.keeper = cn.keeper, tc
	}
	cn.mu.Unlock()
	if old != nil {
		old.release()
	}
	if err != nil && !errors.Is(err, ntstatus.UnexpectedNetworkError) {
		cn.pool.log.Warn("lane has no IPC$", slog.Int("lane", cn.lane), slog.Any("error", err))
	}
}
