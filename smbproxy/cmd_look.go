package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// look is a command that shows what the running smbproxy tells of one thing: the admin socket's answer
// to GET /NAME, as JSON or as text.
type look[T any] struct {
	name, short, long, example string
	text                       func(w io.Writer, v T) error
}

// command makes the command.
func (l look[T]) command(configFile *string) *cobra.Command {
	var f adminFlags
	cmd := &cobra.Command{
		Use: l.name, GroupID: "look", Short: l.short, Long: l.long, Args: exactArgs(),
		Example: strings.TrimPrefix(l.example+"\n  smbproxy "+l.name+"\n  smbproxy "+l.name+" --json", "\n"),
		RunE:    func(cmd *cobra.Command, _ []string) error { return show(cmd, &f, *configFile, "/"+l.name, l.text) },
	}
	f.add(cmd, true)
	return cmd
}

// table prints a list with a line for each element, its columns parted by tabs.
func table[R any](head string, row func(R) string) func(io.Writer, []R) error {
	return func(w io.Writer, rows []R) error {
		tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		fmt.Fprintln(tw, head)
		for _, r := range rows {
			fmt.Fprintln(tw, row(r))
		}
		return tw.Flush()
	}
}

// columns joins what stands in one line, with what would disturb a terminal or the table left out of
// it: clients choose names.
func columns(values ...any) string {
	for i, v := range values {
		values[i] = strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) {
				return r
			}
			return '\uFFFD'
		}, fmt.Sprint(v))
	}
	return strings.TrimSuffix(fmt.Sprintf(strings.Repeat("%s\t", len(values)), values...), "\t")
}

// lookStatus is `smbproxy status`.
var lookStatus = look[statusReply]{
	name: "status", short: "Show what the running smbproxy is doing", text: printStatus,
	long: `Shows what the running smbproxy is doing: since when, with which configuration,
where it listens, how many clients it serves, and its backends.`,
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
	fmt.Fprintf(tw, "state\t%d files, %d leases, %d watched directories, %d requests that wait, %d durable handles without a client\n", s.Files, s.Leases, s.Watches, s.Waiting, s.Disconnected)
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprint(tw, "\nBackend\tAddress\tShares\tLanes\tClients\tOpens\tState\n")
	for _, b := range s.Backends {
		state := b.State
		if b.Down != "" {
			state += ": " + b.Down
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

// clock writes a time for people.
func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }
