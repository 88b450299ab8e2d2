package demux

import (
	"sync/atomic"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
)

// A panic over a backend's reply is the end of its request and of its lane, and of nothing else.
func TestPanicOverReply(t *testing.T) {
	r := newRig(t, rigOptions{})
	flush := r.demux.table[smb2.CommandFlush].Run
	var panics atomic.Bool
	panics.Store(true)
	r.demux.table[smb2.CommandFlush].Run = func(r *session.Request) {
		if !panics.Load() {
			flush(r)
			return
		}
		relay(r, openOf(r), 0, func(*op, *smb2.Header, *transport.Frame, error) { panic("a finisher panics") })
	}
	c := r.connect(t, "user1", "share")
	id := c.file("x", []byte("data"))
	if st, _ := c.call(smb2.CommandFlush, &smb2.FlushRequest{FileID: id}); st != ntstatus.InternalError {
		t.Errorf("got %v, want internal error", st)
	}
	panics.Store(false)
	id = c.file("y", []byte("data"))
	if got := string(c.read(id, 10)); got != "data" {
		t.Errorf("afterwards %q", got)
	}
}
