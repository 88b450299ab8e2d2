package layout

import (
	"fmt"
	"iter"
	"math"
	"sort"
	"strings"
)

// Target is where bytes lie: the index of an OST, or MDS.
type Target uint32

// MDS is the target of what lies at no OST, or where an OST's backend could not do it alone: the backend that serves
// the file's name.
const MDS Target = math.MaxUint32

// String is the target in messages.
func (t Target) String() string {
	if t == MDS {
		return "mds"
	}
	return fmt.Sprintf("ost %d", uint32(t))
}

// EOF is the end of a segment that has none (LUSTRE_EOF).
const EOF uint64 = math.MaxUint64

// Layout maps the bytes of one file to targets. It does not change once made, and any number of goroutines may use it.
type Layout struct {
	reads, writes []segment // sorted, from 0 to EOF without gaps
}

// segment is a range of a file that is striped over targets in the same way: stripe (offset % (size * len)) / size,
// counted from the file's start, not the segment's.
type segment struct {
	start, end uint64
	size       uint64   // of a stripe, bytes
	targets    []Target // one: size means nothing
}

// atMDS is a segment's targets where all of it is at the MDS.
var atMDS = []Target{MDS}

// striped is the segment over targets, which are taken over.
func striped(start, end, size uint64, targets []Target) segment {
	for _, t := range targets[1:] {
		if t != targets[0] {
			return segment{start, end, size, targets}
		}
	}
	return segment{start, end, size, targets[:1]}
}

// at is the target of an offset inside the segment, and where the stripe ends.
func (s *segment) at(off uint64) (Target, uint64) {
	if len(s.targets) == 1 {
		return s.targets[0], s.end
	}
	n := off / s.size
	end := s.end
	if rest := s.size - off%s.size; rest < end-off {
		end = off + rest
	}
	return s.targets[n%uint64(len(s.targets))], end
}

// Run is the target of the byte at off, and how many bytes from there, at most limit, have the same one; at least 1. Limit
// must not be 0.
func (l *Layout) Run(off, limit uint64, write bool) (Target, uint64) {
	if off == EOF { // no extent goes as far
		return MDS, 1
	}
	list := l.reads
	if write {
		list = l.writes
	}
	i := 0
	if len(list) > 1 {
		i = sort.Search(len(list), func(i int) bool { return off < list[i].end })
	}
	target, end := list[i].at(off)
	for end-off < limit {
		if end == list[i].end {
			if i++; i == len(list) {
				break
			}
		}
		next, to := list[i].at(end)
		if next != target {
			break
		}
		end = to
	}
	return target, min(end-off, limit)
}

// Piece is a part of a file that lies at one target.
type Piece struct {
	Target         Target
	Offset, Length uint64
}

// Pieces cuts a range where its target changes. The pieces come in order and cover it; none if length is 0. A range that
// would go beyond the largest offset ends there.
func (l *Layout) Pieces(off, length uint64, write bool) iter.Seq[Piece] {
	length = min(length, EOF-off)
	return func(yield func(Piece) bool) {
		for length > 0 {
			t, n := l.Run(off, length, write)
			if !yield(Piece{t, off, n}) {
				return
			}
			off, length = off+n, length-n
		}
	}
}

// Whole says whether all of the file is at one target, for reads and for writes: such a file is never split.
func (l *Layout) Whole() bool {
	return len(l.reads) == 1 && len(l.writes) == 1 && len(l.reads[0].targets) == 1 && len(l.writes[0].targets) == 1
}

// Targets are all targets that the file may have data at or be sent to, each once, in no order that means anything.
func (l *Layout) Targets() []Target {
	var list []Target
	seen := map[Target]bool{}
	for _, s := range append(l.reads[:len(l.reads):len(l.reads)], l.writes...) {
		for _, t := range s.targets {
			if !seen[t] {
				seen[t] = true
				list = append(list, t)
			}
		}
	}
	return list
}

// String is a line for each segment, as `smbproxy` shows it and goldens have it.
func (l *Layout) String() string {
	var b strings.Builder
	show := func(what string, list []segment) {
		for _, s := range list {
			end := "eof"
			if s.end != EOF {
				end = fmt.Sprint(s.end)
			}
			fmt.Fprintf(&b, "%s [%d, %s) ", what, s.start, end)
			if len(s.targets) == 1 {
				fmt.Fprintf(&b, "%v\n", s.targets[0])
				continue
			}
			fmt.Fprintf(&b, "stripes of %d: %v\n", s.size, s.targets)
		}
	}
	show("read ", l.reads)
	show("write", l.writes)
	return b.String()
}

// continues says whether t, which comes next, is the same stretch of the file going on.
func (s *segment) continues(t *segment) bool {
	if s.end != t.start || len(s.targets) != len(t.targets) || len(s.targets) > 1 && s.size != t.size {
		return false
	}
	for i := range s.targets {
		if s.targets[i] != t.targets[i] {
			return false
		}
	}
	return true
}
