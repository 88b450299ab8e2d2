package statedb

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/smb2"
	"smbproxy/statedb/core"
	"smbproxy/statedb/store"
)

// goodRecord is an open that may stand beside any other of another number.
func goodRecord(n uint64) core.Record {
	return core.Record{
		Open: core.OpenID(7<<52 | n), Client: core.GUID{1}, User: "u", Create: core.GUID{byte(n), 9}, File: core.FileKey{Volume: 1, ID: 5},
		Name: core.Name{Volume: 1, Path: `DIR\F`}, Access: smb2.FileReadData | smb2.FileWriteData, Share: 7, Timeout: time.Minute,
	}
}

// examine looks at a store with these items.
func examine(t *testing.T, items map[string][]byte) *Contents {
	t.Helper()
	m := newMemory()
	m.items = items
	c, err := Examine(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestExamine breaks one record after another.
func TestExamine(t *testing.T) {
	leased := func(n uint64) core.Record {
		r := goodRecord(n)
		r.Oplock, r.Lease = smb2.OplockLevelLease, &core.LeaseRecord{Key: smb2.LeaseKey{3}, State: 3, Version: 2}
		return r
	}
	for name, c := range map[string]struct {
		second func(r *core.Record)   // what is wrong with one of two
		raw    func(m map[string]any) // or with what is written of it
		want   string
	}{
		"good":               {want: ""},
		"later version":      {raw: func(m map[string]any) { m["v"] = 99 }, want: "version 99"},
		"short client":       {raw: func(m map[string]any) { m["client"] = []byte{1} }, want: "client has 1 bytes"},
		"another's key":      {raw: func(m map[string]any) { m["open"] = 4 }, want: "is of open 0x4"},
		"no access":          {second: func(r *core.Record) { r.Access = 0 }, want: "access 0x0"},
		"generic access":     {second: func(r *core.Record) { r.Access = smb2.MaximumAllowed }, want: "none that is granted"},
		"share access":       {second: func(r *core.Record) { r.Share = 8 }, want: "share access 0x8"},
		"no user":            {second: func(r *core.Record) { r.User = "" }, want: "no user"},
		"path":               {second: func(r *core.Record) { r.Name.Path = `A\..\B` }, want: `path "A\\..\\B"`},
		"path ends in slash": {second: func(r *core.Record) { r.Name.Path = `A\` }, want: "path"},
		"stream":             {second: func(r *core.Record) { r.Stream = ":x" }, want: "stream"},
		"time-out":           {second: func(r *core.Record) { r.Timeout = 0 }, want: "time-out"},
		"oplock level":       {second: func(r *core.Record) { r.Oplock = 3 }, want: "oplock level 0x3"},
		"oplock and lease":   {second: func(r *core.Record) { *r = leased(2); r.Oplock = smb2.OplockLevelII }, want: "an oplock and a lease"},
		"lease state":        {second: func(r *core.Record) { *r = leased(2); r.Lease.State = 9 }, want: "lease state 0x9"},
		"lock range":         {second: func(r *core.Record) { r.Locks = []core.LockRecord{{Offset: 9, Length: ^uint64(0)}} }, want: "beyond 64 bits"},
		"no node":            {second: func(r *core.Record) { r.Open = 2 }, want: "no node number"},
		"sharing violation":  {second: func(r *core.Record) { r.Share = 1 }, want: "a sharing violation"},
		"another file":       {second: func(r *core.Record) { r.Share = 1; r.File.ID = 6 }, want: ""},
		"another stream":     {second: func(r *core.Record) { r.Share = 1; r.Stream = "S" }, want: ""},
		"CreateGuid":         {second: func(r *core.Record) { r.Create = goodRecord(1).Create }, want: "the same CreateGuid"},
		"directory":          {second: func(r *core.Record) { r.Directory = true }, want: "a directory there"},
		"locks":              {second: func(r *core.Record) { r.Locks = []core.LockRecord{{Offset: 99, Length: 2, Exclusive: true}} }, want: "overlap at 100"},
		"shared locks":       {second: func(r *core.Record) { r.Locks = []core.LockRecord{{Offset: 99, Length: 2}} }, want: ""},
		"lease of two files": {second: func(r *core.Record) { *r = leased(2); r.File.ID = 6 }, want: "the same lease on another file"},
		"lease, two states":  {second: func(r *core.Record) { *r = leased(2); r.Lease.State = 1 }, want: "the same lease in another state"},
	} {
		first, second := leased(1), goodRecord(2)
		first.Locks = []core.LockRecord{{Offset: 100, Length: 10}}
		if c.second != nil {
			c.second(&second)
		}
		items := map[string][]byte{}
		for _, r := range []core.Record{first, second} {
			op := recordOp(r)
			items[op.Key] = op.Value
		}
		if c.raw != nil {
			var m map[string]any
			dec := json.NewDecoder(bytes.NewReader(items[recordKey(second.Open)]))
			dec.UseNumber() // of 64 bits
			if err := dec.Decode(&m); err != nil {
				t.Fatal(err)
			}
			c.raw(m)
			items[recordKey(second.Open)], _ = json.Marshal(m)
		}
		got := examine(t, items)
		switch {
		case c.want == "" && (len(got.Faults) != 0 || len(got.Opens) != 2):
			t.Errorf("%s: %+v", name, got.Faults)
		case c.want != "" && (len(got.Faults) != 1 || len(got.Opens) != 1 || !strings.Contains(got.Faults[0].Reason, c.want)):
			t.Errorf("%s: got %+v, want %q", name, got.Faults, c.want)
		case c.want != "" && got.Faults[0].Key != recordKey(second.Open) && !strings.HasPrefix(got.Faults[0].Key, recordPrefix):
			t.Errorf("%s: blames %s", name, got.Faults[0].Key)
		}
	}
}

// TestExamineOthers: what is no open.
func TestExamineOthers(t *testing.T) {
	c := examine(t, map[string][]byte{
		idKey: make([]byte, 8), "fence/b1/u/1f": nil, "fence/b1/1f": nil, "fence/b1/u/xyz": nil, "later/thing": nil, "open/zz": []byte("{"),
	})
	if len(c.Fences) != 1 || c.Fences[0] != (Fence{"b1", "u", 0x1f}) || len(c.Faults) != 4 {
		t.Errorf("%+v", c)
	}
	if c := examine(t, map[string][]byte{idKey: nil}); len(c.Faults) != 1 || c.Faults[0].Key != idKey {
		t.Errorf("%+v", c)
	}
}

// TestExamineOwn: nothing is wrong with what an owner writes.
func TestExamineOwn(t *testing.T) {
	m := newMemory()
	o, _ := start(t, Config{Store: m})
	for i := range 20 {
		c := persistentCommand(o, uint64(i%3+1))
		c.Durable.Create = core.GUID{byte(i + 1)}
		c.Oplock, c.Lease = smb2.OplockLevelLease, &core.LeaseRequest{Key: smb2.LeaseKey{byte(i%3 + 1)}, State: 7, Version: 2}
		if r := o.Do(t.Context(), c, nil); r.Status != 0 {
			t.Fatal(r.Status)
		}
		if i >= 17 {
			if r := o.Do(t.Context(), &core.Lock{Req: o.NewRequestID(), Open: c.ID, Locks: []smb2.LockElement{{Offset: 5, Length: 1, Flags: core.LockExclusive}}}, nil); r.Status != 0 {
				t.Fatal(r.Status)
			}
		}
	}
	c, err := Examine(t.Context(), m)
	if err != nil || len(c.Faults) != 0 || len(c.Opens) != 20 || c.FirstOpenID == 0 {
		t.Errorf("%d opens, %+v, %v", len(c.Opens), c.Faults, err)
	}
	var _ store.Source = m
}
