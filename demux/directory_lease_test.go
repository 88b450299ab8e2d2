package demux

import (
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// leaseDirectory opens a directory with a lease of version 2 and says what was granted.
func (c *client) leaseDirectory(name string, key smb2.LeaseKey) (state smb2.LeaseState, leased bool) {
	c.t.Helper()
	l := smb2.RequestLease{V2: true, LeaseKey: key, LeaseState: smb2.LeaseReadCaching | smb2.LeaseHandleCaching | smb2.LeaseWriteCaching}
	m, st := c.openAs(func(q *smb2.CreateRequest) {
		q.Name, q.DesiredAccess, q.CreateOptions = name, smb2.FileListDirectory, smb2.FileDirectoryFile
		q.RequestedOplockLevel = smb2.OplockLevelLease
		q.CreateContexts = []smb2.CreateContext{{Name: []byte(smb2.CreateRequestLease), Data: l.Append(nil)}}
	})
	if st != ntstatus.Success {
		c.t.Fatal(st)
	}
	for _, x := range m.CreateContexts {
		if string(x.Name) == smb2.CreateRequestLease && l.Decode(x.Data) == nil {
			return l.LeaseState, m.OplockLevel == smb2.OplockLevelLease
		}
	}
	return 0, false
}

// TestDirectoryLease leases directories and changes what is in them by another client. A WRITE shows when its handle is
// closed; with other writers there is no lease.
func TestDirectoryLease(t *testing.T) {
	r := newRig(t, rigOptions{lanes: 2})
	a, b := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
	d, st := a.create("d", allAccess, smb2.FileCreate, smb2.FileDirectoryFile)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	a.close(d.FileID)
	key := smb2.LeaseKey{1}
	lease := func(what string) {
		t.Helper()
		if state, ok := a.leaseDirectory("d", key); !ok || state != smb2.LeaseReadCaching|smb2.LeaseHandleCaching {
			t.Fatalf("%s: lease of a directory: %v, %v", what, state, ok)
		}
	}
	broken := func(what string) {
		t.Helper()
		var n smb2.LeaseBreakNotification
		if err := n.Decode(a.event().Bytes); err != nil || n.LeaseKey != key || n.NewLeaseState != 0 || n.Flags&smb2.LeaseFlagBreakAckRequired == 0 {
			t.Errorf("%s: break %+v, %v", what, n, err)
		}
		a.must(smb2.CommandOplockBreak, &smb2.LeaseBreakRequest{LeaseKey: key}, nil)
	}
	lease("first")
	f := b.file(`d\f`, nil)
	broken("create")
	lease("after create")
	b.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: f, Data: []byte("x")}, nil)
	b.close(f)
	broken("close of what was written")
	lease("after close")
	f = b.file(`d\f`, nil)
	broken("overwrite")
	lease("after overwrite")
	rename := smb2.FileRenameInfo{FileName: `d\g`}
	if st := b.setInfo(f, smb2.FileRenameInformation, rename.Append(nil)); st != ntstatus.Success {
		t.Fatal(st)
	}
	broken("rename")
	lease("after rename")
	basic := smb2.FileBasicInfo{FileAttributes: smb2.FileAttributeHidden}
	if st := b.setInfo(f, smb2.FileBasicInformation, basic.Append(nil)); st != ntstatus.Success {
		t.Fatal(st)
	}
	broken("attributes")
	lease("after attributes")
	if st := b.setInfo(f, smb2.FileDispositionInformation, []byte{1}); st != ntstatus.Success {
		t.Fatal(st)
	}
	b.close(f)
	broken("delete")
	w := r.connect(t, "user1", "written")
	if state, ok := w.leaseDirectory("d", smb2.LeaseKey{2}); ok {
		t.Errorf("lease of a directory that others write: %v", state)
	}
}
