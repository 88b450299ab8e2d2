package demux

import (
	"sync/atomic"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// TestIdlePipe: a READ of a pipe that says nothing ends with its CANCEL, its CLOSE and its tree, though smbd leaves it
// waiting for ever (4.17).
func TestIdlePipe(t *testing.T) {
	var blamed atomic.Int32
	r := newRig(t, rigOptions{session: func(cfg *session.Config) {
		cfg.Observe = func(cmd smb2.Command, _ ntstatus.Status, fault string, _ time.Duration) {
			if cmd == smb2.CommandRead && fault != string(session.FaultClient) {
				blamed.Add(1)
			}
		}
	}})
	c := r.connect(t, "user1", "IPC$")
	end := func(what string, want ntstatus.Status, how func(id smb2.FileID, messageID, asyncID uint64)) {
		t.Helper()
		m, st := c.create("srvsvc", smb2.FileReadData|smb2.FileWriteData, smb2.FileOpen, 0)
		if st != ntstatus.Success {
			t.Fatal(st)
		}
		p := c.start(smb2.CommandRead, &smb2.ReadRequest{FileID: m.FileID, Length: 4096})
		interim := c.wait(p).Header
		if interim.Status != ntstatus.Pending {
			t.Fatalf("%s: before it %v", what, interim.Status)
		}
		how(m.FileID, p.MessageID, interim.AsyncID)
		if st := c.wait(p).Header.Status; st != want {
			t.Errorf("READ ended by %s: %v, want %v", what, st, want)
		}
	}
	end("CANCEL", ntstatus.Cancelled, func(_ smb2.FileID, _, asyncID uint64) {
		if _, err := c.Start(smb2.Header{Command: smb2.CommandCancel, Flags: smb2.FlagAsync, AsyncID: asyncID}, &smb2.CancelRequest{}); err != nil {
			t.Fatal(err)
		}
	})
	end("CLOSE", ntstatus.FileClosed, func(id smb2.FileID, _, _ uint64) {
		if st := c.close(id); st != ntstatus.Success {
			t.Error(st)
		}
	})
	end("TREE_DISCONNECT", ntstatus.Cancelled, func(smb2.FileID, uint64, uint64) {
		c.must(smb2.CommandTreeDisconnect, &smb2.TreeDisconnectRequest{}, nil)
	})
	if n := blamed.Load(); n != 0 {
		t.Errorf("%d READs are not counted as the client's own doing", n)
	}
}
