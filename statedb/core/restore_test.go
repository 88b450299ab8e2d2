package core

import (
	"reflect"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// TestRestore: an open that was written down and read back is the open it was.
func TestRestore(t *testing.T) {
	s := New(Config{})
	c := &Open{
		Req: 1, ID: 1, Session: 1, Client: GUID{1}, User: "u", File: FileKey{1, 2, 3, 4}, Stream: "s", Name: Name{1, "d\\f"},
		Access: smb2.FileReadData | smb2.FileWriteData, Share: 3, Options: smb2.FileDeleteOnClose,
		Oplock: smb2.OplockLevelLease, Lease: &LeaseRequest{Key: GUID{2}, State: 7, Version: 2, Epoch: 8, HasParent: true, Parent: GUID{3}},
		Durable: &DurableRequest{V2: true, Persistent: true, Create: GUID{4}, Timeout: time.Minute},
		App:     &AppInstance{ID: GUID{5}, HasVersion: true, High: 1, Low: 2},
	}
	if r, _ := s.Apply(1, c); !r.Persist {
		t.Fatalf("%+v", r)
	}
	lock := &Lock{Req: 2, Open: 1, SequenceIndex: 2, SequenceNumber: 3, Locks: []smb2.LockElement{{Offset: 1, Length: 2, Flags: LockExclusive}}}
	_, effects := s.Apply(1, lock)
	before := effects[len(effects)-1].(Persist).Record

	s = New(Config{})
	if r, _ := s.Apply(1, &Restore{Record: before}); r.Status != 0 {
		t.Fatal(r.Status)
	}
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	if after := s.opens[1].record(); !reflect.DeepEqual(before, after) {
		t.Errorf("got %+v\nwant %+v", after, before)
	}
	if r, _ := s.Apply(1, &Restore{Record: before}); r.Status != ntstatus.InvalidParameter {
		t.Errorf("restored twice: %v", r.Status)
	}
	if got := s.Next(); got != Instant(1).Add(time.Minute) {
		t.Errorf("time-out at %d", got)
	}
	other := before
	other.Open, other.File.ID = 2, 9
	if r, _ := s.Apply(1, &Restore{Record: other}); r.Status != ntstatus.InvalidParameter {
		t.Errorf("one lease key on two files: %v", r.Status)
	}
	// Another open meets the lease and the lock.
	if r, _ := s.Apply(1, &Open{Req: 3, ID: 3, Session: 3, Client: GUID{9}, File: c.File, Stream: "s", Name: c.Name, Access: smb2.FileExecute, Share: 7}); r.Status != ntstatus.Pending {
		t.Errorf("open beside a restored lease: %v", r.Status)
	}
	s.Apply(Instant(1).Add(35*time.Second), &Tick{})
	if r, _ := s.Apply(1, &CheckIO{Open: 3, Offset: 2, Length: 1}); r.Status != ntstatus.FileLockConflict {
		t.Errorf("read of a locked byte: %v", r.Status)
	}
	if r, _ := s.Apply(1, &Open{Req: 4, ID: 4, Session: 3, Client: GUID{9}, File: c.File, Stream: "s", Name: c.Name, Access: smb2.FileExecute, Share: 2}); r.Status != ntstatus.FileNotAvailable {
		t.Errorf("execute does not share reading, and is refused: %v", r.Status)
	}
}
