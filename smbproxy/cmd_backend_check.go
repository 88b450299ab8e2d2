package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/user"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"smbproxy/demux/backend"
)

// newBackendCheckCommand is `backend check`.
func newBackendCheckCommand(configFile *string) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "check NAME",
		Short: "Prove that a backend is as smbproxy needs it",
		Long: `Connects to the backend NAME as smbproxy would for a client who is the user, and
tries out what "backend config" prints: that it speaks SMB 3.1.1 and nothing
older, signs, takes tickets made with this key and no others, lets in neither
root nor strangers, takes the user for the one that he is here, has the name,
the machine SID and the volumes that all backends have, keeps no oplocks, locks
or share modes of its own, and keeps attributes, streams and extended attributes.
In every share that can be written to it makes a file, which goes away again.

What cannot be seen from outside is said to be "not shown"; that is no fault. The
exit status is 1 if anything is as it must not be.`,
		Example:           "  smbproxy backend check one --user anna",
		Args:              exactArgs("NAME"),
		ValidArgsFunction: completeBackends(configFile),
		RunE: func(cmd *cobra.Command, args []string) error {
			if name == "" {
				return usageError{errors.New("--user is missing: the name of somebody who uses the shares")}
			}
			if _, err := user.Lookup(name); err != nil {
				return fmt.Errorf("this host does not know the user (getent passwd %s): %w", name, err)
			}
			cfg, b, err := findBackend(cmd, *configFile, args[0])
			if err != nil {
				return err
			}
			return checkBackend(cmd.Context(), cmd.OutOrStdout(), cfg, b, name)
		},
	}
	cmd.Flags().StringVarP(&name, "user", "u", "", "the `name` of the user to be")
	return cmd
}

// checkBackend prints what was found of every property, faults first.
func checkBackend(ctx context.Context, w io.Writer, cfg *Config, b *Backend, name string) error {
	bcfg := backendConfig(cfg, b)
	pool, err := backend.NewPool(bcfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	who, err := expectedUser(bcfg.Lookup, name)
	if err != nil {
		return err
	}
	ctx, end := context.WithTimeout(ctx, checkLimit)
	defer end()
	var running errgroup.Group
	running.Go(func() error { return pool.Run(ctx) })
	g := &cfg.Global
	e := backend.Expectation{
		User: who, NetBIOSName: g.NetBIOSName, MachineSID: g.MachineSID,
		MaxRead: uint32(g.MaxRead), MaxWrite: uint32(g.MaxWrite), MaxTransact: uint32(g.MaxTransact),
	}
	for _, s := range cfg.Shares {
		if s.usedBy(b) && s.Available {
			e.Shares = append(e.Shares, backend.ExpectedShare{Name: s.BackendShare, Volume: s.Volume, Serial: s.VolumeSerial, ReadOnly: s.ReadOnly})
		}
	}
	for _, s := range cfg.Shares {
		if s.dataOf(b) && s.Available {
			e.Shares = append(e.Shares, backend.ExpectedShare{Name: s.dataShare(), ReadOnly: s.ReadOnly, Data: true})
		}
	}
	findings := pool.Inspect(ctx, e)
	end()
	if err := running.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return printFindings(w, b.Name, findings)
}

// checkLimit bounds the whole inspection.
const checkLimit = 5 * time.Minute

// expectedUser finds the user that a backend should take name for.
func expectedUser(lookup backend.LookupFunc, name string) (backend.User, error) {
	if lookup == nil {
		lookup = backend.OSLookup
	}
	u, err := lookup(name)
	if err == nil && u.UID == 0 {
		err = errors.New("root uses no share")
	}
	return u, err
}

// verdictWords are what is printed of a finding; the order is that of the lines.
var verdictWords = []struct {
	verdict backend.Verdict
	word    string
}{{backend.Broken, "FAULT"}, {backend.NotShown, "not shown"}, {backend.Held, "ok"}}

// printFindings prints a line for each finding; the error counts the faults.
func printFindings(w io.Writer, name string, findings []backend.Finding) error {
	faults := 0
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, v := range verdictWords {
		for _, f := range findings {
			if f.Verdict != v.verdict {
				continue
			}
			if f.Verdict == backend.Broken {
				faults++
			}
			fmt.Fprintln(tw, columns(v.word, dash(f.Share), f.Property, dash(f.Detail)))
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if faults > 0 {
		return fmt.Errorf("backend %s has %d faults; see \"smbproxy backend config %s\"", name, faults, name)
	}
	return nil
}
