package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A backup is lines of JSON: a head, the items, and an end that counts them, so that half a backup is
// never taken for a whole one. Keys and values are bytes: names need not be UTF-8.
//
//	{"format":"smbproxy statedb backup","version":1}
//	{"key":"b3Blbi8x","value":"eyJ2Ijox..."}
//	{"end":1}
type (
	backupHead struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	backupLine struct {
		Key   []byte `json:"key,omitempty"`
		Value []byte `json:"value,omitempty"`
		End   *int   `json:"end,omitempty"`
	}
)

// backupFormat and backupVersion are what this release writes; it reads every lower version.
const (
	backupFormat  = "smbproxy statedb backup"
	backupVersion = 1
)

// Dump writes everything that is not under a lease as a backup that any later version reads.
func Dump(ctx context.Context, s Source, w io.Writer) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	if err := enc.Encode(backupHead{backupFormat, backupVersion}); err != nil {
		return err
	}
	n := 0
	_, err := s.Range(ctx, "", func(i Item) error {
		if i.Lease != 0 {
			return nil
		}
		n++
		return enc.Encode(backupLine{Key: []byte(i.Key), Value: i.Value})
	})
	if err == nil {
		err = enc.Encode(backupLine{End: &n})
	}
	return errors.Join(err, out.Flush())
}

// Backup is a backup in memory.
type Backup struct{ items []Item }

// ReadBackup reads a backup, all of it.
func ReadBackup(r io.Reader) (*Backup, error) {
	dec := json.NewDecoder(r)
	var head backupHead
	if err := dec.Decode(&head); err != nil || head.Format != backupFormat {
		return nil, errors.New("not a backup of smbproxy's state database")
	}
	if head.Version < 1 || head.Version > backupVersion {
		return nil, fmt.Errorf("backup of version %d, this release reads up to %d", head.Version, backupVersion)
	}
	b := &Backup{}
	for {
		var l backupLine
		if err := dec.Decode(&l); err != nil {
			return nil, fmt.Errorf("the backup is damaged or cut short after %d items: %w", len(b.items), err)
		}
		if l.End == nil {
			b.items = append(b.items, Item{Key: string(l.Key), Value: l.Value})
			continue
		}
		if *l.End != len(b.items) {
			return nil, fmt.Errorf("the backup has %d items and says that it has %d", len(b.items), *l.End)
		}
		slices.SortStableFunc(b.items, func(x, y Item) int { return strings.Compare(x.Key, y.Key) })
		return b, nil
	}
}

// Range implements Source.
func (b *Backup) Range(ctx context.Context, prefix string, fn func(Item) error) (uint64, error) {
	for _, i := range b.items {
		if !strings.HasPrefix(i.Key, prefix) {
			continue
		}
		if err := errors.Join(ctx.Err(), fn(i)); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// ErrNotEmpty refuses to load a backup over what is there.
var ErrNotEmpty = errors.New("store: not empty")

// Load copies what keep says yes to into an empty store.
func Load(ctx context.Context, s Store, from Source, keep func(key string) bool) error {
	if _, err := s.Range(ctx, "", func(Item) error { return ErrNotEmpty }); err != nil {
		return err
	}
	var ops []Op
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		_, _, err := s.Txn(ctx, nil, ops)
		ops = ops[:0]
		return err
	}
	_, err := from.Range(ctx, "", func(i Item) error {
		if keep(i.Key) {
			ops = append(ops, Op{Key: i.Key, Value: i.Value})
		}
		if len(ops) == 500 { // badger refuses large transactions
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}
