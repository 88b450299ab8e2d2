package backend

import (
	"runtime"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// replayed is a pooled operation that sends the same request again and again.
type replayed struct {
	Call
	msg  []byte
	done chan ntstatus.Status
}

func newReplayed(cmd smb2.Command, body smb2.Body, charge uint16) *replayed {
	h := smb2.Header{Command: cmd}
	r := &replayed{msg: body.Append(h.Append(nil)), done: make(chan ntstatus.Status, 1)}
	r.Done, r.CreditCharge = r, charge
	return r
}

// Pending implements Completion.
func (r *replayed) Pending(*Call) {}

// Complete implements Completion.
func (r *replayed) Complete(_ *Call, h *smb2.Header, _ *transport.Frame, err error) {
	st := ntstatus.From(err)
	if h != nil {
		st = h.Status
	}
	r.done <- st
}

// run sends the request once and waits.
func (r *replayed) run(tree *Tree) ntstatus.Status {
	r.Frame = transport.NewFrame(len(r.msg))
	r.Frame.SetBytes(append(r.Frame.Bytes(), r.msg...))
	tree.Submit(&r.Call)
	return <-r.done
}

// hotCalls are the requests of the hot path, against an open file of 1 MiB.
func hotCalls(t testing.TB, tree *Tree) map[string]*replayed {
	id, st := create(t, tree, "hot", smb2.FileReadData|smb2.FileWriteData, smb2.FileOpenIf)
	must(t, "create", st)
	data := make([]byte, 1<<20)
	must(t, "write", request(t, tree, smb2.CommandWrite, &smb2.WriteRequest{FileID: id.Wire(), Data: data}, 16))
	return map[string]*replayed{
		"ECHO":       newReplayed(smb2.CommandEcho, &smb2.EchoRequest{}, 1),
		"READ 4KiB":  newReplayed(smb2.CommandRead, &smb2.ReadRequest{FileID: id.Wire(), Length: 4096}, 1),
		"READ 1MiB":  newReplayed(smb2.CommandRead, &smb2.ReadRequest{FileID: id.Wire(), Length: 1 << 20}, 16),
		"WRITE 1MiB": newReplayed(smb2.CommandWrite, &smb2.WriteRequest{FileID: id.Wire(), Data: data}, 16),
	}
}

// A call allocates nothing once warm, signed or sealed: not for the submitter and
// not on the reader.
func TestCallsDoNotAllocate(t *testing.T) {
	for name, global := range map[string]string{"signed": "", "sealed": "\tserver smb encrypt = required\n"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, global)
			tree := mustConnect(t, startPool(t, r.config()), "user1", "share", 1)
			for name, op := range hotCalls(t, tree) {
				const n = 500
				for range 50 {
					must(t, name, op.run(tree))
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range n {
					must(t, name, op.run(tree))
				}
				runtime.ReadMemStats(&after)
				// Pools lose a little to garbage collection and, under the race detector, on purpose.
				if got := float64(after.Mallocs-before.Mallocs) / n; got > 0.5 && !raceEnabled {
					t.Errorf("%s: %.2f allocations per call", name, got)
				}
			}
		})
	}
}

// BenchmarkCall is one call at a time to a real smbd; the difference between
// signed and sealed and between sizes is ours, the rest smbd's.
func BenchmarkCall(b *testing.B) {
	for name, global := range map[string]string{"signed": "", "sealed": "\tserver smb encrypt = required\n"} {
		r := newRig(b, global)
		tree := mustConnect(b, startPool(b, r.config()), "user1", "share", 1)
		for call, op := range hotCalls(b, tree) {
			b.Run(name+"/"+call, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					must(b, call, op.run(tree))
				}
			})
		}
	}
}
