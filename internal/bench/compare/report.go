package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// write writes the report and its plots.
func write(o options, machine string, done []*measured, s *scaled) error {
	if err := os.MkdirAll(o.plots, 0o755); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# Benchmarks

Written by %[1]smake bench%[1]s on %[2]s. Do not edit.

**Machine**: %[3]s. Load generator, proxies and smbd share it, over loopback, so absolute figures say little; ratios of one run do.

**Command**: %[1]smake bench BENCH='%[4]s'%[1]s

**How**: %[1]ssmbproxy bench%[1]s's generator against three targets, whose turns alternate: *direct*, a stock smbd
with the smb.conf that %[1]ssmbproxy backend config%[1]s prints (but for passwords instead of tickets); *haproxy* in TCP mode before the same smbd;
*smbproxy* before a like smbd, to which it signs with AES-128-GMAC in every case. Medians of %[5]d rounds of %[6]v each. smbproxy
authenticates, signs or seals on the client's side and signs on the backend's; haproxy passes bytes on.

`, "`", time.Now().UTC().Format("2006-01-02"), machine, strings.Join(os.Args[1:], " "), o.rounds, o.duration)
	goals(&b, done, s)
	rates(&b, done)
	processor(&b, done)
	if s != nil {
		scaleTable(&b, s)
	}
	fmt.Fprintf(&b, "\n## Plots\n\n![Throughput and operations as a part of direct](%[1]s/ratios.svg)\n\n![Processor time](%[1]s/processor.svg)\n", filepath.ToSlash(o.plots))
	return errors.Join(
		os.WriteFile(o.out, []byte(b.String()), 0o644),
		os.WriteFile(filepath.Join(o.plots, "ratios.svg"), ratioPlot(done), 0o644),
		os.WriteFile(filepath.Join(o.plots, "processor.svg"), processorPlot(done), 0o644))
}

// goals is the table of what smbproxy has to reach.
func goals(b *strings.Builder, done []*measured, s *scaled) {
	fmt.Fprint(b, "## Goals\n\n| load | goal | reached | |\n|---|---|---|---|\n")
	word := map[bool]string{true: "holds", false: "**missed**"}
	names := [targets]string{"direct", "haproxy", "smbproxy"}
	for _, m := range done {
		held, goal := m.held()
		if !goal {
			continue
		}
		want, got := fmt.Sprintf("%.2f of %s", m.least, names[m.versus]), fmt.Sprintf("%.2f", m.ratio(m.versus))
		if m.cpuMost > 0 {
			want += fmt.Sprintf(", processor time at most %.0f times haproxy's", m.cpuMost)
			got += fmt.Sprintf(", %.2f times", m.cpuRatio())
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", m.title, want, got, word[held])
	}
	if s != nil {
		fmt.Fprintf(b, "| %d idle authenticated connections | at most %d KiB each | %.1f KiB, %d errors | %s |\n",
			s.idle, idleGoalKiB, s.idleKiB, s.errors, word[s.idleKiB <= idleGoalKiB && s.errors == 0])
		fmt.Fprintf(b, "| %d busy clients, mixed work | no error, fair shares (Jain's index %.2f) | %d errors, %.3f | %s |\n",
			s.busy, fairGoal, s.result.Errors, s.result.Fair.Jain, word[s.result.Errors == 0 && s.result.Fair.Jain >= fairGoal])
	}
}

// rates is the table of all cases.
func rates(b *strings.Builder, done []*measured) {
	fmt.Fprint(b, "\n## Rates\n\nOperations a second (MiB/s where there is payload) with the slowest and the fastest round, p50 / p99 of latency.\n\n"+
		"| load | clients x depth | direct | haproxy | smbproxy | of haproxy | of direct |\n|---|---|---|---|---|---|---|\n")
	for _, m := range done {
		fmt.Fprintf(b, "| %s (%s) | %d x %d |", m.title, m.figures[smbproxy].Protected, m.clients, m.depth)
		for t := range m.figures {
			f := &m.figures[t]
			rate := fmt.Sprintf("%.0f (%.0f-%.0f)", f.OpsPerSecond, f.Low, f.High)
			if f.MiBPerSecond > 0 {
				rate = fmt.Sprintf("%.0f/s, %.0f MiB/s (%.0f-%.0f/s)", f.OpsPerSecond, f.MiBPerSecond, f.Low, f.High)
			}
			fmt.Fprintf(b, " %s, %s / %s |", rate, micro(f.P50), micro(f.P99))
		}
		fmt.Fprintf(b, " %.2f | %.2f |\n", m.ratio(haproxy), m.ratio(direct))
	}
}

// micro writes a latency.
func micro(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%d us", d.Microseconds())
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

// processor is the table of processor time.
func processor(b *strings.Builder, done []*measured) {
	fmt.Fprint(b, "\n## Processor time of the process in the middle\n\nFrom /proc/PID/stat. Seconds per GiB of payload, microseconds per operation.\n\n"+
		"| load | haproxy s/GiB | smbproxy s/GiB | haproxy us/op | smbproxy us/op | ratio |\n|---|---|---|---|---|---|\n")
	for _, m := range done {
		h, p := &m.figures[haproxy], &m.figures[smbproxy]
		gib := func(f *figure) string {
			if f.MiBPerSecond == 0 {
				return ""
			}
			return fmt.Sprintf("%.2f", f.CPUPerGiB)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %.1f | %.1f | %.2f |\n", m.title, gib(h), gib(p), h.CPUPerOp, p.CPUPerOp, m.cpuRatio())
	}
}

// scaleTable is the table of thousands of connections.
func scaleTable(b *strings.Builder, s *scaled) {
	r := s.result
	fmt.Fprintf(b, "\n## Many clients on one smbproxy\n\n| | |\n|---|---|\n"+
		"| %d idle, authenticated, signed | %.1f KiB of resident memory each, %.0f log-ins a second, %d smbd processes behind them, %d errors |\n"+
		"| %d busy with mixed work, signed | %.0f operations/s, %.1f MiB/s, %v, %d errors, peak resident memory %.0f MiB |\n"+
		"| shares of the busy ones | %d to %d operations, median %d, Jain's index %.3f |\n",
		s.idle, s.idleKiB, s.loginsPerSecond, s.backendProcesses, s.errors,
		s.busy, r.OpsPerSecond(), r.MiBPerSecond(), r.Latency, r.Errors, s.peakMiB,
		r.Fair.Least, r.Fair.Most, r.Fair.Median, r.Fair.Jain)
}
