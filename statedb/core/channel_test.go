package core

import (
	"testing"

	"smbproxy/internal/ntstatus"
)

// TestChannel is the table of [MS-SMB2] 3.3.5.2.10.
func TestChannel(t *testing.T) {
	var c Channel
	begin := func(seq uint16, modifies, replay bool, want ntstatus.Status) ChannelToken {
		t.Helper()
		tok, st := c.Begin(seq, modifies, replay)
		if st != want {
			t.Errorf("sequence %d, modifies %v, replay %v: got %v, want %v", seq, modifies, replay, st, want)
		}
		return tok
	}
	a := begin(0, true, false, ntstatus.Success)
	// The channel fails; the client goes on with the next sequence.
	b := begin(1, true, false, ntstatus.Success)
	// A replay must not overtake what is still under way from before.
	begin(1, true, true, ntstatus.FileNotAvailable)
	r := begin(1, false, true, ntstatus.Success)
	begin(0, true, false, ntstatus.FileNotAvailable)
	old := begin(0, false, false, ntstatus.Success)
	c.End(old)
	c.End(a)
	d := begin(1, true, true, ntstatus.Success)
	c.End(b)
	c.End(d)
	c.End(r)
	if c.outstanding != 0 || c.previous != 0 {
		t.Errorf("left over: %+v", c)
	}
	// The sequence wraps.
	c.sequence = 0xFFFF
	c.End(begin(2, true, false, ntstatus.Success))
	begin(0xFFFE, true, false, ntstatus.FileNotAvailable)
}
