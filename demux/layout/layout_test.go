package layout

import (
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// naive says where one byte lies, straight from the rules and without a table: the components in the order of preference.
func naive(s *compositeSpec, off uint64, write bool) Target {
	mirrors := map[uint32]bool{}
	for _, e := range s.entries {
		if e.flags&flagParity == 0 {
			mirrors[e.id>>16] = true
		}
	}
	if state := s.flags & stateMask; write && state != stateWritePending && (state != stateNone || len(mirrors) > 1) {
		return MDS
	}
	preferred := uint32(flagPrefRead)
	if write {
		preferred = flagPrefWrite
	}
	for _, want := range []uint32{preferred, 0} {
		for _, e := range s.entries {
			if off < e.start || off >= e.end || e.flags&flagInit == 0 || e.flags&want != want {
				continue
			}
			if e.flags&(flagStale|flagOffline|flagExtension|flagParity) != 0 {
				continue
			}
			b := e.blob(binary.LittleEndian)
			if binary.LittleEndian.Uint32(b[4:]) != patternRAID0 {
				continue
			}
			size, count := uint64(binary.LittleEndian.Uint32(b[24:])), uint64(binary.LittleEndian.Uint16(b[28:]))
			i := off % (size * count) / size
			return Target(binary.LittleEndian.Uint32(b[sizeV1+i*sizeObject+20:]))
		}
	}
	return MDS
}

// drawLayout draws a composite layout of up to three mirrors, with small numbers so that borders meet.
func drawLayout(t *rapid.T) *compositeSpec {
	s := &compositeSpec{magic: magicComposite, flags: uint16(rapid.IntRange(0, 3).Draw(t, "state"))}
	mirrors := rapid.IntRange(1, 3).Draw(t, "mirrors")
	s.mirrors = mirrors - 1
	for m := range mirrors {
		at := uint64(0)
		for i := range rapid.IntRange(1, 4).Draw(t, "components") {
			at += uint64(rapid.SampledFrom([]int{0, 0, 0, 3}).Draw(t, "gap"))
			end := at + uint64(rapid.IntRange(1, 40).Draw(t, "length"))
			if rapid.IntRange(0, 4).Draw(t, "to eof") == 0 {
				end = EOF
			}
			e := entrySpec{id: uint32(m+1)<<16 | uint32(i+1), start: at, end: end}
			e.flags = rapid.SampledFrom([]uint32{flagInit, flagInit, flagInit | flagPrefRead, flagInit | flagPrefWrite, 0,
				flagInit | flagStale, flagInit | flagOffline, flagExtension, flagInit | flagParity}).Draw(t, "flags")
			size := uint32(rapid.IntRange(1, 9).Draw(t, "size"))
			osts := rapid.SliceOfN(rapid.Uint32Range(0, 3), 1, 5).Draw(t, "osts")
			e.blob = raid0(size, osts...)
			if rapid.IntRange(0, 5).Draw(t, "dom") == 0 {
				e.blob = plainSpec{magicV1, patternMDT, size, 0, nil}.build
			}
			s.entries = append(s.entries, e)
			if at = end; end == EOF {
				break
			}
		}
	}
	return s
}

// TestPieces compares the pieces of random ranges of random layouts with the naive function, byte by byte, and holds that
// they cover the range in order and are as long as they can be.
func TestPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawLayout(t)
		l, err := Decode(s.build(binary.LittleEndian))
		if err != nil {
			t.Fatal(err)
		}
		off, length := rapid.Uint64Range(0, 150).Draw(t, "offset"), rapid.Uint64Range(0, 150).Draw(t, "length")
		write := rapid.Bool().Draw(t, "write")
		at := off
		var before *Piece
		for p := range l.Pieces(off, length, write) {
			if p.Offset != at || p.Length == 0 || before != nil && before.Target == p.Target {
				t.Fatalf("piece %v after %v, at %d", p, before, at)
			}
			for ; at < p.Offset+p.Length; at++ {
				if want := naive(s, at, write); p.Target != want {
					t.Fatalf("byte %d is at %v, want %v\n%v", at, p.Target, want, l)
				}
			}
			before = &p
		}
		if at != off+length {
			t.Fatalf("pieces end at %d, want %d", at, off+length)
		}
	})
}

// TestPiecesAtTheEnd: nothing wraps around at the largest offset.
func TestPiecesAtTheEnd(t *testing.T) {
	for name, spec := range specs {
		l, err := Decode(spec(binary.LittleEndian))
		if err != nil {
			t.Fatal(err)
		}
		total := uint64(0)
		for p := range l.Pieces(EOF-3, 10, true) {
			total += p.Length
		}
		if total != 3 {
			t.Errorf("%s: %d bytes from EOF-3, want 3", name, total)
		}
		if target, n := l.Run(EOF, 10, false); target != MDS || n != 1 {
			t.Errorf("%s: at EOF %v for %d bytes", name, target, n)
		}
	}
}

// TestRule: every file has as many targets as the rule says, files begin at all of them, and a file at the same ones always.
func TestRule(t *testing.T) {
	targets := []Target{0, 1, 2, 3, 4}
	r, err := NewRule(100, 2, targets)
	if err != nil {
		t.Fatal(err)
	}
	begins := map[Target]int{}
	for file := range uint64(1000) {
		l := r.For(file)
		first, n := l.Run(0, 1000, true)
		if n != 100 || l.Whole() {
			t.Fatalf("file %d: the first run is %d at %v", file, n, first)
		}
		begins[first]++
		var got []Target
		for p := range l.Pieces(50, 300, false) {
			got = append(got, p.Target)
		}
		i := slices.Index(targets, first)
		if want := []Target{first, targets[(i+1)%5], first, targets[(i+1)%5]}; !slices.Equal(got, want) {
			t.Fatalf("file %d: %v, want %v", file, got, want)
		}
		if r.For(file) != l {
			t.Fatal("another layout of the same file")
		}
	}
	for _, x := range targets {
		if begins[x] < 100 {
			t.Errorf("%d of 1000 files begin at %v", begins[x], x)
		}
	}
	if one, _ := NewRule(100, 1, targets); !one.For(3).Whole() {
		t.Error("a file of one stripe is split")
	}
	for _, bad := range []struct {
		size    uint64
		count   int
		targets []Target
	}{{0, 1, targets}, {1, 6, targets}, {1, -1, targets}, {1, 0, nil}} {
		if _, err := NewRule(bad.size, bad.count, bad.targets); err == nil {
			t.Errorf("%v is taken for a rule", bad)
		}
	}
}

// TestRunAllocatesNothing: the way of every READ and WRITE.
func TestRunAllocatesNothing(t *testing.T) {
	l, err := Decode(specs["dom-pfl"](binary.LittleEndian))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { l.Run(77*mib, 8*mib, false) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
