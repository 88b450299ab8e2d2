package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// ticks is how many clock ticks a second has in /proc/PID/stat: always 100 on Linux for user space.
const ticks = 100

// cpuSeconds is the processor time that processes have used so far, user and system; proc(5), fields 14 and 15.
func cpuSeconds(pids []int) float64 {
	var sum float64
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // gone: its figures would be missing anyway
		}
		f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		user, _ := strconv.ParseFloat(f[11], 64) // the kernel writes numbers
		system, _ := strconv.ParseFloat(f[12], 64)
		sum += (user + system) / ticks
	}
	return sum
}

// status is a field of /proc/PID/status in KiB: VmRSS.
func status(pid int, field string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0]) // the kernel writes a number
			return n
		}
	}
	return 0
}

// load is the load average of the last minute: what ran beside us, before we began.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// machine describes where it ran.
func machine() string {
	var parts []string
	cpu := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	parts = append(parts, fmt.Sprintf("%d x %s", runtime.NumCPU(), cpu))
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int
		if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kib); err == nil {
			parts = append(parts, fmt.Sprintf("%.0f GiB memory", float64(kib)/(1<<20)))
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		parts = append(parts, "Linux "+strings.TrimSpace(string(text)))
	}
	parts = append(parts, runtime.Version())
	for _, program := range [][]string{{"/usr/sbin/smbd", "--version"}, {"/usr/sbin/haproxy", "-v"}} {
		if out, err := exec.Command(program[0], program[1:]...).Output(); err == nil {
			first, _, _ := strings.Cut(string(out), "\n")
			first, _, _ = strings.Cut(first, " - ")
			parts = append(parts, strings.Replace(first, "Version ", "Samba ", 1))
		}
	}
	parts = append(parts, "load average "+load()+" before it began")
	// getpriority(2) gives 20 less the nice value.
	if n, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err == nil && n != 20 {
		parts = append(parts, fmt.Sprintf("run at nice %d", 20-n))
	}
	return strings.Join(parts, ", ")
}
