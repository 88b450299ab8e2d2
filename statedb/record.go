package statedb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"smbproxy/internal/smb2"
	"smbproxy/statedb/core"
	"smbproxy/statedb/store"
)

// recordVersion is the version that this release writes. A reader refuses a higher one,
// and reads every lower one.
const recordVersion = 1

// recordPrefix stands before the keys of open records.
const recordPrefix = "open/"

// recordKey is the key of an open's record.
func recordKey(id core.OpenID) string { return fmt.Sprintf(recordPrefix+"%016x", uint64(id)) }

// record is core.Record on disk. Names are bytes: they need not be UTF-8. Fields are only
// ever added; their meaning never changes.
type record struct {
	Version       int          `json:"v"`
	Open          uint64       `json:"open"`
	Client        []byte       `json:"client"`
	User          []byte       `json:"user"`
	Create        []byte       `json:"create_guid"`
	Volume        uint64       `json:"volume"`
	File          uint64       `json:"file"`
	Birth         uint64       `json:"birth,omitempty"`
	Snapshot      uint64       `json:"snapshot,omitempty"`
	Stream        []byte       `json:"stream,omitempty"`
	NameVolume    uint64       `json:"name_volume"`
	Path          []byte       `json:"path"`
	Display       []byte       `json:"display,omitempty"`
	Directory     bool         `json:"directory,omitempty"`
	Access        uint32       `json:"access"`
	Share         uint32       `json:"share"`
	DeleteOnClose bool         `json:"delete_on_close,omitempty"`
	DeletePending bool         `json:"delete_pending,omitempty"`
	Oplock        uint8        `json:"oplock"`
	Lease         *recordLease `json:"lease,omitempty"`
	Locks         []recordLock `json:"locks,omitempty"`
	Sequences     []byte       `json:"lock_sequences,omitempty"`
	App           *recordApp   `json:"app,omitempty"`
	TimeoutMS     int64        `json:"timeout_ms"`
}

// recordLease is core.LeaseRecord on disk.
type recordLease struct {
	Key     []byte `json:"key"`
	State   uint32 `json:"state"`
	Epoch   uint16 `json:"epoch"`
	Version uint8  `json:"version"`
	Parent  []byte `json:"parent,omitempty"`
}

// recordLock is core.LockRecord on disk.
type recordLock struct {
	Offset    uint64 `json:"offset"`
	Length    uint64 `json:"length"`
	Exclusive bool   `json:"exclusive,omitempty"`
}

// recordApp is core.AppInstance on disk.
type recordApp struct {
	ID      []byte `json:"id"`
	Version bool   `json:"has_version,omitempty"`
	High    uint64 `json:"high,omitempty"`
	Low     uint64 `json:"low,omitempty"`
}

// recordOp is the change that stores a record.
func recordOp(r core.Record) store.Op {
	d := record{
		Version: recordVersion, Open: uint64(r.Open), Client: r.Client[:], User: []byte(r.User), Create: r.Create[:],
		Volume: r.File.Volume, File: r.File.ID, Birth: r.File.Birth, Snapshot: r.File.Snapshot,
		Stream: []byte(r.Stream), NameVolume: r.Name.Volume, Path: []byte(r.Name.Path), Display: []byte(r.Display), Directory: r.Directory,
		Access: uint32(r.Access), Share: uint32(r.Share), DeleteOnClose: r.DeleteOnClose, DeletePending: r.DeletePending,
		Oplock: uint8(r.Oplock), Sequences: r.Sequences, TimeoutMS: r.Timeout.Milliseconds(),
	}
	if l := r.Lease; l != nil {
		d.Lease = &recordLease{Key: l.Key[:], State: uint32(l.State), Epoch: l.Epoch, Version: l.Version}
		if l.HasParent {
			d.Lease.Parent = l.Parent[:]
		}
	}
	for _, l := range r.Locks {
		d.Locks = append(d.Locks, recordLock(l))
	}
	if a := r.App; a != nil {
		d.App = &recordApp{ID: a.ID[:], Version: a.HasVersion, High: a.High, Low: a.Low}
	}
	b, err := json.Marshal(d)
	if err != nil {
		panic(err) // nothing in record can fail to encode
	}
	return store.Op{Key: recordKey(r.Open), Value: b}
}

// decodeRecord reads a stored record.
func decodeRecord(i store.Item) (r core.Record, err error) {
	var d record
	if err := json.Unmarshal(i.Value, &d); err != nil {
		return r, fmt.Errorf("record %q: %w", i.Key, err)
	}
	if d.Version < 1 || d.Version > recordVersion {
		return r, fmt.Errorf("record %q: version %d, this release reads up to %d", i.Key, d.Version, recordVersion)
	}
	id, err := strconv.ParseUint(strings.TrimPrefix(i.Key, recordPrefix), 16, 64)
	if err != nil || id != d.Open || id == 0 {
		return r, fmt.Errorf("record %q is of open %#x", i.Key, d.Open)
	}
	if n := len(d.Sequences); n != 0 && n != 64 || d.TimeoutMS < 0 {
		return r, fmt.Errorf("record %q: %d lock sequences, timeout %d ms", i.Key, n, d.TimeoutMS)
	}
	r = core.Record{
		Open: core.OpenID(d.Open), User: string(d.User),
		File:   core.FileKey{Volume: d.Volume, ID: d.File, Birth: d.Birth, Snapshot: d.Snapshot},
		Stream: string(d.Stream), Name: core.Name{Volume: d.NameVolume, Path: string(d.Path)}, Display: string(d.Display), Directory: d.Directory,
		Access: smb2.AccessMask(d.Access), Share: smb2.ShareAccess(d.Share),
		DeleteOnClose: d.DeleteOnClose, DeletePending: d.DeletePending,
		Oplock: smb2.OplockLevel(d.Oplock), Sequences: d.Sequences, Timeout: time.Duration(d.TimeoutMS) * time.Millisecond,
	}
	var bad error
	guid := func(dst *core.GUID, b []byte, field string) {
		if len(b) != len(dst) {
			bad = errors.Join(bad, fmt.Errorf("record %q: %s has %d bytes", i.Key, field, len(b)))
		}
		copy(dst[:], b)
	}
	guid(&r.Client, d.Client, "client")
	guid(&r.Create, d.Create, "create_guid")
	if l := d.Lease; l != nil {
		r.Lease = &core.LeaseRecord{State: smb2.LeaseState(l.State), Epoch: l.Epoch, Version: l.Version, HasParent: l.Parent != nil}
		guid(&r.Lease.Key, l.Key, "lease.key")
		if l.Parent != nil {
			guid(&r.Lease.Parent, l.Parent, "lease.parent")
		}
	}
	for _, l := range d.Locks {
		r.Locks = append(r.Locks, core.LockRecord(l))
	}
	if a := d.App; a != nil {
		r.App = &core.AppInstance{HasVersion: a.Version, High: a.High, Low: a.Low}
		guid(&r.App.ID, a.ID, "app.id")
	}
	return r, bad
}

// Records calls fn for every stored record, and returns what is wrong with the others,
// all at once. Examine looks closer.
func Records(ctx context.Context, s store.Source, fn func(core.Record)) error {
	var bad error
	_, err := s.Range(ctx, recordPrefix, func(i store.Item) error {
		r, err := decodeRecord(i)
		if err != nil {
			bad = errors.Join(bad, err)
		} else {
			fn(r)
		}
		return nil
	})
	return errors.Join(err, bad)
}

// restore brings the stored opens back.
func (o *Owner) restore(ctx context.Context) error {
	if o.cfg.Store == nil {
		return nil
	}
	n := 0
	var refused error
	err := Records(ctx, o.cfg.Store, func(r core.Record) {
		if st := o.submit(&core.Restore{Record: r}, nil).Status; st != 0 {
			refused = errors.Join(refused, fmt.Errorf("record of open %#x (%q): %w", uint64(r.Open), r.Name.Path, st))
			return
		}
		n++
	})
	if err = errors.Join(err, refused); err != nil {
		return fmt.Errorf("restore persistent handles: %w", err)
	}
	o.cfg.Log.Info("persistent handles restored", "opens", n)
	return nil
}
