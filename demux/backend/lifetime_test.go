package backend

import (
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// A session is reauthenticated under its SessionId before its ticket ends, and
// its opens go on; without that smbd refuses it.
func TestReauthentication(t *testing.T) {
	for name, global := range map[string]string{"signed": "", "sealed": "\tserver smb encrypt = required\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, global)
			cfg := r.config()
			cfg.TicketLife = 4 * time.Second
			p := startPool(t, cfg)
			kept := mustConnect(t, p, "user1", "share", 1)
			left := mustConnect(t, p, "user2", "share", 2)
			id, st := create(t, kept, "x", smb2.FileWriteData, smb2.FileCreate)
			must(t, "create", st)
			_, st = create(t, left, "y", smb2.FileWriteData, smb2.FileCreate)
			must(t, "create", st)
			cn, sid := kept.tc.session.conn, kept.SessionID()
			setRenew := func(s *session, at int64) {
				cn.mu.Lock()
				defer cn.mu.Unlock()
				s.renewAt = at
			}
			setRenew(left.tc.session, math.MaxInt64)
			echo := func(tree *Tree) ntstatus.Status {
				return request(t, tree, smb2.CommandQueryInfo, &smb2.QueryInfoRequest{
					InfoType: 2, FileInfoClass: 3, OutputBufferLength: 100, FileID: smb2.RelatedFileID}, 1)
			}
			eventually(t, "smbd to refuse the ticket that was not renewed", func() bool {
				return echo(left) == ntstatus.NetworkSessionExpired
			})
			must(t, "write in the renewed session", request(t, kept, smb2.CommandWrite, &smb2.WriteRequest{FileID: id.Wire(), Data: []byte("x")}, 1))
			if kept.SessionID() != sid || !kept.Alive() {
				t.Error("the session is another one")
			}
			// That reply has the other session renewed too, its opens intact.
			eventually(t, "the expired session to be renewed", func() bool {
				return echo(left) != ntstatus.NetworkSessionExpired
			})
			if !left.Alive() {
				t.Error("the expired session was given up")
			}
		})
	}
}

// Unused trees and sessions are given up, the lane keeps one tree connect, and a
// lane without users is closed.
func TestIdle(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.IdleTimeout = 200 * time.Millisecond
	p := startPool(t, cfg)
	one := mustConnect(t, p, "user1", "share", 1)
	two := mustConnect(t, p, "user2", "share", 2)
	cn := one.tc.session.conn
	lane := func() LaneStatus { return p.Status().Lanes[0] }
	keeps := func() bool {
		cn.mu.Lock()
		defer cn.mu.Unlock()
		return cn.keeper != nil && cn.keeper.share == ipc
	}
	eventually(t, "the keeper's IPC$", func() bool { return keeps() && lane().Trees == 3 })
	one.Release()
	eventually(t, "user1's session to go, the keeper to user2", func() bool {
		st := lane()
		return st.Sessions == 1 && st.Trees == 2
	})
	if _, st := create(t, two, "x", smb2.FileWriteData, smb2.FileCreate); st != ntstatus.Success {
		t.Errorf("user2 in the meantime: %v", st)
	}
	two.Release()
	eventually(t, "the lane to be closed", func() bool { return !lane().Connected })
	mustConnect(t, p, "user1", "share", 1)
	if !lane().Connected {
		t.Error("no lane after a new connect")
	}
}

// What smbd has forgotten is lost to those who use it and made anew for others.
func TestSessionAndShareForgotten(t *testing.T) {
	r := newRig(t, "")
	p := startPool(t, r.config())
	tree := mustConnect(t, p, "user1", "share", 1)
	second := mustConnect(t, p, "user1", "other", 1)
	bystander := mustConnect(t, p, "user2", "share", 2)

	must(t, "disconnect", request(t, second, smb2.CommandTreeDisconnect, &smb2.TreeDisconnectRequest{}, 1))
	o := submit(second, smb2.CommandFlush, &smb2.FlushRequest{})
	if got := o.result(t); got.err != nil || got.status != ntstatus.NetworkNameDeleted {
		t.Errorf("tree that smbd forgot: %+v, want network name deleted", got)
	}
	<-second.Gone()
	if !tree.Alive() {
		t.Error("the session's other tree is gone too")
	}
	again := mustConnect(t, p, "user1", "other", 1)
	if again.TreeID() == second.TreeID() && again.tc == second.tc {
		t.Error("the lost tree connect was handed out again")
	}

	must(t, "logoff", request(t, tree, smb2.CommandLogoff, &smb2.LogoffRequest{}, 1))
	o = submit(tree, smb2.CommandFlush, &smb2.FlushRequest{})
	if got := o.result(t); !errors.Is(got.err, ntstatus.UnexpectedNetworkError) {
		t.Errorf("session that smbd forgot: %+v, want unexpected network error", got)
	}
	<-tree.Gone()
	<-again.Gone()
	fresh := mustConnect(t, p, "user1", "share", 1)
	_, st := create(t, fresh, "x", smb2.FileWriteData, smb2.FileCreate)
	must(t, "create in a new session", st)
	if !bystander.Alive() {
		t.Error("another user's session is gone too")
	}
}

// Many connects at once share what they need, whoever of them gives up.
func TestConnectStorm(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.Lanes, cfg.MaxLanes = 3, 3
	p := startPool(t, cfg)
	users := []string{"user1", "user2", "user3"}
	var wg sync.WaitGroup
	for i := range 90 {
		wg.Go(func() {
			tree, err := p.Connect(t.Context(), users[i%3], "share", uint64(i%9))
			if err != nil {
				t.Errorf("connect %d: %v", i, err)
				return
			}
			defer tree.Release()
			if got := submit(tree, smb2.CommandEcho, &smb2.EchoRequest{}).result(t); got.err != nil {
				t.Errorf("echo %d: %v", i, got.err)
			}
		})
	}
	wg.Wait()
	for _, ln := range p.Status().Lanes {
		if ln.Sessions > 3 || ln.Clients != 0 {
			t.Errorf("lane %d: %d sessions of 3 users, %d clients that are gone", ln.Lane, ln.Sessions, ln.Clients)
		}
	}
}
