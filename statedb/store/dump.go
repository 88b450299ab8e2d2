package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// dumped is one line of a backup. Keys and values are bytes: names need not be UTF-8.
type dumped struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// Dump writes everything that is not under a lease as lines of JSON: a backup that any
// later version reads.
func Dump(ctx context.Context, s Store, w io.Writer) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	_, err := s.Range(ctx, "", func(i Item) error {
		if i.Lease != 0 {
			return nil
		}
		return enc.Encode(dumped{[]byte(i.Key), i.Value})
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// ErrNotEmpty refuses to load a backup over what is there.
var ErrNotEmpty = errors.New("store: not empty")

// Load reads a backup into an empty store.
func Load(ctx context.Context, s Store, r io.Reader) error {
	_, err := s.Range(ctx, "", func(Item) error { return ErrNotEmpty })
	if err != nil {
		return err
	}
	dec := json.NewDecoder(r)
	var ops []Op
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		_, _, err := s.Txn(ctx, nil, ops)
		ops = ops[:0]
		return err
	}
	for n := 1; ; n++ {
		var d dumped
		if err := dec.Decode(&d); errors.Is(err, io.EOF) {
			return flush()
		} else if err != nil {
			return fmt.Errorf("backup, item %d: %w", n, err)
		}
		ops = append(ops, Op{Key: string(d.Key), Value: d.Value})
		if len(ops) == 1000 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
}
