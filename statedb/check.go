package statedb

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"smbproxy/statedb/core"
	"smbproxy/statedb/store"
)

// Fault is a stored record that cannot be right, and why.
type Fault struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// Contents is what a store holds, with what is wrong with it.
type Contents struct {
	Opens       []core.Record
	Fences      []Fence
	FirstOpenID uint64 // where the last start began to count; 0: there was none
	Faults      []Fault
}

// fault notes one.
func (c *Contents) fault(key, format string, args ...any) {
	c.Faults = append(c.Faults, Fault{key, fmt.Sprintf(format, args...)})
}

// Examine reads everything and reports every record that cannot be read, that no open can have, or
// that cannot stand beside another. An error is one of reading the store as such.
func Examine(ctx context.Context, s store.Source) (*Contents, error) {
	c := &Contents{}
	_, err := s.Range(ctx, "", func(i store.Item) error {
		switch {
		case strings.HasPrefix(i.Key, recordPrefix):
			if r, err := decodeRecord(i); err != nil {
				c.fault(i.Key, "%s", strings.TrimPrefix(err.Error(), fmt.Sprintf("record %q: ", i.Key)))
			} else if why := r.Check(); why != "" {
				c.fault(i.Key, "%s", why)
			} else {
				c.Opens = append(c.Opens, r)
			}
		case strings.HasPrefix(i.Key, fencePrefix):
			if f, err := decodeFence(i.Key); err != nil {
				c.fault(i.Key, "it names no backend, user and session")
			} else {
				c.Fences = append(c.Fences, f)
			}
		case i.Key == idKey:
			if len(i.Value) != 8 {
				c.fault(i.Key, "it has %d bytes", len(i.Value))
			} else {
				c.FirstOpenID = binary.BigEndian.Uint64(i.Value)
			}
		default:
			c.fault(i.Key, "this release has no such records")
		}
		return nil
	})
	c.compare()
	return c, err
}

// compare looks for opens that cannot stand beside one another; the later one is the faulty one and
// takes no further part.
func (c *Contents) compare() {
	type lease struct {
		client core.GUID
		key    [16]byte
	}
	files, leases, creates := map[core.FileKey][]*core.Record{}, map[lease]*core.Record{}, map[lease]*core.Record{}
	kept := c.Opens[:0:0]
	for i := range c.Opens {
		r := &c.Opens[i]
		others := files[r.File]
		create := lease{r.Client, r.Create}
		if x := creates[create]; x != nil {
			others = append(others[:len(others):len(others)], x)
		}
		var key lease
		if r.Lease != nil {
			key = lease{r.Client, r.Lease.Key}
			if x := leases[key]; x != nil {
				others = append(others[:len(others):len(others)], x)
			}
		}
		bad := false
		for _, x := range others {
			if why := r.Conflict(x); why != "" {
				c.fault(recordKey(r.Open), "beside %s: %s", recordKey(x.Open), why)
				bad = true
				break
			}
		}
		if bad {
			continue
		}
		kept = append(kept, *r)
		files[r.File] = append(files[r.File], r)
		creates[create] = r
		if r.Lease != nil {
			leases[key] = r
		}
	}
	c.Opens = kept
}

// decodeFence reads a fence's key.
func decodeFence(key string) (Fence, error) {
	p := strings.Split(strings.TrimPrefix(key, fencePrefix), "/")
	if len(p) != 3 {
		return Fence{}, fmt.Errorf("%q is no fence", key)
	}
	id, err := strconv.ParseUint(p[2], 16, 64)
	if err != nil {
		return Fence{}, fmt.Errorf("%q is no fence: %w", key, err)
	}
	return Fence{p[0], p[1], id}, nil
}
