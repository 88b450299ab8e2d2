package chaos

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	runs      = flag.Int("chaos.runs", 0, "random runs at full size; 0: none")
	seed      = flag.Uint64("chaos.seed", 0, "seed of the first run, the next ones count up; 0: from the clock")
	workloads = flag.String("chaos.workloads", "", "comma-separated, to choose from; empty: all")
	faults    = flag.String("chaos.faults", "", "comma-separated, to choose from; empty: all")
	spread    = flag.Bool("chaos.spread", false, "in the short form: data on backends of their own")
	data      = flag.Bool("chaos.data", false, "with -chaos.spread: one of those is the victim")
	small     = flag.Bool("chaos.small", false, "small files, as in the short form")
)

func names[T any](list []T, of func(T) string) []string {
	var out []string
	for _, x := range list {
		out = append(out, of(x))
	}
	return out
}

func allWorkloads() []string { return names(Workloads(), Workload.Name) }
func allFaults() []string    { return names(Faults(), func(f Fault) string { return f.Name }) }

// pick is a flag's list of what there is, or the list in its place.
func pick(t *testing.T, flag string, all, otherwise []string) []string {
	t.Helper()
	if flag == "" {
		return otherwise
	}
	out := strings.Split(flag, ",")
	for _, name := range out {
		if !slices.Contains(all, name) {
			t.Fatalf("%q is none of %v", name, all)
		}
	}
	return out
}

// TestShort has the combinations of short, small; with flags, those that they name.
func TestShort(t *testing.T) {
	for i, w := range pick(t, *workloads, allWorkloads(), allWorkloads()) {
		for j, f := range pick(t, *faults, allFaults(), short[w]) {
			p := Plan{Seed: uint64(100*i + j + 1), Workload: w, Fault: f, After: 300 * time.Millisecond, Scale: Short, Spread: *spread, Data: *data}
			t.Run(w+"/"+f, func(t *testing.T) { report(t, p, Run(t, p)) })
		}
	}
	if *faults == "" {
		p := Plan{Seed: 1, Workload: "upload", Fault: "kill", After: 300 * time.Millisecond, Scale: Short, Spread: true, Data: true}
		t.Run("data", func(t *testing.T) { report(t, p, Run(t, p)) })
	}
}

// short is what runs of each workload; the silent faults, which take long, with three of them only.
//
// A rename over a file was once in twelve runs refused with ACCESS_DENIED around a fault
// (make chaos CHAOS='-chaos.seed 6009 -chaos.small -chaos.faults kill,drain -chaos.workloads churn');
// later runs, 32 of 32, did not show it again.
var short = map[string][]string{
	"upload":   {"none", "kill", "drain", "freeze", "cut", "lost"},
	"download": {"none", "kill", "drain"},
	"tar":      {"none", "kill", "drain"},
	"listing":  {"none", "kill", "drain"},
	"held":     {"none", "kill", "drain", "freeze", "cut", "lost"},
	"churn":    {"none", "kill", "drain", "lost"},
}

// TestRandom is "make chaos".
func TestRandom(t *testing.T) {
	if *runs == 0 {
		t.Skip("make chaos")
	}
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano()) % 1e9
	}
	fmt.Printf("seeds %d to %d\n", first, first+uint64(*runs)-1)
	scale := Full
	if *small {
		scale = Short
	}
	for n := range uint64(*runs) {
		p := Draw(first+n, pick(t, *workloads, allWorkloads(), allWorkloads()), pick(t, *faults, allFaults(), allFaults()), scale)
		t.Run(fmt.Sprint(p.Seed), func(t *testing.T) { report(t, p, Run(t, p)) })
	}
}

func report(t *testing.T, p Plan, r Result) {
	t.Helper()
	fmt.Printf("%v: %v: %v\n", p, r, map[bool]string{true: "ok", false: "FAILED"}[r.Err == nil])
	if r.Err != nil {
		t.Errorf("%v: %v\n%v", p, r, r.Err)
	}
}
