// Command run is "make torture": smbtorture against smbproxy, held against
// testdata/torture/expectations.txt.
//
//	make torture                              all suites, through smbproxy
//	make torture TORTURE=-direct              all suites, on a stock smbd
//	make torture TORTURE='-backends 2,4'      with 2 backends for names and 4 for data
//	make torture TORTURE='-suites smb2.lock,smb2.lock@aio'
//
// Exit status 0: every test ended as expected. 1: some did not. 2: it could not run.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"smbproxy/internal/lab"
	"smbproxy/internal/torture"
)

type options struct {
	direct, short, list bool
	suites, tests       string
	file, logs, js      string
	servers             int
	backends            string
}

func main() {
	var o options
	flag.BoolVar(&o.direct, "direct", false, "run against a stock smbd, not smbproxy")
	flag.BoolVar(&o.short, "short", false, "only the part that runs in make test")
	flag.BoolVar(&o.list, "list", false, "print the suites, and those not run with the reason, and end")
	flag.StringVar(&o.suites, "suites", "", "comma-separated suites; `suite@share` for another share")
	flag.StringVar(&o.tests, "tests", "", "comma-separated full names of `tests` of the one suite that -suites names")
	flag.IntVar(&o.servers, "servers", 4, "servers side by side")
	flag.StringVar(&o.backends, "backends", "", "`N,M`: so many backends behind smbproxy for names and for data; one for both unless given")
	flag.StringVar(&o.file, "expect", "testdata/torture/expectations.txt", "expectations `file`")
	flag.StringVar(&o.logs, "logs", "bin/torture-logs", "`directory` for smbtorture's own output")
	flag.StringVar(&o.js, "json", "", "also write every outcome to `file`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	report, err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(2)
	}
	if report.Err() != nil {
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (report torture.Report, err error) {
	if o.list {
		list()
		return report, nil
	}
	suites, err := choose(o)
	if err != nil {
		return report, err
	}
	backends, err := torture.ParseBackends(o.backends)
	if err != nil {
		return report, err
	}
	program, err := exec.LookPath("smbtorture")
	if err != nil {
		return report, errors.New("smbtorture is missing: scripts/install-deps torture")
	}
	target := torture.Proxy
	if o.direct {
		target = torture.Direct
	}
	f, err := os.Open(o.file)
	if err != nil {
		return report, err
	}
	defer func() { _ = f.Close() }()
	expect, err := torture.Read(f, target)
	if err != nil {
		return report, fmt.Errorf("%s: %w", o.file, err)
	}
	runner, err := torture.NewRunner(ctx, program, filepath.Join(o.logs, string(target)))
	if err != nil {
		return report, err
	}
	dir, err := os.MkdirTemp("", "smbproxy-torture-")
	if err != nil {
		return report, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	l, err := lab.Start(ctx, dir, lab.Options{Users: torture.Users(), Log: func(f string, a ...any) { fmt.Printf(f+"\n", a...) }})
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	s := torture.Session{Lab: l, Runner: runner, Target: target, Expect: expect, Servers: o.servers, Backends: backends, Out: os.Stdout}
	if o.tests != "" {
		if len(suites) != 1 {
			return report, errors.New("-tests needs one suite in -suites")
		}
		s.Only = strings.Split(o.tests, ",")
	}
	if report, err = s.Run(ctx, suites); err != nil {
		return report, err
	}
	tell(report)
	return report, writeJSON(o.js, report)
}

// choose is which suites the flags ask for.
func choose(o options) ([]torture.Suite, error) {
	all := torture.Suites()
	if o.suites == "" {
		return slices.DeleteFunc(all, func(s torture.Suite) bool { return o.short && !s.Short }), nil
	}
	var out []torture.Suite
	for key := range strings.SplitSeq(o.suites, ",") {
		i := slices.IndexFunc(all, func(s torture.Suite) bool { return s.Key() == strings.TrimSpace(key) })
		if i < 0 {
			return nil, fmt.Errorf("no suite %s: see -list", key)
		}
		out = append(out, all[i])
	}
	return out, nil
}

func list() {
	for _, s := range torture.Suites() {
		fmt.Println(s.Key())
	}
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range torture.NotRun {
			if !yield(name) {
				return
			}
		}
	}) {
		fmt.Printf("not run: %-32s %s\n", name, torture.NotRun[name])
	}
}

// tell prints the end of the run: what surprised, once more, and the totals.
func tell(r torture.Report) {
	for key, why := range r.LeftOut {
		fmt.Printf("left out: %-26s %s\n", key, why)
	}
	for _, s := range r.Surprises {
		fmt.Println(s)
	}
	fmt.Println(r.Totals())
	fmt.Printf("%d unexpected, %d unsteady, %d suites left out\n", len(r.Surprises), len(r.Unsteady), len(r.LeftOut))
}

// writeJSON writes {suite: {test: outcome}}.
func writeJSON(path string, r torture.Report) error {
	if path == "" {
		return nil
	}
	out := map[string]map[string]torture.Outcome{}
	for key, res := range r.Results {
		out[key] = res.Outcomes
	}
	data, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
