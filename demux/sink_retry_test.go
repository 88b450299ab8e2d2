package demux

import (
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// TestBreakOnNextChannel loses the channel on which a break was sent before the client could answer: the break comes again
// on the other channel, and its acknowledgement lets the second open go on.
func TestBreakOnNextChannel(t *testing.T) {
	r := newRig(t, rigOptions{session: func(c *session.Config) { c.MultiChannel = true }})
	opt := rawsmb.Options{ClientGUID: smb2.GUID{1, 2, 3}, Capabilities: smb2.GlobalCapMultiChannel}
	first := r.login(t, "user1", opt)
	conn, err := rawsmb.Dial(t.Context(), r.addr, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	s, err := first.Bind(t.Context(), conn, rawsmb.NTLM("user1", r.lab.User("user1").Password))
	if err != nil {
		t.Fatal(err)
	}
	if st := first.treeConnect("share"); st != ntstatus.Success {
		t.Fatal(st)
	}
	second := &client{t: t, Session: s, tree: first.tree}
	other := r.connect(t, "user1", "share")
	m, st := first.openAs(func(q *smb2.CreateRequest) { q.RequestedOplockLevel = smb2.OplockLevelBatch })
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	p := other.startOpen(nil)
	if st := other.wait(p).Header.Status; st != ntstatus.Pending {
		t.Fatalf("open beside a batch oplock: %v", st)
	}
	for _, c := range []*client{first, second} {
		var n smb2.OplockBreakNotification
		if err := n.Decode(c.event().Bytes); err != nil || n.FileID != m.FileID {
			t.Fatalf("break %+v, %v", n, err)
		}
		if c == first {
			c.Conn.Close()
		}
	}
	second.must(smb2.CommandOplockBreak, &smb2.OplockBreakRequest{FileID: m.FileID}, nil)
	if st := other.wait(p).Header.Status; st != ntstatus.Success {
		t.Errorf("open after the acknowledgement: %v", st)
	}
}

// TestBreakToOtherSession loses the session by which a lease was made; the lease goes on in another session of the client,
// which is told of its break.
func TestBreakToOtherSession(t *testing.T) {
	r := newRig(t, rigOptions{})
	opt := rawsmb.Options{ClientGUID: smb2.GUID{4, 5, 6}}
	a, b := r.login(t, "user1", opt), r.login(t, "user1", opt)
	l := smb2.RequestLease{LeaseKey: smb2.LeaseKey{7}, LeaseState: smb2.LeaseReadCaching | smb2.LeaseHandleCaching | smb2.LeaseWriteCaching}
	for _, c := range []*client{a, b} {
		if st := c.treeConnect("share"); st != ntstatus.Success {
			t.Fatal(st)
		}
		if _, st := c.openAs(func(q *smb2.CreateRequest) {
			q.RequestedOplockLevel = smb2.OplockLevelLease
			q.CreateContexts = []smb2.CreateContext{{Name: []byte(smb2.CreateRequestLease), Data: l.Append(nil)}}
		}); st != ntstatus.Success {
			t.Fatal(st)
		}
	}
	if err := a.Logoff(); err != nil {
		t.Fatal(err)
	}
	other := r.connect(t, "user1", "share")
	p := other.startOpen(nil)
	if st := other.wait(p).Header.Status; st != ntstatus.Pending {
		t.Fatalf("open beside a lease: %v", st)
	}
	var n smb2.LeaseBreakNotification
	if err := n.Decode(b.event().Bytes); err != nil || n.LeaseKey != l.LeaseKey {
		t.Fatalf("break %+v, %v", n, err)
	}
	b.must(smb2.CommandOplockBreak, &smb2.LeaseBreakRequest{LeaseKey: l.LeaseKey, LeaseState: n.NewLeaseState}, nil)
	if st := other.wait(p).Header.Status; st != ntstatus.Success {
		t.Errorf("open after the acknowledgement: %v", st)
	}
}
