package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func newStatusCommand(configFile *string) *cobra.Command {
	var f adminFlags
	cmd := &cobra.Command{
		Use:     "status",
		GroupID: "look",
		Short:   "Show what the running smbproxy is doing",
		Long: `Shows what the running smbproxy is doing: since when, with which configuration,
where it listens, how many clients it serves, and its backends.`,
		Example: "  smbproxy status\n  smbproxy status --json | jq .sessions",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd, &f, *configFile, "/status", printStatus)
		},
	}
	f.add(cmd, true)
	return cmd
}

func printStatus(w io.Writer, s statusReply) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	state := "serving"
	if s.Draining {
		state = "draining"
	}
	fmt.Fprintf(tw, "smbproxy\t%s, process %d, %s since %s\n", s.Version, s.PID, state, clock(s.Started))
	fmt.Fprintf(tw, "server name\t%s (%s)\n", s.ServerName, s.ServerGUID)
	fmt.Fprintf(tw, "configuration\t%s, loaded %s\n", s.Config, clock(s.ConfigLoaded))
	for _, fault := range s.ReloadFaults {
		fmt.Fprintf(tw, "reload refused\t%s\n", fault)
	}
	for _, warning := range s.Warnings {
		fmt.Fprintf(tw, "warning\t%s\n", warning)
	}
	fmt.Fprintf(tw, "listening\t%s\n", strings.Join(s.Listening, " "))
	fmt.Fprintf(tw, "clients\t%d connections, %d sessions, %d trees, %d opens\n", s.Connections, s.Sessions, s.Trees, s.Opens)
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprint(tw, "\nBackend\tAddress\tShares\tLanes\tClients\tOpens\tState\n")
	for _, b := range s.Backends {
		state := "idle"
		if b.Down != "" {
			state = b.Down
		} else if b.Lanes > 0 {
			state = "connected"
		}
		fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", b.Name, b.Address, b.Shares, b.Lanes, b.Clients, b.Opens, state)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprint(tw, "\nShare\tBackend\tAccess\n")
	for _, sh := range s.Shares {
		access := "read write"
		if sh.ReadOnly {
			access = "read only"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", sh.Name, sh.Backend, access)
	}
	return tw.Flush()
}

func newSessionsCommand(configFile *string) *cobra.Command {
	var f adminFlags
	cmd := &cobra.Command{
		Use:     "sessions",
		GroupID: "look",
		Short:   "List the clients' sessions",
		Args:    exactArgs(),
		Example: "  smbproxy sessions\n  smbproxy sessions --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd, &f, *configFile, "/sessions", printSessions)
		},
	}
	f.add(cmd, true)
	return cmd
}

func printSessions(w io.Writer, rows []sessionRow) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprint(tw, "Session\tUser\tClient\tDialect\tSigning\tEncryption\tConnected\tShares\n")
	for _, r := range rows {
		user := r.User
		if r.Domain != "" {
			user = r.Domain + `\` + user
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, user, r.Client, r.Dialect, r.Signing, r.Encryption, clock(r.Connected), strings.Join(r.Shares, " "))
	}
	return tw.Flush()
}

func newOpensCommand(configFile *string) *cobra.Command {
	var f adminFlags
	cmd := &cobra.Command{
		Use:     "opens",
		GroupID: "look",
		Short:   "List the files that clients have open",
		Args:    exactArgs(),
		Example: "  smbproxy opens\n  smbproxy opens --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd, &f, *configFile, "/opens", printOpens)
		},
	}
	f.add(cmd, true)
	return cmd
}

func printOpens(w io.Writer, rows []openRow) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprint(tw, "Open\tUser\tClient\tShare\tAccess\tBackend\tName\n")
	for _, r := range rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.User, r.Client, r.Share, r.Access, r.Backend, r.Name)
	}
	return tw.Flush()
}

func newReloadCommand(configFile *string) *cobra.Command {
	var f adminFlags
	cmd := &cobra.Command{
		Use:     "reload",
		GroupID: "run",
		Short:   "Make the running smbproxy read its configuration again",
		Long: `Makes the running smbproxy read its configuration again, as SIGHUP does. If there
is any fault in it, the old one stays in force, the faults are printed, and the
exit status is 1. Clients stay connected.`,
		Example: "  smbproxy testparm && smbproxy reload",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := askAdmin(cmd.Context(), adminSocketPath(f.socket, *configFile), http.MethodPost, "/reload")
			var reply reloadReply
			if json.Unmarshal(body, &reply) != nil {
				return err
			}
			for _, fault := range reply.Faults {
				fmt.Fprintln(cmd.ErrOrStderr(), fault)
			}
			if len(reply.Faults) > 0 {
				return errors.New("the old configuration stays in force")
			}
			for _, note := range reply.Notes {
				fmt.Fprintln(cmd.OutOrStdout(), note)
			}
			return err
		},
	}
	f.add(cmd, false)
	return cmd
}

// clock writes a time for people.
func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }
