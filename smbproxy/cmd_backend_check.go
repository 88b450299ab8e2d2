package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/user"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"smbproxy/demux/backend"
)

// newBackendCheckCommand is `backend check`.
func newBackendCheckCommand(configFile *string) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "check NAME",
		Short: "Connect to a backend as a user, as serve would",
		Long: `Connects to the backend NAME as smbproxy would for a client who is the user, and
to every share that it serves. This shows that the backend is reachable, speaks
SMB 3.1.1 signed, has the same key, knows the user, and has the shares. It does
not show that the rest of its smb.conf is as "backend config" prints it.`,
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

// checkBackend connects to IPC$ and to every share of the backend, and prints a line for each.
func checkBackend(ctx context.Context, w io.Writer, cfg *Config, b *Backend, name string) error {
	pool, err := backend.NewPool(backendConfig(cfg, b), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	var running errgroup.Group
	running.Go(func() error { return pool.Run(ctx) })
	shares := []string{"IPC$"}
	for _, s := range cfg.Shares {
		if s.usedBy(b) && s.Available {
			shares = append(shares, s.BackendShare)
		}
		if s.dataOf(b) && s.Available {
			shares = append(shares, s.dataShare())
		}
	}
	failed := 0
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, share := range shares {
		result := "ok"
		tree, err := pool.Connect(ctx, name, share, 1)
		if err != nil {
			result, failed = err.Error(), failed+1
		} else {
			tree.Release()
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", b.Name, share, result)
	}
	end()
	if err := errors.Join(tw.Flush(), running.Wait()); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d connections to backend %s failed", failed, len(shares), b.Name)
	}
	return nil
}
