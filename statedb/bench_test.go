package statedb

import (
	"fmt"
	"testing"
	"time"

	"smbproxy/statedb/core"
)

// BenchmarkOpenClose is the whole arbitration of one open and its close through the
// driver, beside many open files and on a hot one.
func BenchmarkOpenClose(b *testing.B) {
	for _, n := range []int{0, 1000, 100_000} {
		for _, hot := range []bool{false, true} {
			if hot && n != 1000 {
				continue
			}
			o, stop := start(b, Config{})
			for i := range n {
				file := uint64(i + 2)
				if hot {
					file = 1
				}
				o.Do(b.Context(), openCommand(o, uint64(i%1000+10), file), nil)
			}
			b.Run(fmt.Sprintf("open=%d/hot=%v", n, hot), func(b *testing.B) {
				c := openCommand(o, 1, 1)
				begin := &core.Begin{Name: c.Name}
				done := func(core.Result) {}
				b.ReportAllocs()
				for b.Loop() {
					c.Req, c.ID, c.Held = o.NewRequestID(), o.NewOpenID(), true
					begin.Req = c.Req
					o.Do(b.Context(), begin, done)
					o.Do(b.Context(), c, done)
					o.Do(b.Context(), &core.Close{Open: c.ID}, done)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "opens/s")
			})
			stop()
		}
	}
}

// BenchmarkCheckIO is what a READ pays on a file without locks.
func BenchmarkCheckIO(b *testing.B) {
	o, _ := start(b, Config{})
	c := openCommand(o, 1, 1)
	r := o.Do(b.Context(), c, nil)
	for b.Loop() {
		o.CheckIO(c.ID, r.Hint, 0, 4096, false)
		o.Written(c.ID, r.Hint)
	}
}

// BenchmarkListing lists a million opens while a client opens and closes; worst-ms is the longest that it had
// to wait for one of these.
func BenchmarkListing(b *testing.B) {
	o, _ := start(b, Config{})
	for i := range 1_000_000 {
		o.Do(b.Context(), openCommand(o, uint64(i%1000+10), uint64(i+2)), nil)
	}
	stop, done := make(chan struct{}), make(chan time.Duration)
	go func() {
		var worst time.Duration
		c := openCommand(o, 1, 1)
		for {
			select {
			case <-stop:
				done <- worst
				return
			default:
			}
			c.Req, c.ID = o.NewRequestID(), o.NewOpenID()
			begin := time.Now()
			o.Do(b.Context(), c, nil)
			worst = max(worst, time.Since(begin))
			o.Do(b.Context(), &core.Close{Open: c.ID}, nil)
		}
	}()
	for b.Loop() {
		if n := len(o.Opens()); n < 1_000_000 {
			b.Fatalf("%d opens listed", n)
		}
	}
	close(stop)
	b.ReportMetric(float64(<-done)/float64(time.Millisecond), "worst-ms")
}
