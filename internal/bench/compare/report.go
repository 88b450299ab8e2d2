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
Where other work was going on (a load average that is not near 0) ratios of rates suffer too, those of processor time less.

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
	fmt.Fprint(b, "\n## Processor time\n\nFrom /proc/PID/stat: seconds per GiB of payload of the process in the middle; microseconds per operation of\n"+
		"smbd + the process in the middle + the load generator. On a machine whose cores are all busy the sums decide the rates.\n\n"+
		"| load | haproxy s/GiB | smbproxy s/GiB | ratio | direct | haproxy | smbproxy |\n|---|---|---|---|---|---|---|\n")
	for _, m := range done {
		gib := func(f *figure) string {
			if f.MiBPerSecond == 0 {
				return ""
			}
			return fmt.Sprintf("%.2f", f.CPUPerGiB)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %.2f |", m.title, gib(&m.figures[haproxy]), gib(&m.figures[smbproxy]), m.cpuRatio())
		for t := range m.figures {
			f := &m.figures[t]
			fmt.Fprintf(b, " %.0f + %.0f + %.0f = %.0f |", f.SmbdPerOp, f.CPUPerOp, f.ClientPerOp, f.SmbdPerOp+f.CPUPerOp+f.ClientPerOp)
		}
		fmt.Fprintln(b)
	}
	for _, m := range done {
		if held, goal := m.held(); goal && !held && m.payload() {
			fmt.Fprint(b, causes)
			return
		}
	}
}

// payload tells whether the load moves so much data that signatures count.
func (m *measured) payload() bool { return m.workload == "read" || m.workload == "write" }

// causes explains what a missed goal with large payload comes from.
const causes = `
**Why a goal with 1 MiB payload may be missed.** smbproxy's link to smbd is always signed, so smbd and smbproxy each
compute AES-128-GMAC over every payload, also where the client is plain and haproxy's smbd signs nothing. Go's
AES-GMAC reaches about 10 GB/s and AES-GCM 7 GB/s on a core: some 100 us (150 us) for each pass over 1 MiB. Profiles of
smbproxy under plain reads and writes show half of its time in that one pass (crypto/internal/fips140/aes/gcm) and a fifth in the kernel's
two copies; everything else of ours is below 2 % each. A signed client costs smbproxy two passes, a sealed one a pass of each kind. What
smbproxy spends beside is less than haproxy spends in all. With a core for each process the passes overlap;
on a machine with fewer cores than busy processes they add up.
`

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
