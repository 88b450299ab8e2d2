package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"smbproxy/internal/bench"
)

// comparison is one load for all targets and what smbproxy has to reach.
type comparison struct {
	name, title    string
	workload       string
	protection     bench.Protection
	engine         bench.Engine
	clients, depth int
	versus         int     // the target that smbproxy is held against
	least          float64 // ratio to reach; 0: no goal, for information
	cpuMost        float64 // if not 0: processor time per GiB at most so many times haproxy's
}

// cases are all comparisons; goals are those of the project.
var cases = []*comparison{
	{name: "read-plain", title: "1 MiB sequential read, plain", workload: "read", protection: bench.Plain, clients: 1, depth: 4, versus: haproxy, least: 0.90, cpuMost: 2},
	{name: "read-sign", title: "1 MiB sequential read, signed", workload: "read", protection: bench.Sign, clients: 1, depth: 4, versus: haproxy, least: 0.90},
	{name: "read-seal", title: "1 MiB sequential read, sealed", workload: "read", protection: bench.Seal, clients: 1, depth: 4, versus: direct, least: 0.85},
	{name: "write-plain", title: "1 MiB sequential write, plain", workload: "write", protection: bench.Plain, clients: 1, depth: 4, versus: haproxy, least: 0.90},
	{name: "write-sign", title: "1 MiB sequential write, signed", workload: "write", protection: bench.Sign, clients: 1, depth: 4, versus: haproxy, least: 0.90},
	{name: "write-seal", title: "1 MiB sequential write, sealed", workload: "write", protection: bench.Seal, clients: 1, depth: 4, versus: direct, least: 0.85},
	{name: "read8-plain", title: "1 MiB sequential read, plain, 8 clients", workload: "read", protection: bench.Plain, clients: 8, depth: 2, versus: haproxy, least: 0.90},
	{name: "write8-plain", title: "1 MiB sequential write, plain, 8 clients", workload: "write", protection: bench.Plain, clients: 8, depth: 2, versus: haproxy, least: 0.90},
	{name: "randread", title: "4 KiB random read", workload: "randread", protection: bench.Plain, clients: 1, depth: 8, versus: haproxy, least: 1},
	{name: "randread8", title: "4 KiB random read, 8 clients", workload: "randread", protection: bench.Plain, clients: 8, depth: 4, versus: haproxy, least: 1},
	{name: "open", title: "open and close", workload: "open", protection: bench.Plain, clients: 1, depth: 1, versus: haproxy, least: 1},
	{name: "open8", title: "open and close, 8 clients", workload: "open", protection: bench.Plain, clients: 8, depth: 1, versus: haproxy, least: 1},
	{name: "echo", title: "ECHO", workload: "echo", protection: bench.Plain, clients: 1, depth: 1, versus: direct, least: 1},
	{name: "echo8", title: "ECHO, 8 clients", workload: "echo", protection: bench.Plain, clients: 8, depth: 1, versus: direct, least: 1},
	{name: "stat8", title: "open, query, close, 8 clients", workload: "stat", protection: bench.Sign, clients: 8, depth: 1, versus: haproxy},
	{name: "lock8", title: "lock and unlock, 8 clients", workload: "lock", protection: bench.Sign, clients: 8, depth: 1, versus: haproxy},
	{name: "mix16", title: "mixed work, signed, 16 clients", workload: "mix", protection: bench.Sign, clients: 16, depth: 1, versus: haproxy},
	{name: "library-read", title: "1 MiB sequential read, engine go-smb2, which signs with AES-CMAC", workload: "read", engine: bench.GoSMB2, protection: bench.Plain, clients: 1, depth: 4, versus: haproxy},
	{name: "library-open", title: "open and close, engine go-smb2", workload: "open", engine: bench.GoSMB2, protection: bench.Plain, clients: 1, depth: 1, versus: haproxy},
}

// figure is one target's medians.
type figure struct {
	OpsPerSecond, MiBPerSecond float64
	P50, P99                   time.Duration
	CPUPerGiB, CPUPerOp        float64 // of the process in the middle: seconds, microseconds
	SmbdPerOp, ClientPerOp     float64 // microseconds of smbd and of the load generator
	Low, High                  float64 // the slowest and fastest round, in operations a second
	Protected                  string
}

// measured is a comparison with its figures.
type measured struct {
	*comparison
	figures [targets]figure
}

// ratio is smbproxy's rate as a part of another target's.
func (m *measured) ratio(of int) float64 {
	return m.figures[smbproxy].OpsPerSecond / m.figures[of].OpsPerSecond
}

// cpuRatio is smbproxy's processor time as a multiple of haproxy's, per operation.
func (m *measured) cpuRatio() float64 {
	return m.figures[smbproxy].CPUPerOp / m.figures[haproxy].CPUPerOp
}

// held tells whether the goal was reached; goal false: there is none.
func (m *measured) held() (held, goal bool) {
	return (m.least == 0 || m.ratio(m.versus) >= m.least) && (m.cpuMost == 0 || m.cpuRatio() <= m.cpuMost), m.least > 0
}

// measure runs all rounds of a case, the targets in turn, beginning with another one each round.
func (s *site) measure(ctx context.Context, c *comparison, o options) (*measured, error) {
	var rounds [targets][]figure
	for round := range o.rounds {
		for i := range targets {
			t := (i + round) % targets
			f, err := s.once(ctx, c, &s.targets[t], o.duration)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.targets[t].name, err)
			}
			rounds[t] = append(rounds[t], f)
		}
	}
	m := &measured{comparison: c}
	for t := range rounds {
		m.figures[t] = median(rounds[t])
	}
	m.print()
	return m, nil
}

// once is one measurement.
func (s *site) once(ctx context.Context, c *comparison, t *target, d time.Duration) (figure, error) {
	var before, after [3]float64
	res, err := bench.Run(ctx, bench.Config{Address: t.addr, Share: share, Users: s.users[:1], Workload: c.workload, Engine: c.engine,
		Protection: c.protection, Clients: c.clients, Depth: c.depth, Warmup: 500 * time.Millisecond, Duration: d, Keep: true,
		Directory: "bench-" + c.workload,
		Window: func(open bool) {
			now := [3]float64{cpuSeconds(t.pids()), cpuSeconds(t.smbd()), cpuSeconds([]int{os.Getpid()})}
			if open {
				before = now
			} else {
				after = now
			}
		}})
	if err != nil {
		return figure{}, err
	}
	if res.Errors > 0 {
		return figure{}, fmt.Errorf("%d clients failed: %q", res.Errors, res.ErrorSamples)
	}
	f := figure{OpsPerSecond: res.OpsPerSecond(), MiBPerSecond: res.MiBPerSecond(), P50: res.Latency.P50, P99: res.Latency.P99, Protected: res.Protected}
	if res.Ops > 0 {
		perOp := func(i int) float64 { return (after[i] - before[i]) / float64(res.Ops) * 1e6 }
		f.CPUPerOp, f.SmbdPerOp, f.ClientPerOp = perOp(0), perOp(1), perOp(2)
	}
	if res.Bytes > 0 {
		f.CPUPerGiB = (after[0] - before[0]) / float64(res.Bytes) * (1 << 30)
	}
	return f, nil
}

// median takes the median of each figure by itself.
func median(all []figure) figure {
	mid := func(get func(figure) float64) float64 {
		var v []float64
		for _, f := range all {
			v = append(v, get(f))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	out := figure{
		OpsPerSecond: mid(func(f figure) float64 { return f.OpsPerSecond }),
		MiBPerSecond: mid(func(f figure) float64 { return f.MiBPerSecond }),
		P50:          time.Duration(mid(func(f figure) float64 { return float64(f.P50) })),
		P99:          time.Duration(mid(func(f figure) float64 { return float64(f.P99) })),
		CPUPerGiB:    mid(func(f figure) float64 { return f.CPUPerGiB }),
		CPUPerOp:     mid(func(f figure) float64 { return f.CPUPerOp }),
		SmbdPerOp:    mid(func(f figure) float64 { return f.SmbdPerOp }),
		ClientPerOp:  mid(func(f figure) float64 { return f.ClientPerOp }),
		Protected:    all[0].Protected, Low: all[0].OpsPerSecond,
	}
	for _, f := range all {
		out.Low, out.High = min(out.Low, f.OpsPerSecond), max(out.High, f.OpsPerSecond)
	}
	return out
}

// print shows a case on the terminal.
func (m *measured) print() {
	verdict := ""
	if held, goal := m.held(); goal {
		verdict = map[bool]string{true: "holds", false: "MISSED"}[held]
	}
	fmt.Printf("%-14s", m.name)
	for t, name := range []string{"direct", "haproxy", "smbproxy"} {
		f := m.figures[t]
		fmt.Printf("  %s %8.0f/s %7.1f MiB/s us %.0f+%.0f+%.0f", name, f.OpsPerSecond, f.MiBPerSecond, f.SmbdPerOp, f.CPUPerOp, f.ClientPerOp)
	}
	fmt.Printf("  of haproxy %.2f of direct %.2f cpu %.2f  %s\n", m.ratio(haproxy), m.ratio(direct), m.cpuRatio(), verdict)
}
