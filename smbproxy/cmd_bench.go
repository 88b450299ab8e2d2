package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smbproxy/internal/bench"
	"smbproxy/internal/smbconf"
)

// benchFlags are the flags of `bench` as they were given.
type benchFlags struct {
	users            []string
	engine, protect  string
	block, size      string
	json, quiet      bool
	clients, depth   int
	operations       int64
	duration, warmup time.Duration
	directory        string
	keep             bool
}

// newBenchCommand is `bench`.
func newBenchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:     "bench WORKLOAD //SERVER[:PORT]/SHARE",
		GroupID: "look",
		Short:   "Put load on an SMB server and measure it",
		Long: `Simulates many SMB clients at once: each has a connection, a session and a file
of its own and works as fast as it is answered. Prints throughput, latency
percentiles and how fairly the clients were served. SERVER is smbproxy or any
other server with SMB 2 or 3.

Files are made in a directory of the share and deleted at the end.

Workloads:
` + workloadHelp(),
		Example: `  smbproxy bench read //files/projects -U anna%secret
  smbproxy bench open //files/projects -U anna%secret --clients 100 --duration 30s
  PASSWD=secret smbproxy bench mix //files/projects -U anna --clients 1000 --json`,
		Args:              exactArgs("WORKLOAD", "//SERVER/SHARE"),
		ValidArgsFunction: cobra.FixedCompletions(bench.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := f.config(args[0], args[1])
			if err != nil {
				return usageError{err}
			}
			if !f.quiet {
				cfg.Progress = progressTo(cmd.ErrOrStderr())
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // a second ^C does not wait for the files to be deleted
			res, err := bench.Run(ctx, cfg)
			if res == nil {
				return err
			}
			if f.json {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				err = errors.Join(err, e.Encode(res))
			} else {
				err = errors.Join(err, res.Print(cmd.OutOrStdout()))
			}
			if res.Errors > 0 {
				err = errors.Join(err, fmt.Errorf("%d of %d clients failed", res.Errors, cfg.Clients))
			}
			return err
		},
	}
	f.add(cmd)
	return cmd
}

// add defines the flags.
func (f *benchFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringArrayVarP(&f.users, "user", "U", nil, "`USER[%PASSWORD]` to log in as; given several times, clients take them in turn; without a password PASSWD in the environment holds it")
	fl.IntVarP(&f.clients, "clients", "n", 1, "`number` of clients")
	fl.IntVar(&f.depth, "depth", 0, "operations each client keeps in flight; the `number` depends on the workload if not given")
	fl.DurationVarP(&f.duration, "duration", "d", 10*time.Second, "how long to measure")
	fl.Int64Var(&f.operations, "operations", 0, "`number` of operations of each client, instead of --duration")
	fl.DurationVar(&f.warmup, "warmup", time.Second, "how long to work before")
	fl.StringVar(&f.block, "block", "", "`size` of a READ or WRITE, as 4K or 1M; depends on the workload if not given")
	fl.StringVar(&f.size, "size", "", "`size` of each client's file; 64M, less with many clients")
	fl.StringVar(&f.protect, "protect", string(bench.Plain), "plain, sign or seal; plain signs or seals where the server insists")
	fl.StringVar(&f.engine, "engine", string(bench.Raw), "the client: raw, smbproxy's own, or go-smb2, an independent one for read, write, randread, randwrite, open, stat, list")
	fl.StringVar(&f.directory, "directory", "smbproxy-bench", "`name` of the directory on the share")
	fl.BoolVar(&f.keep, "keep", false, "keep the files, the next run uses them")
	fl.BoolVar(&f.json, "json", false, "print the result as JSON")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "show no progress")
}

// workloadHelp lists the workloads.
func workloadHelp() string {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, name := range bench.Names() {
		fmt.Fprintf(tw, "  %s\t%s\n", name, bench.Workloads[name].Help)
	}
	_ = tw.Flush() // a strings.Builder takes everything
	return strings.TrimRight(b.String(), "\n")
}

// config makes the generator's configuration of flags and arguments, all of it checked.
func (f *benchFlags) config(workload, target string) (bench.Config, error) {
	cfg := bench.Config{Workload: workload, Engine: bench.Engine(f.engine), Protection: bench.Protection(f.protect), Clients: f.clients,
		Depth: f.depth, Operations: f.operations, Warmup: f.warmup, Duration: f.duration, Directory: f.directory, Keep: f.keep}
	var errs []error
	fail := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	var err error
	cfg.Address, cfg.Share, err = splitTarget(target)
	fail(err)
	if f.clients < 1 {
		fail(fmt.Errorf("--clients %d: at least one is needed", f.clients))
	}
	if len(f.users) == 0 {
		fail(errors.New("--user is missing: -U USER%PASSWORD"))
	}
	for _, u := range f.users {
		name, password, has := strings.Cut(u, "%")
		if !has {
			password = os.Getenv("PASSWD")
		}
		cfg.Users = append(cfg.Users, bench.User{Name: name, Password: password})
	}
	block, err := benchSize("--block", f.block)
	fail(err)
	cfg.Block = int(block)
	cfg.FileSize, err = benchSize("--size", f.size)
	fail(err)
	if len(errs) > 0 {
		return cfg, errors.Join(errs...)
	}
	return cfg.Defaults()
}

// benchSize reads a size as smb.conf has it; empty is 0.
func benchSize(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := smbconf.Size(text, 1, 1<<40)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", flag, err)
	}
	return n, nil
}

// splitTarget takes //SERVER[:PORT]/SHARE apart; backslashes will do too.
func splitTarget(target string) (address, share string, err error) {
	rest, ok := strings.CutPrefix(strings.ReplaceAll(target, `\`, "/"), "//")
	host, share, slash := strings.Cut(rest, "/")
	share = strings.TrimSuffix(share, "/")
	if !ok || !slash || host == "" || share == "" || strings.Contains(share, "/") {
		return "", "", fmt.Errorf("%q is not //SERVER[:PORT]/SHARE", target)
	}
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host, share, nil
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "445"), share, nil
}

// progressTo shows progress: one line that changes on a terminal, else a line every five seconds.
func progressTo(w io.Writer) func(bench.Progress) {
	live := isTerminal(w)
	return func(p bench.Progress) {
		if !live && int(p.Elapsed.Seconds()+0.5)%5 != 0 {
			return
		}
		line := fmt.Sprintf("%s, %d of %d clients", p.Phase, p.Done, p.Clients)
		if p.Measuring {
			line = fmt.Sprintf("%s for %.0f s: %d operations/s, %.1f MiB/s", p.Phase, p.Elapsed.Seconds(), p.Ops, float64(p.Bytes)/(1<<20))
		}
		if p.Errors > 0 {
			line += fmt.Sprintf(", %d clients failed", p.Errors)
		}
		if live {
			fmt.Fprintf(w, "\r%-78s\r", line)
		} else {
			fmt.Fprintln(w, line)
		}
	}
}

// isTerminal tells whether somebody watches.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
