package e2e

import (
	"errors"
	"testing"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// onSequence is a header with a ChannelSequence and flags.
func onSequence(tree *rawsmb.Tree, cmd smb2.Command, sequence uint16, flags smb2.Flags) smb2.Header {
	h := smb2.Header{Command: cmd, TreeID: tree.TreeID, Flags: flags}
	h.SetChannelSequence(sequence)
	return h
}

// TestChannelSequence breaks a channel in a client's mind: what was sent before it may change nothing any more, and
// what is sent again waits until nothing from before is under way ([MS-SMB2] 3.3.5.2.10).
func TestChannelSequence(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	first, second := channels(t, c, rawsmb.Options{}, false)
	f, err := first.Create(smb2.CreateRequest{Name: "sequence"})
	if err != nil {
		t.Fatal(err)
	}
	write := func(tree *rawsmb.Tree, sequence uint16, flags smb2.Flags) error {
		_, err := tree.Session.Do(onSequence(tree, smb2.CommandWrite, sequence, flags), &smb2.WriteRequest{FileID: f.FileID, Data: []byte("x")})
		return err
	}
	expect := func(what string, got error, want ntstatus.Status) {
		t.Helper()
		if want == ntstatus.Success && got != nil || want != ntstatus.Success && !errors.Is(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	expect("WRITE before the failure", write(first, 0, 0), ntstatus.Success)

	// A LOCK that has to wait is what is under way when the channel fails.
	holder, _ := channels(t, c, rawsmb.Options{}, false)
	other, err := holder.Create(smb2.CreateRequest{Name: "sequence"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Do(smb2.CommandLock, &smb2.LockRequest{FileID: other.FileID, Locks: []smb2.LockElement{
		{Offset: 100, Length: 1, Flags: smb2.LockFlagExclusiveLock | smb2.LockFlagFailImmediately}}}); err != nil {
		t.Fatal(err)
	}
	waiting, err := first.Session.Start(onSequence(first, smb2.CommandLock, 0, 0), &smb2.LockRequest{FileID: f.FileID,
		Locks: []smb2.LockElement{{Offset: 100, Length: 1, Flags: smb2.LockFlagExclusiveLock}}})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := waiting.Wait(t.Context()); err != nil || m.Header.Status != ntstatus.Pending {
		t.Fatalf("LOCK: got %v, %v, want PENDING", m.Header.Status, err)
	}
	expect("WRITE after the failure", write(second, 1, 0), ntstatus.Success)
	expect("WRITE from before", write(first, 0, 0), ntstatus.FileNotAvailable)
	expect("READ from before", func() error {
		_, err := first.Session.Do(onSequence(first, smb2.CommandRead, 0, 0), &smb2.ReadRequest{FileID: f.FileID, Length: 1})
		return err
	}(), ntstatus.Success)
	expect("WRITE again, LOCK still waits", write(second, 1, smb2.FlagReplay), ntstatus.FileNotAvailable)
	if _, err := holder.Do(smb2.CommandLock, &smb2.LockRequest{FileID: other.FileID, Locks: []smb2.LockElement{
		{Offset: 100, Length: 1, Flags: smb2.LockFlagUnlock}}}); err != nil {
		t.Fatal(err)
	}
	if m, err := waiting.Final(t.Context()); err != nil || m.Header.Status != ntstatus.Success {
		t.Fatalf("LOCK: got %v, %v", m.Header.Status, err)
	}
	expect("WRITE again, nothing waits", write(second, 1, smb2.FlagReplay), ntstatus.Success)
	expect("SET_INFO from before", func() error {
		_, err := first.Session.Do(onSequence(first, smb2.CommandSetInfo, 0, 0), &smb2.SetInfoRequest{FileID: f.FileID, InfoType: smb2.InfoFile,
			FileInfoClass: smb2.FileEndOfFileInformation, Buffer: make([]byte, 8)})
		return err
	}(), ntstatus.FileNotAvailable)
}
