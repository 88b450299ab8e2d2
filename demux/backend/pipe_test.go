package backend

import (
	"errors"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// readPipe starts a READ of a pipe that has nothing to say.
func readPipe(tree *Tree, id FileID) *op {
	return submit(tree, smb2.CommandRead, &smb2.ReadRequest{FileID: id.Wire(), Length: 4096})
}

// told waits for the interim reply.
func (o *op) told(t *testing.T) {
	t.Helper()
	select {
	case <-o.pending:
	case <-time.After(20 * time.Second):
		t.Fatal("no interim reply")
	}
}

// TestPipeRead: smbd never ends a READ of an idle pipe, so CANCEL and CLOSE end it here, early and late, and nothing but
// a ghost is left.
func TestPipeRead(t *testing.T) {
	r := newRig(t, "")
	p := startPool(t, r.config())
	tree := mustConnect(t, p, "user1", "IPC$", 1)
	id, st := create(t, tree, "srvsvc", smb2.FileReadData|smb2.FileWriteData, smb2.FileOpen)
	must(t, "open the pipe", st)
	pending := readPipe(tree, id)
	pending.told(t)
	tree.Cancel(&pending.Call)
	tree.Cancel(&pending.Call)
	if got := pending.result(t); !errors.Is(got.err, ntstatus.Cancelled) {
		t.Errorf("cancelled: %+v", got)
	}
	var early []*op
	for range 50 {
		o := readPipe(tree, id)
		tree.Cancel(&o.Call)
		early = append(early, o)
	}
	for _, o := range early {
		if got := o.result(t); !errors.Is(got.err, ntstatus.Cancelled) {
			t.Fatalf("cancelled at once: %+v", got)
		}
	}
	other, st := create(t, tree, "srvsvc", smb2.FileReadData|smb2.FileWriteData, smb2.FileOpen)
	must(t, "open the pipe again", st)
	left, stays := readPipe(tree, id), readPipe(tree, other)
	left.told(t)
	stays.told(t)
	must(t, "close the pipe", request(t, tree, smb2.CommandClose, &smb2.CloseRequest{FileID: id.Wire()}, 1))
	if got := left.result(t); !errors.Is(got.err, ntstatus.FileClosed) {
		t.Errorf("closed: %+v", got)
	}
	if len(stays.done) != 0 {
		t.Error("the READ of another pipe has ended too")
	}
	cn := tree.tc.session.conn
	cn.mu.Lock()
	ghosts, inflight := cn.ghosts, len(cn.inflight)
	cn.mu.Unlock()
	if ghosts != 52 || inflight != 53 {
		t.Errorf("%d ghosts of %d in flight, want 52 of 53", ghosts, inflight)
	}
}

// TestPipesHaveTheirLane: too many READs given up end the lane, and no file is on it.
func TestPipesHaveTheirLane(t *testing.T) {
	r := newRig(t, "")
	p := startPool(t, r.config())
	files, pipes := mustConnect(t, p, "user1", "share", 1), mustConnect(t, p, "user1", "ipc$", 1)
	if files.Lane() == pipes.Lane() {
		t.Fatal("pipes are on the lane of files")
	}
	id, st := create(t, pipes, "srvsvc", smb2.FileReadData|smb2.FileWriteData, smb2.FileOpen)
	must(t, "open the pipe", st)
	for range maxGhosts + 1 {
		o := readPipe(pipes, id)
		pipes.Cancel(&o.Call)
		if got := o.result(t); got.err == nil {
			t.Fatalf("%+v", got)
		}
	}
	eventually(t, "the lane of pipes to end", func() bool { return !pipes.Alive() })
	if !files.Alive() {
		t.Error("the lane of files has ended with it")
	}
	pipes.Release()
	mustConnect(t, p, "user1", "IPC$", 1)
	if n := len(p.Status().Lanes); n != 2 {
		t.Errorf("%d lanes, want 2", n)
	}
}
