package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"smbproxy/statedb"
	"smbproxy/statedb/store"
)

// newStatedbCommand is `smbproxy statedb` with its subcommands.
func newStatedbCommand(configFile *string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "statedb",
		GroupID: "look",
		Short:   "Look at, check, back up and restore what outlives smbproxy",
		Long: `The state database, in "state directory", keeps what must outlive the process:
persistent handles with their locks and leases, and the sessions at backends that
a restarted smbproxy must fence.

A stopped smbproxy's database is read as it lies there, as the user who owns it; a
running smbproxy is asked by its admin socket. --from reads a backup instead.`,
		Example: "  smbproxy statedb check\n  smbproxy statedb backup /srv/backup/statedb",
	}
	cmd.AddCommand(newStatedbListCommand(configFile), newStatedbCheckCommand(configFile), newStatedbBackupCommand(configFile), newStatedbRestoreCommand(configFile))
	return cmd
}

// add adds the flags of commands that read a state database.
func (f *stateFlags) add(cmd *cobra.Command, withJSON bool) {
	f.adminFlags.add(cmd, withJSON)
	cmd.Flags().StringVar(&f.from, "from", "", "read this `backup` instead")
}

// examine reads everything, with the store's own faults first.
func (f *stateFlags) examine(ctx context.Context, configFile string) (c *statedb.Contents, where string, err error) {
	s, err := f.open(ctx, configFile)
	if err != nil {
		return nil, "", err
	}
	c, err = statedb.Examine(ctx, s)
	if err = errors.Join(err, s.close()); err != nil {
		return nil, "", err
	}
	// Opening and reading have told of the same items.
	c.Faults = append(s.faults, c.Faults...)
	slices.SortStableFunc(c.Faults, func(a, b statedb.Fault) int { return cmpFault(a, b) })
	c.Faults = slices.Compact(c.Faults)
	return c, s.where, nil
}

func newStatedbListCommand(configFile *string) *cobra.Command {
	var f stateFlags
	cmd := &cobra.Command{
		Use: "list", Short: "List persistent handles and sessions to be fenced", Args: exactArgs(),
		Example: "  smbproxy statedb list\n  smbproxy statedb list --json\n  smbproxy statedb list --from backup-of-monday",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _, err := f.examine(cmd.Context(), *configFile)
			if err != nil {
				return err
			}
			list := newStateList(c)
			if f.json {
				return printJSON(cmd.OutOrStdout(), list)
			}
			if err := list.print(cmd.OutOrStdout()); err != nil {
				return err
			}
			if n := len(c.Faults); n > 0 {
				return fmt.Errorf(`%d records are left out that cannot be right: see "smbproxy statedb check"`, n)
			}
			return nil
		},
	}
	f.add(cmd, true)
	return cmd
}

func newStatedbCheckCommand(configFile *string) *cobra.Command {
	var f stateFlags
	cmd := &cobra.Command{
		Use: "check", Short: "Report every record that cannot be right, with its key and why", Args: exactArgs(),
		Example: "  runuser -u smbproxy -- smbproxy statedb check",
		Long: `Reads every record and reports each that cannot be read, that no open can have, or
that cannot stand beside another. The exit status is 1 if there is one. smbproxy
does not start with a record that it cannot read; "backup", then "restore
--skip-faulty", leaves such records out, and their clients get an error for the
files concerned.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, where, err := f.examine(cmd.Context(), *configFile)
			if err != nil {
				return err
			}
			if f.json {
				faults := c.Faults
				if faults == nil {
					faults = []statedb.Fault{}
				}
				if err := printJSON(cmd.OutOrStdout(), faults); err != nil {
					return err
				}
			} else {
				for _, fault := range c.Faults {
					fmt.Fprintf(cmd.OutOrStdout(), "%q: %s\n", fault.Key, columns(fault.Reason))
				}
			}
			if n := len(c.Faults); n > 0 {
				return fmt.Errorf("%s: %d records cannot be right, %d are", where, n, len(c.Opens)+len(c.Fences))
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: no faults found in %d persistent handles and %d sessions to be fenced\n", where, len(c.Opens), len(c.Fences))
			return nil
		},
	}
	f.add(cmd, true)
	return cmd
}

func newStatedbBackupCommand(configFile *string) *cobra.Command {
	var f stateFlags
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Write everything to a file", Args: exactArgs("FILE"),
		Example: "  smbproxy statedb backup /srv/backup/statedb-$(date +%F)",
		Long: `Writes all records to a new file (mode 0600; - is standard output), as of one
moment, also while smbproxy runs. Every later release can restore it.`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			s, err := f.open(cmd.Context(), *configFile)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			for _, fault := range s.faults {
				fmt.Fprintf(cmd.ErrOrStderr(), "%q is left out: %s\n", fault.Key, fault.Reason)
			}
			if args[0] == "-" {
				return store.Dump(cmd.Context(), s, cmd.OutOrStdout())
			}
			return backupTo(cmd.Context(), s, args[0])
		},
	}
	f.adminFlags.add(cmd, false)
	return cmd
}

// backupTo writes a backup to a file that must not exist.
func backupTo(ctx context.Context, s store.Source, path string) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(store.Dump(ctx, s, out), out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func newStatedbRestoreCommand(configFile *string) *cobra.Command {
	var f adminFlags
	var skip bool
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Make the state database from a backup, where there is none", Args: exactArgs("FILE"),
		Example: `  systemctl stop smbproxy
  mv /var/lib/smbproxy/statedb /var/lib/smbproxy/statedb.old
  runuser -u smbproxy -- smbproxy statedb restore /srv/backup/statedb-2026-11-21`,
		Long: `Makes the state database of a stopped smbproxy from a backup. One that exists is
never written over: move it away first. All of the backup is restored or nothing;
a backup with faults is refused, unless --skip-faulty leaves the faulty records
out.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if c, err := net.Dial("unix", adminSocketPath(f.socket, *configFile)); err == nil {
				return errors.Join(errors.New("smbproxy is running: stop it first"), c.Close())
			}
			b, err := readBackup(args[0])
			if err != nil {
				return err
			}
			c, err := statedb.Examine(cmd.Context(), b)
			if err != nil {
				return err
			}
			faulty := map[string]bool{}
			for _, fault := range c.Faults {
				faulty[fault.Key] = true
				fmt.Fprintf(cmd.ErrOrStderr(), "%q: %s\n", fault.Key, columns(fault.Reason))
			}
			if len(faulty) > 0 && !skip {
				return fmt.Errorf("%d records of the backup cannot be right: nothing is restored (--skip-faulty leaves them out)", len(faulty))
			}
			dir := looseGlobal(*configFile).StateDirectory
			if err := restoreState(cmd.Context(), dir, b, func(key string) bool { return !faulty[key] }); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d persistent handles and %d sessions to be fenced\n", stateDatabase(dir), len(c.Opens), len(c.Fences))
			return nil
		},
	}
	f.add(cmd, false)
	cmd.Flags().BoolVar(&skip, "skip-faulty", false, "leave out records that cannot be right")
	return cmd
}

// printJSON prints a value as the other commands' --json do.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
