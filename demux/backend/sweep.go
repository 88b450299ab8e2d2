package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"smbproxy/internal/ntstatus"
)

// errDeadline ends a lane that does not answer.
var errDeadline = errors.New("a request had no answer in time")

// tick looks at the requests that have waited longest: [MS-SMB2] 3.2.6.1. It
// costs the same however many there are.
func (cn *connection) tick(now int64) {
	cfg := &cn.pool.cfg
	cn.mu.Lock()
	if cn.err != nil {
		cn.mu.Unlock()
		return
	}
	head, age := cn.ready.head, time.Duration(0)
	if head != nil {
		age = time.Duration(now - head.since)
	}
	slow := age > cfg.SlowAfter
	changed := slow != cn.slow
	cn.slow = slow
	late := head
	if age <= cfg.RequestTimeout {
		late = nil
		if c := cn.pending.head; c != nil && time.Duration(now-c.since) > cfg.RequestTimeout {
			late = c
		}
	}
	var err error
	switch {
	case cn.ghosts > maxGhosts:
		err = errGhosts
	case late != nil:
		err = fmt.Errorf("%w: %v for %v", errDeadline, late.command, time.Duration(now-late.since).Round(time.Millisecond))
	}
	cn.mu.Unlock()
	if err != nil {
		cn.kill(err)
		return
	}
	if changed {
		cn.pool.log.Debug("lane waits", slog.Int("lane", cn.lane), slog.Bool("slow", slow), slog.Duration("head", age))
	}
}

// crowded is how many opens a lane has that gets no new clients: of the 59,000
// that the printed smb.conf lets one smbd have, the rest is for those it has.
const crowded = 40_000

// isSlow tells whether tick found the lane waiting, or it has many opens.
func (cn *connection) isSlow() bool {
	if cn.opens.Load() > crowded {
		return true
	}
	cn.mu.Lock()
	defer cn.mu.Unlock()
	return cn.slow
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
