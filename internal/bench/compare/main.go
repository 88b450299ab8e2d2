// Command compare is "make bench": the load generator against stock smbd, against haproxy before that smbd, and
// against smbproxy before a like smbd, side by side in one run. The rounds alternate, the figures are medians, and
// what counts is their ratios: the machine is whatever it is. It writes BENCHMARKS.md and its plots.
//
//	make bench                                      everything, about 20 minutes
//	make bench BENCH='-rounds 3 -only read-plain'   a part, printed and not written
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"smbproxy/internal/lab"
)

// options are the command line.
type options struct {
	rounds   int
	duration time.Duration
	only     string // comma-separated names of cases; a part is not written
	idle     int
	busy     int
	out      string
	plots    string
	hold     bool
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "rounds, of which each case's median counts")
	flag.DurationVar(&o.duration, "duration", 3*time.Second, "how long each measurement lasts")
	flag.StringVar(&o.only, "only", "", "comma-separated cases, as -list prints them; nothing is written then")
	flag.IntVar(&o.idle, "idle", 5000, "idle connections")
	flag.IntVar(&o.busy, "busy", 1000, "busy clients")
	flag.StringVar(&o.out, "out", "BENCHMARKS.md", "`file` to write")
	flag.StringVar(&o.plots, "plots", "docs/bench", "`directory` of the plots")
	flag.BoolVar(&o.hold, "hold", false, "only start the servers, print their addresses and wait for ^C")
	list := flag.Bool("list", false, "print the cases and end")
	flag.Parse()
	if *list {
		for _, c := range cases {
			fmt.Printf("%-16s %s\n", c.name, c.title)
		}
		fmt.Printf("%-16s %s\n", scaleName, "thousands of connections, idle and busy")
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run starts the servers, measures and writes.
func run(ctx context.Context, o options) (err error) {
	chosen, scale, err := choose(o.only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "smbproxy-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	l, err := lab.Start(ctx, dir, lab.Options{Log: func(format string, args ...any) { fmt.Printf(format+"\n", args...) }})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	site, err := newSite(ctx, l)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, site.close()) }()
	if o.hold {
		for _, t := range site.targets {
			fmt.Printf("%-9s //%s/%s -U user1%%secret1 pid %v\n", t.name, t.addr, share, t.pids())
		}
		<-ctx.Done()
		return nil
	}
	m := machine()
	var done []*measured
	for _, c := range chosen {
		r, err := site.measure(ctx, c, o)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		done = append(done, r)
	}
	var s *scaled
	if scale {
		if s, err = site.scale(ctx, o); err != nil {
			return fmt.Errorf("scale: %w", err)
		}
	}
	if o.only != "" {
		return nil
	}
	return write(o, m, done, s)
}

// scaleName stands for the part with thousands of connections in -only.
const scaleName = "scale"

// choose finds the cases that -only names; a name stands for all that begin with it.
func choose(only string) (chosen []*comparison, scale bool, err error) {
	if only == "" {
		return cases, true, nil
	}
	for name := range strings.SplitSeq(only, ",") {
		n := len(chosen)
		for _, c := range cases {
			if strings.HasPrefix(c.name, name) {
				chosen = append(chosen, c)
			}
		}
		if name == scaleName {
			scale = true
		} else if len(chosen) == n {
			return nil, false, fmt.Errorf("no case begins with %q", name)
		}
	}
	return chosen, scale, nil
}
