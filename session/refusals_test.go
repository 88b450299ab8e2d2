package session

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// TestRefusals: ten lines at once, then one in ten seconds that tells how many there were; others are not
// concerned, unless they are too many to be told apart.
func TestRefusals(t *testing.T) {
	var l refusals
	now := time.Unix(1000, 0)
	guesser, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	lines := 0
	for range 1000 {
		if line, unlogged := l.log(now, guesser); line {
			lines++
			if unlogged != 0 {
				t.Errorf("%d unlogged before line %d", unlogged, lines)
			}
		}
	}
	if lines != refusalBurst {
		t.Errorf("%d lines, want %d", lines, refusalBurst)
	}
	if line, _ := l.log(now, other); !line {
		t.Error("another client's refusal is not logged")
	}
	now = now.Add(refusalEvery)
	if line, unlogged := l.log(now, guesser); !line || unlogged != 1000-refusalBurst {
		t.Errorf("after a while: %v, %d unlogged", line, unlogged)
	}
	if line, _ := l.log(now, guesser); line {
		t.Error("one more line")
	}
	// One network has as many addresses as it likes, and a mapped address is the plain one.
	if line, _ := l.log(now, netip.MustParseAddr("::ffff:192.0.2.1")); line {
		t.Error("the mapped address is another client")
	}
	lines = 0
	for i := range 100 {
		if line, _ := l.log(now, netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1))); line {
			lines++
		}
	}
	if lines != refusalBurst {
		t.Errorf("%d lines of one network", lines)
	}
	// Memory is bounded, and so is the log of a herd.
	lines = 0
	for i := range 2 * refusalClients {
		if line, _ := l.log(now, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})); line {
			lines++
		}
	}
	if len(l.by) > refusalClients+1 || lines > refusalClients+refusalBurst {
		t.Errorf("%d clients remembered, %d lines", len(l.by), lines)
	}
	now = now.Add(refusalBurst * refusalEvery)
	l.log(now, netip.MustParseAddr("192.0.2.3"))
	if len(l.by) > 2 {
		t.Errorf("%d quiet clients are remembered", len(l.by))
	}
}
