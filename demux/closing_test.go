package demux

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// slowLookup answers when it is told to.
type slowLookup struct {
	asked  atomic.Int32
	answer chan bool
}

func (l *slowLookup) Member(context.Context, string, string) (bool, error) {
	l.asked.Add(1)
	return <-l.answer, nil
}
func (*slowLookup) HostNames(context.Context, netip.Addr) []string { return nil }

// TestLogoffDuringTreeConnect logs off while TREE_CONNECT still asks who is in a group: nothing of the session may be
// left when it comes back.
func TestLogoffDuringTreeConnect(t *testing.T) {
	lookup := &slowLookup{answer: make(chan bool)}
	r := newRig(t, rigOptions{demux: func(c *Config) { c.Lookup = lookup }})
	c := r.login(t, "user2", rawsmb.Options{})
	c.Sign = true
	p := c.start(smb2.CommandTreeConnect, &smb2.TreeConnectRequest{Path: `\\server\private`})
	eventually(t, "the question", func() error {
		if lookup.asked.Load() == 0 {
			return fmt.Errorf("not asked")
		}
		return nil
	})
	if err := c.Logoff(); err != nil {
		t.Fatal(err)
	}
	lookup.answer <- true
	if st := c.wait(p).Header.Status; st != ntstatus.UserSessionDeleted {
		t.Errorf("TREE_CONNECT of a session that has gone: %v", st)
	}
	eventually(t, "everything to be given back", func() error {
		clients := 0
		for _, lane := range r.pools["b1"].Status().Lanes {
			clients += lane.Clients
		}
		if n := len(r.demux.clientSessions()); n+clients != 0 {
			return fmt.Errorf("%d sessions, %d clients of the backend", n, clients)
		}
		return nil
	})
}
