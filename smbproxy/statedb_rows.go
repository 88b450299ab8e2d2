package main

import (
	"cmp"
	"fmt"
	"io"

	"smbproxy/statedb"
	"smbproxy/statedb/core"
)

// stateList is what `smbproxy statedb list --json` prints.
type stateList struct {
	FirstOpenID string      `json:"first_open_id"` // where the last start began to count
	Opens       []handleRow `json:"opens"`
	Fences      []fenceRow  `json:"fences"`
}

// handleRow is a persistent handle.
type handleRow struct {
	ID            string          `json:"id"`
	User          string          `json:"user"`
	ClientGUID    string          `json:"client_guid"`
	CreateGUID    string          `json:"create_guid"`
	Volume        string          `json:"volume"`
	File          string          `json:"file"`
	Name          string          `json:"name"` // folded
	Stream        string          `json:"stream,omitempty"`
	Directory     bool            `json:"directory"`
	Granted       string          `json:"granted_access"`
	ShareMode     string          `json:"sharemode"`
	DenyMode      string          `json:"deny_mode"`
	ReadWrite     string          `json:"rw"`
	Oplock        string          `json:"oplock"`
	LeaseKey      string          `json:"lease_key,omitempty"`
	Locks         []handleLockRow `json:"locks,omitempty"`
	DeleteOnClose bool            `json:"delete_on_close,omitempty"`
	DeletePending bool            `json:"delete_pending,omitempty"`
	TimeoutMS     int64           `json:"timeout_ms"` // how long its client may be away
}

// handleLockRow is a byte-range lock of a persistent handle.
type handleLockRow struct {
	Type  string `json:"type"` // R, W
	Start uint64 `json:"start"`
	Size  uint64 `json:"size"`
}

// fenceRow is a session at a backend that a restart fences.
type fenceRow struct {
	Backend string `json:"backend"`
	User    string `json:"user"`
	Session string `json:"session"`
}

// newStateList puts records in smbstatus's words.
func newStateList(c *statedb.Contents) stateList {
	l := stateList{FirstOpenID: hexID(c.FirstOpenID), Opens: []handleRow{}, Fences: []fenceRow{}}
	for i := range c.Opens {
		l.Opens = append(l.Opens, newHandleRow(&c.Opens[i]))
	}
	for _, f := range c.Fences {
		l.Fences = append(l.Fences, fenceRow{f.Backend, f.User, hexID(f.SessionID)})
	}
	return l
}

func newHandleRow(r *core.Record) handleRow {
	info := core.OpenInfo{Oplock: r.Oplock}
	row := handleRow{
		ID: hexID(uint64(r.Open)), User: r.User, ClientGUID: leaseKey(r.Client), CreateGUID: leaseKey(r.Create),
		Volume: hexID(r.File.Volume), File: hexID(r.File.ID), Name: cmp.Or(r.Name.Path, `\`), Stream: r.Stream, Directory: r.Directory,
		Granted: mask(uint32(r.Access)), ShareMode: shareMode(r.Share), DenyMode: denyMode(r.Share), ReadWrite: readWrite(r.Access),
		DeleteOnClose: r.DeleteOnClose, DeletePending: r.DeletePending, TimeoutMS: r.Timeout.Milliseconds(),
	}
	if r.Lease != nil {
		info.LeaseState, row.LeaseKey = r.Lease.State, leaseKey(r.Lease.Key)
	}
	row.Oplock = oplockWord(&info)
	for _, k := range r.Locks {
		lock := handleLockRow{"R", k.Offset, k.Length}
		if k.Exclusive {
			lock.Type = "W"
		}
		row.Locks = append(row.Locks, lock)
	}
	return row
}

// print is the list for people.
func (l stateList) print(w io.Writer) error {
	err := table("Open\tUsername\tClient\tDenyMode\tAccess\tR/W\tOplock\tLocks\tTime-out\tName", func(r handleRow) string {
		name := r.Name
		if r.Stream != "" {
			name += ":" + r.Stream
		}
		return columns(r.ID, r.User, r.ClientGUID, r.DenyMode, r.Granted, r.ReadWrite, r.Oplock, len(r.Locks), fmt.Sprintf("%d s", r.TimeoutMS/1000), name)
	})(w, l.Opens)
	if err != nil || len(l.Fences) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return table("Backend\tUsername\tSession to be fenced", func(r fenceRow) string { return columns(r.Backend, r.User, r.Session) })(w, l.Fences)
}

// cmpFault orders faults by key.
func cmpFault(a, b statedb.Fault) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Reason, b.Reason))
}
