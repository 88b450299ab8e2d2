package layout

import (
	"errors"
	"fmt"
)

// Rule is a share's own rule for files of which the file system says nothing: stripes of Size bytes over Count of the
// targets, each file beginning at another one so that small files spread as well. Immutable; made by NewRule.
type Rule struct {
	layouts []*Layout // by the target that a file begins at
}

// NewRule makes a rule. Count 0 means all targets.
func NewRule(size uint64, count int, targets []Target) (*Rule, error) {
	switch {
	case len(targets) == 0:
		return nil, errors.New("stripe rule without backends")
	case size == 0:
		return nil, errors.New("stripe size is 0")
	case count < 0 || count > len(targets):
		return nil, fmt.Errorf("stripe count is %d, there are %d backends", count, len(targets))
	}
	if count == 0 {
		count = len(targets)
	}
	r := &Rule{}
	for first := range targets {
		over := make([]Target, count)
		for i := range over {
			over[i] = targets[(first+i)%len(targets)]
		}
		s := []segment{striped(0, EOF, size, over)}
		r.layouts = append(r.layouts, &Layout{reads: s, writes: s})
	}
	return r, nil
}

// For is the layout of a file by its number, which must be the same wherever and whenever it is asked for. It makes nothing.
func (r *Rule) For(file uint64) *Layout {
	return r.layouts[file*0x9E3779B97F4A7C15>>32%uint64(len(r.layouts))]
}
