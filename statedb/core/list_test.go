package core

import (
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// opens and leases call fn for each of what there is.
func opens(s *State, fn func(OpenInfo)) {
	for _, id := range s.OpenIDs() {
		if i, ok := s.OpenInfo(id); ok {
			fn(i)
		}
	}
}

func leases(s *State, fn func(LeaseInfo)) {
	for _, id := range s.LeaseIDs() {
		if i, ok := s.LeaseInfo(id); ok {
			fn(i)
		}
	}
}

// TestListings: an admin sees each open with its oplock or lease, each lease with its opens, what
// waits for locks, and who watches what.
func TestListings(t *testing.T) {
	s := New(Config{})
	file := func(id OpenID, n uint64) *Open {
		return &Open{
			Req: RequestID(id), ID: id, Session: 1, Client: GUID{1}, User: "u", File: FileKey{Volume: 1, ID: n},
			Name: Name{1, "DIR\\F"}, Access: smb2.FileReadData | smb2.FileWriteData, Share: 7,
		}
	}
	must := func(c Command, want ntstatus.Status) {
		t.Helper()
		if r, _ := s.Apply(1, c); r.Status != want {
			t.Fatalf("%+v: %v, want %v", c, r.Status, want)
		}
	}
	leased := func(id OpenID) *Open {
		c := file(id, 5)
		c.Oplock = smb2.OplockLevelLease
		c.Lease = &LeaseRequest{Key: smb2.LeaseKey{7}, State: 7, Version: 2, HasParent: true, Parent: smb2.LeaseKey{8}}
		return c
	}
	must(leased(1), ntstatus.Success)
	must(leased(2), ntstatus.Success)
	dir := file(3, 6)
	dir.Directory, dir.Name = true, Name{1, "DIR"}
	must(dir, ntstatus.Success)
	must(&Notify{Req: 10, Open: 3, Filter: 3, Tree: true, Limit: 100}, ntstatus.Pending)
	batch := file(4, 9)
	batch.Oplock, batch.Name, batch.Options = smb2.OplockLevelBatch, Name{1, "B"}, smb2.FileDeleteOnClose
	must(batch, ntstatus.Success)

	seen := map[OpenID]OpenInfo{}
	opens(s, func(i OpenInfo) { seen[i.Open] = i })
	if i := seen[2]; i.Oplock != smb2.OplockLevelLease || i.LeaseKey != (smb2.LeaseKey{7}) || i.LeaseState != 7 || i.Breaking {
		t.Errorf("leased open: %+v", i)
	}
	if i := seen[4]; i.Oplock != smb2.OplockLevelBatch || !i.DeleteOnClose || i.Name.Path != "B" {
		t.Errorf("batch open: %+v", i)
	}
	if !seen[3].Watching || !seen[3].Directory {
		t.Errorf("watching open: %+v", seen[3])
	}
	count := 0
	leases(s, func(i LeaseInfo) {
		count++
		if len(i.Opens) != 2 || i.User != "u" || i.State != 7 || i.Version != 2 || i.Name.Path != "DIR\\F" || *i.Parent != (smb2.LeaseKey{8}) || i.ID.Client != (GUID{1}) {
			t.Errorf("lease: %+v", i)
		}
	})
	watches := 0
	for _, id := range s.Watchers() {
		watches++
		if i, ok := s.WatchInfo(id); !ok || i != (WatchInfo{Open: 3, Name: Name{1, "DIR"}, Filter: 3, Tree: true, Waiting: 1}) {
			t.Errorf("watch: %+v", i)
		}
	}
	if count != 1 || watches != 1 {
		t.Errorf("%d leases, %d watches", count, watches)
	}

	// A conflict: the lease is breaking, and seen to be.
	other := file(5, 5)
	other.Session, other.Client = 2, GUID{2}
	must(other, ntstatus.Pending)
	leases(s, func(i LeaseInfo) {
		if !i.Breaking {
			t.Errorf("no break: %+v", i)
		}
	})
	opens(s, func(i OpenInfo) {
		if i.Breaking != (i.Open == 1 || i.Open == 2) {
			t.Errorf("break: %+v", i)
		}
	})

	lock := func(open OpenID, flags uint32) *Lock {
		return &Lock{Req: RequestID(open) + 20, Open: open, Locks: []smb2.LockElement{{Offset: 3, Length: 4, Flags: flags}}}
	}
	same := file(6, 9)
	same.Name = Name{1, "B"}
	must(&AckOplock{Open: 4}, ntstatus.InvalidOplockProtocol)
	must(lock(4, LockExclusive), ntstatus.Success)
	must(same, ntstatus.Pending) // breaks the batch oplock
	must(&AckOplock{Open: 4}, ntstatus.Success)
	must(lock(6, LockExclusive), ntstatus.Pending)
	var held, waiting int
	files := s.LockedFiles()
	if len(files) != 1 {
		t.Fatalf("files with locks: %v", files)
	}
	for _, i := range s.LockInfos(files[0]) {
		if i.Offset != 3 || i.Length != 4 || !i.Exclusive || i.Name.Path != "B" || i.Waiting != (i.Open == 6) {
			t.Errorf("lock: %+v", i)
		}
		if i.Waiting {
			waiting++
		} else {
			held++
		}
	}
	if held != 1 || waiting != 1 {
		t.Errorf("%d locks held, %d wait", held, waiting)
	}
}
