package main

import (
	"context"
	"fmt"
	"time"

	"smbproxy/internal/bench"
)

// scaled is what thousands of connections cost, and how they were served.
type scaled struct {
	idle, busy       int
	idleKiB          float64 // of resident memory for each idle connection
	loginsPerSecond  float64
	backendProcesses int // smbd processes behind the idle clients: one for each connection of smbproxy
	errors           int64
	idleSamples      []string
	result           *bench.Result // of the busy ones
	peakMiB          float64       // resident memory with the busy ones
}

// Goals of the project.
const (
	idleGoalKiB = 40
	fairGoal    = 0.90 // Jain's index; "fair shares" in a number
)

// held tells whether the goals were reached.
func (s *scaled) held() bool {
	return s.errors == 0 && s.idleKiB <= idleGoalKiB && s.result.Errors == 0 && s.result.Fair.Jain >= fairGoal
}

// scale measures idle and busy clients of smbproxy, on a fresh process.
func (s *site) scale(ctx context.Context, o options) (*scaled, error) {
	if err := s.cluster.Proxy.Stop(); err != nil {
		return nil, err
	}
	if err := s.cluster.Proxy.Start(ctx); err != nil {
		return nil, err
	}
	out := &scaled{idle: o.idle, busy: o.busy}
	t := &s.targets[smbproxy]
	pid := s.cluster.Proxy.Pid()
	base := status(pid, "VmRSS")
	res, err := bench.Run(ctx, bench.Config{Address: t.addr, Share: share, Users: s.users, Workload: "idle", Protection: bench.Sign,
		Clients: o.idle, Duration: 15 * time.Second,
		Window: func(open bool) {
			if !open { // just before their ECHO
				out.idleKiB = float64(status(pid, "VmRSS")-base) / float64(o.idle)
				out.backendProcesses = len(s.cluster.Backends[0].Pids())
			}
		}})
	if err != nil {
		return nil, err
	}
	out.errors, out.idleSamples = res.Errors, res.ErrorSamples
	out.loginsPerSecond = float64(o.idle) / res.Connect.Seconds
	fmt.Printf("%d idle clients: %.1f KiB each, %.0f log-ins a second, %d smbd processes, %d errors %q\n",
		o.idle, out.idleKiB, out.loginsPerSecond, out.backendProcesses, out.errors, out.idleSamples)
	out.result, err = bench.Run(ctx, bench.Config{Address: t.addr, Share: share, Users: s.users, Workload: "mix", Protection: bench.Sign,
		Clients: o.busy, Warmup: 5 * time.Second, Duration: 30 * time.Second, FileSize: 1 << 20, Keep: true, Directory: "bench-busy"})
	if err != nil {
		return nil, err
	}
	out.peakMiB = float64(status(pid, "VmHWM")) / 1024
	f := out.result.Fair
	fmt.Printf("%d busy clients: %.0f operations/s, %v, %d to %d each, Jain %.3f, %d errors %q, peak %.0f MiB\n", o.busy,
		out.result.OpsPerSecond(), out.result.Latency, f.Least, f.Most, f.Jain, out.result.Errors, out.result.ErrorSamples, out.peakMiB)
	return out, nil
}
