package backend

import (
	"context"
	"errors"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// CANCEL reaches a request wherever it is, by AsyncId or MessageId.
func TestCancel(t *testing.T) {
	for name, global := range map[string]string{"signed": "", "sealed": "\tserver smb encrypt = required\n"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, global)
			p := startPool(t, r.config())
			tree := mustConnect(t, p, "user1", "share", 1)
			o := notify(t, tree)
			tree.Cancel(&o.Call)
			tree.Cancel(&o.Call)
			if got := o.result(t); got.err != nil || got.status != ntstatus.Cancelled {
				t.Errorf("pending: %+v, want cancelled by the backend", got)
			}
			tree.Cancel(&o.Call) // too late

			// At once, mostly before the interim reply: found by its MessageId.
			first, st := create(t, tree, "locked", smb2.FileReadData|smb2.FileWriteData, smb2.FileCreate)
			must(t, "create", st)
			second, st := create(t, tree, "locked", smb2.FileReadData|smb2.FileWriteData, smb2.FileOpen)
			must(t, "open", st)
			lock := func(id FileID) *op {
				return submit(tree, smb2.CommandLock, &smb2.LockRequest{FileID: id.Wire(), Locks: []smb2.LockElement{{Length: 1, Flags: smb2.LockFlagExclusiveLock}}})
			}
			must(t, "lock", lock(first).result(t).status)
			for range 20 {
				o := lock(second)
				tree.Cancel(&o.Call)
				if got := o.result(t); got.err != nil || got.status != ntstatus.Cancelled {
					t.Fatalf("LOCK: %+v, want cancelled by the backend", got)
				}
			}

			// Do gives up with its context and the request with it.
			dir, st := create(t, tree, "", smb2.FileListDirectory, smb2.FileOpen)
			must(t, "open the root", st)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, _, err := tree.Do(ctx, smb2.CommandChangeNotify, &smb2.ChangeNotifyRequest{FileID: dir.Wire(), OutputBufferLength: 4096, CompletionFilter: 1}, 1)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Do: %v, want deadline exceeded", err)
			}
			eventually(t, "the request to end", func() bool { return p.Status().Lanes[0].InFlight == 0 })
		})
	}
}

// CANCEL that comes while the request is on its way out follows it.
func TestCancelWhileSending(t *testing.T) {
	r := newRig(t, "")
	p := startPool(t, r.config())
	tree := mustConnect(t, p, "user1", "share", 1)
	id, st := create(t, tree, "", smb2.FileListDirectory, smb2.FileOpen)
	must(t, "open the root", st)
	o := newOp()
	o.Frame = NewRequest(smb2.CommandChangeNotify, &smb2.ChangeNotifyRequest{FileID: id.Wire(), OutputBufferLength: 4096, CompletionFilter: 1}, smallBody)
	o.Done, o.hook = o, func([]byte) { tree.Cancel(&o.Call) }
	tree.Submit(&o.Call)
	if got := o.result(t); got.err != nil || got.status != ntstatus.Cancelled {
		t.Errorf("got %+v, want cancelled by the backend", got)
	}
}

// A call that waits for credits is cancelled where it waits.
func TestCancelQueued(t *testing.T) {
	r := newRig(t, "")
	p := startPool(t, r.config())
	tree := mustConnect(t, p, "user1", "share", 1)
	cn := tree.tc.session.conn
	cn.mu.Lock()
	credits := cn.credits
	cn.credits = 0
	cn.mu.Unlock()
	a, b := submit(tree, smb2.CommandEcho, &smb2.EchoRequest{}), submit(tree, smb2.CommandEcho, &smb2.EchoRequest{})
	if st := p.Status().Lanes[0]; st.Waiting != 2 {
		t.Fatalf("%d calls wait, want 2", st.Waiting)
	}
	tree.Cancel(&a.Call)
	if got := a.result(t); !errors.Is(got.err, ntstatus.Cancelled) {
		t.Errorf("got %+v, want cancelled", got)
	}
	cn.mu.Lock()
	cn.credits = credits
	cn.mu.Unlock()
	cn.pump()
	if got := b.result(t); got.err != nil || got.status != ntstatus.Success {
		t.Errorf("the call behind it: %+v", got)
	}
}
