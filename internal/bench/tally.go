package bench

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// clock says which operations count: those that end between begin and end.
type clock struct {
	begin, end time.Time
	operations int64 // not 0: a client is done after so many
	stopped    atomic.Bool
}

// over tells whether a client shall begin nothing more.
func (c *clock) over(now time.Time, t *tally) bool {
	return !now.Before(c.end) || c.stopped.Load() || c.operations > 0 && t.allOps.Load() >= c.operations
}

// tally is what one client has done.
type tally struct {
	ops, bytes       atomic.Int64 // while measured; progress reads them
	allOps, allBytes atomic.Int64 // warm-up included
	latencies        *histogram   // shared by several clients
	_                [32]byte     // tallies of clients on two processors do not share a cache line
}

// add counts an operation that has ended.
func (t *tally) add(c *clock, now time.Time, took time.Duration, bytes int) {
	t.allOps.Add(1)
	t.allBytes.Add(int64(bytes))
	if now.Before(c.begin) || !now.Before(c.end) {
		return
	}
	t.ops.Add(1)
	t.bytes.Add(int64(bytes))
	t.latencies.record(took)
}

// histogram is an HDR histogram of latencies with two significant digits, from a microsecond to a minute and a half;
// about 20 KiB.
type histogram struct {
	mu sync.Mutex // guards h
	h  *hdrhistogram.Histogram
}

// Range of the histograms, in nanoseconds.
const (
	shortest = int64(time.Microsecond)
	longest  = int64(90 * time.Second)
)

func newHistogram() *histogram { return &histogram{h: hdrhistogram.New(shortest, longest, 2)} }

// record counts a latency; one beyond the range counts as its end.
func (h *histogram) record(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.h.RecordValue(min(max(int64(d), shortest), longest)) // cannot fail within the range
}

// maxHistograms is how many histograms there are at most: clients share them.
const maxHistograms = 64

// newTallies makes the tallies of n clients.
func newTallies(n int) ([]tally, []*histogram) {
	hs := make([]*histogram, min(n, maxHistograms))
	for i := range hs {
		hs[i] = newHistogram()
	}
	ts := make([]tally, n)
	for i := range ts {
		ts[i].latencies = hs[i%len(hs)]
	}
	return ts, hs
}

// merged adds histograms up.
func merged(hs []*histogram) *hdrhistogram.Histogram {
	sum := hdrhistogram.New(shortest, longest, 2)
	for _, h := range hs {
		h.mu.Lock()
		sum.Merge(h.h)
		h.mu.Unlock()
	}
	return sum
}
