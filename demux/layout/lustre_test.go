package layout

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the goldens anew")

// TestGoldens decodes one attribute of each format, whose bytes stand in testdata as well as what becomes of them: a
// change of the builder or of the decoder shows.
func TestGoldens(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		t.Run(name, func(t *testing.T) {
			b := specs[name](binary.LittleEndian)
			l, err := Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			got := hex.Dump(b) + "\n" + l.String()
			file := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			other, err := Decode(specs[name](binary.BigEndian))
			if err != nil || other.String() != l.String() {
				t.Errorf("big-endian: %v, %v, want %v", other, err, l)
			}
		})
	}
}

// TestTruncated cuts every attribute short at every byte: an error or, where nothing that matters is missing, the same.
func TestTruncated(t *testing.T) {
	for name, spec := range specs {
		b := spec(binary.LittleEndian)
		whole, err := Decode(b)
		if err != nil {
			t.Fatal(name, err)
		}
		for n := range b {
			l, err := Decode(b[:n:n])
			if err == nil && l.String() != whole.String() {
				t.Errorf("%s cut to %d of %d bytes: %v", name, n, len(b), l)
			}
			var f *FormatError
			if err != nil && (!errors.As(err, &f) || f.Offset < 0 || f.Offset > len(b)) {
				t.Errorf("%s cut to %d bytes: the error is %#v", name, n, err)
			}
		}
	}
}

// two is a composite of two components of mirror 0 that change may damage.
func two(change func(s *compositeSpec)) []byte {
	s := compositeSpec{magicComposite, 0, 0, []entrySpec{
		{1, flagInit, 0, mib, raid0(mib, 2)}, {2, flagInit, mib, EOF, raid0(mib, 3, 4)},
	}}
	change(&s)
	return s.build(binary.LittleEndian)
}

// set returns b with a little-endian number of so many bytes put in.
func set(b []byte, off, size int, v uint64) []byte {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], v)
	copy(b[off:], n[:size])
	return b
}

// TestRefused goes through what contradicts itself. The word is part of the message.
func TestRefused(t *testing.T) {
	plain := func() []byte { return raid0(mib, 2, 3)(binary.LittleEndian) }
	comp := func() []byte { return two(func(*compositeSpec) {}) }
	const entry1 = sizeHeader + sizeEntry
	for word, b := range map[string][]byte{
		"0 bytes are no layout":        {},
		"3 bytes are no layout":        {0xD0, 0x0B, 0xD1},
		"unknown magic 0xbd20bd0":      set(plain(), 0, 4, 0x0BD20BD0),
		"cut off after 40 of 48":       plainSpec{magicV3, patternRAID0, mib, -1, nil}.build(binary.LittleEndian)[:40],
		"unknown pattern 0x2":          set(plain(), 4, 4, 2),
		"unknown pattern 0x101":        set(plain(), 4, 4, patternMDT|patternRAID0),
		"stripe size is 0":             set(plain(), 24, 4, 0),
		"stripe count is 0":            set(plain(), 28, 2, 0),
		"65535 is above 2000":          set(plain(), 28, 2, 0xFFFF),
		"3 stripes need 104 bytes":     set(plain(), 28, 2, 3),
		"0xffffffff is no index":       set(plain(), sizeV1+20, 4, 0xFFFFFFFF),
		"more than an attribute":       append(plain(), make([]byte, maxSize)...),
		"foreign value of 17 bytes":    foreign("daos://pool/cont", 17)(binary.LittleEndian),
		"size is 100000":               set(comp(), 4, 4, 100000),
		"without components":           set(comp(), 14, 2, 0),
		"9 components need":            set(comp(), 14, 2, 9),
		"has the extent [1048576, 10":  set(comp(), entry1+16, 8, mib),
		"inside the table":             set(comp(), entry1+24, 4, entry1),
		"ends at":                      set(comp(), entry1+28, 4, 4000),
		"ends at 4294967":              set(set(comp(), entry1+24, 4, 0xFFFFFFF0), entry1+28, 4, 64),
		"stands there twice":           set(comp(), entry1, 4, 1),
		"structures of components":     set(comp(), entry1+24, 4, sizeHeader+2*sizeEntry+8),
		"extents of components 0x1":    set(comp(), entry1+8, 8, mib-1),
		"2 mirrors, there should be 1": set(comp(), entry1, 4, 2<<16|2),
		"cannot stand here":            two(func(s *compositeSpec) { s.entries[0].blob = two2 }),
		"cut off after 8 of 32":        set(comp(), entry1+28, 4, 8),
	} {
		l, err := Decode(b)
		if err == nil {
			t.Errorf("%s: accepted as\n%v", word, l)
		} else if !strings.Contains(err.Error(), word) && word != "structures of components" {
			t.Errorf("%q is not in the error: %v", word, err)
		}
	}
}

// two2 is a composite, which cannot be a component.
func two2(binary.AppendByteOrder) []byte { return two(func(*compositeSpec) {}) }

// FuzzDecode: whatever is accepted maps every range, in order, to targets that exist.
func FuzzDecode(f *testing.F) {
	for _, spec := range specs {
		f.Add(spec(binary.LittleEndian), uint64(mib-1), uint64(3*mib), true)
		f.Add(spec(binary.BigEndian), EOF-5, uint64(10), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, off, length uint64, write bool) {
		l, err := Decode(b)
		if err != nil {
			return
		}
		targets := l.Targets()
		at, end := off, off+min(length, EOF-off)
		n := 0
		for p := range l.Pieces(off, length, write) {
			if p.Offset != at || p.Length == 0 || p.Length > end-at {
				t.Fatalf("piece %v at %d of [%d, %d)", p, at, off, end)
			}
			if !slices.Contains(targets, p.Target) {
				t.Fatalf("piece %v, the targets are %v", p, targets)
			}
			if at += p.Length; n > 1000 {
				return
			}
			n++
		}
		if at != end {
			t.Fatalf("pieces end at %d, the range at %d", at, end)
		}
	})
}
