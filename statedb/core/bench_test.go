package core

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"smbproxy/internal/smb2"
)

// benchOpen is the open that benchmarks ask for.
func benchOpen(i int, file uint64, path string) *Open {
	return &Open{
		Req: RequestID(i + 1), ID: OpenID(i + 1), Session: SessionID(i%1000 + 1),
		Client: GUID{byte(i % 1000), byte(i % 1000 >> 8), 1}, User: "u",
		File: FileKey{Volume: 1, ID: file}, Name: Name{1, path},
		Access: smb2.FileReadData | smb2.FileWriteData, Share: 7, Held: true,
	}
}

// BenchmarkOpenClose is one CREATE's arbitration and its CLOSE: Begin, Open, Close, with
// so many files open already. It must be flat.
func BenchmarkOpenClose(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000, 1_000_000} {
		s := New(Config{})
		for i := range n {
			c := benchOpen(i, uint64(i+1), fmt.Sprintf("dir%d\\sub\\file%d", i%100, i))
			c.Held = false
			s.Apply(0, c)
		}
		runtime.GC()
		b.Run(fmt.Sprintf("open=%d", n), func(b *testing.B) {
			benchLoop(b, s, n, uint64(n+1), "dir1\\sub\\new")
		})
	}
}

// BenchmarkOpenRandom opens and closes files at random among those that are open already,
// so that neither caches nor branch prediction know what comes.
func BenchmarkOpenRandom(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000, 1_000_000} {
		s := New(Config{})
		paths := make([]string, n)
		for i := range n {
			paths[i] = fmt.Sprintf("dir%d\\sub\\file%d", i%100, i)
			c := benchOpen(i, uint64(i+1), paths[i])
			c.Held = false
			s.Apply(0, c)
		}
		runtime.GC()
		b.Run(fmt.Sprintf("open=%d", n), func(b *testing.B) {
			open := benchOpen(n, 1, "")
			begin, cl := &Begin{Req: open.Req}, &Close{Open: open.ID}
			rng := rand.New(rand.NewPCG(1, 2))
			b.ReportAllocs()
			for b.Loop() {
				i := rng.IntN(n)
				begin.Name.Path, open.Name.Path = paths[i], paths[i]
				begin.Name.Volume, open.File.ID, open.Held = 1, uint64(i+1), true
				s.Apply(0, begin)
				if r, _ := s.Apply(0, open); r.Status != 0 {
					b.Fatal(r.Status)
				}
				s.Apply(0, cl)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "opens/s")
		})
	}
}

// BenchmarkHot is the same on a file that 1,000 clients have open, against one that
// nobody has.
func BenchmarkHot(b *testing.B) {
	for _, n := range []int{0, 1000} {
		for _, lease := range []string{"none", "RH"} {
			b.Run(fmt.Sprintf("clients=%d/lease=%s", n, lease), func(b *testing.B) {
				s := New(Config{})
				for i := range n {
					c := benchOpen(i, 1, "dir\\sub\\hot")
					c.Held = false
					if lease != "none" {
						c.Oplock = smb2.OplockLevelLease
						c.Lease = &LeaseRequest{Key: GUID{1}, State: 3, Version: 2}
					}
					s.Apply(0, c)
				}
				benchLoop(b, s, n, 1, "dir\\sub\\hot")
			})
		}
	}
}

func benchLoop(b *testing.B, s *State, n int, file uint64, path string) {
	b.Helper()
	open := benchOpen(n, file, path)
	begin := &Begin{Req: open.Req, Name: open.Name}
	cl := &Close{Open: open.ID}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		open.Held = true
		s.Apply(0, begin)
		r, _ := s.Apply(0, open)
		if r.Status != 0 {
			b.Fatal(r.Status)
		}
		s.Apply(0, cl)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "opens/s")
}

// TestMemoryPerOpen holds the promise of 1 KiB an open, each of a file of its own with a
// lease of its own.
func TestMemoryPerOpen(t *testing.T) {
	const n = 100_000
	for _, leased := range []bool{false, true} {
		s := New(Config{})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range n {
			c := benchOpen(i, uint64(i+1), fmt.Sprintf("some directory\\file number %d.txt", i))
			if leased {
				c.Oplock = smb2.OplockLevelLease
				c.Lease = &LeaseRequest{Key: GUID{byte(i), byte(i >> 8), byte(i >> 16)}, State: 7, Version: 2}
			}
			s.Apply(0, c)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		per := int64(after.HeapAlloc-before.HeapAlloc) / n
		t.Logf("leased %v: %d bytes an open", leased, per)
		if per > 1024 {
			t.Errorf("leased %v: %d bytes an open, want at most 1024", leased, per)
		}
		runtime.KeepAlive(s)
	}
}

// TestReleaseMany holds the promise that a lost client's 10,000 opens go in well under a
// second.
func TestReleaseMany(t *testing.T) {
	s := New(Config{})
	for i := range 10_000 {
		c := benchOpen(0, uint64(i+1), fmt.Sprintf("dir\\file%d", i))
		c.ID, c.Req, c.Held = OpenID(i+1), RequestID(i+1), false
		s.Apply(0, c)
		s.Apply(0, &Lock{Req: 1, Open: c.ID, Locks: []smb2.LockElement{{Length: 1, Flags: LockExclusive | LockFailImmediately}}})
	}
	start := time.Now()
	_, effects := s.Apply(0, &Release{Session: 1})
	took := time.Since(start)
	if len(effects) != 10_000 || len(s.opens) != 0 {
		t.Fatalf("%d effects, %d opens left", len(effects), len(s.opens))
	}
	t.Logf("10,000 opens released in %v", took)
	if took > 500*time.Millisecond {
		t.Errorf("released in %v, want well under a second", took)
	}
}
