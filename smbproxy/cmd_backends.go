package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// lookBackends is `smbproxy backends`.
var lookBackends = look[[]backendRow]{
	name: "backends", short: "List the backends and their lanes", text: printBackends,
	long: `Lists the backends with their state, and the lanes to each: connections, and so
smbd processes.

  up        it answers
  suspect   it owes an answer, or refuses new connections
  down      it is taken for dead; its shares are served by others
  fenced    down, and nothing that was under way there can still happen
  draining  "smbproxy drain": clients are leaving it
  disabled  nobody is served by it, until "smbproxy enable"`,
}

func printBackends(w io.Writer, rows []backendRow) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "Backend\tAddress\tRoles\tState\tSince\tLanes\tClients\tOpens\tIn flight\tWaiting\tUnfenced\tShares\tReason")
	for _, r := range rows {
		up := 0
		for _, l := range r.Lanes {
			if l.Connected {
				up++
			}
		}
		fmt.Fprintln(tw, columns(r.Name, r.Address, strings.Join(r.Roles, ","), r.State, clock(r.Since), up, r.Clients, r.Opens,
			r.InFlight, r.Waiting, r.Unfenced, dash(strings.Join(r.Shares, " ")), dash(r.Reason)))
	}
	fmt.Fprintln(tw, "\nBackend\tLane\tFor\tState\tOldest request\tUsers\tClients\tOpens\tIn flight\tWaiting\tLost")
	for _, r := range rows {
		for _, l := range r.Lanes {
			fmt.Fprintln(tw, columns(r.Name, l.Lane, l.Class, laneState(l), time.Duration(l.HeadWait*float64(time.Second)).Round(time.Millisecond),
				l.Users, l.Clients, l.Opens, l.InFlight, l.Waiting, l.Lost))
		}
	}
	return tw.Flush()
}

// laneState is one word for a lane.
func laneState(l laneRow) string {
	switch {
	case !l.Connected:
		return "closed"
	case l.Stuck:
		return "stuck"
	case l.Slow:
		return "slow"
	}
	return "up"
}

// dash stands where there is nothing.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// newDutyCommands are `enable`, `disable` and `drain`.
func newDutyCommands(configFile *string) []*cobra.Command {
	const life = "It holds until smbproxy ends, reloads included; to take a backend out for good, take\nits section out of the configuration and reload.\n"
	enable := dutyCommand(configFile, "enable", "enabled", "Use a backend again", `Takes "drain" and "disable" back: the backend NAME gets clients again.
`+life)
	disable := dutyCommand(configFile, "disable", "disabled", "Use a backend no more, at once", `Ends all connections to the backend NAME and makes no new ones. What was under way
there is done again elsewhere where other backends serve its shares; where none
does, clients see the share go away. "drain" is the gentle way.
`+life)
	drain := dutyCommand(configFile, "drain", "draining", "Move everybody off a backend and wait for it", `Has the backend NAME get nothing new, moves what is open there to other backends of
its shares, and returns when it is empty; it is disabled then. Where no other
backend serves a share, drain waits until the clients close their files.
Interrupting the command does not stop the draining: "enable" does.
`+life)
	return []*cobra.Command{enable, disable, drain}
}

// dutyCommand is one of them.
func dutyCommand(configFile *string, use, duty, short, long string) *cobra.Command {
	var f adminFlags
	wait, limit := duty == "draining", time.Duration(0)
	cmd := &cobra.Command{
		Use: use + " NAME", GroupID: "run", Short: short, Long: long,
		Example: "  smbproxy " + use + " one", Args: exactArgs("NAME"), ValidArgsFunction: completeBackends(configFile),
		RunE: func(cmd *cobra.Command, args []string) error {
			ask := func(method, query string) (dutyReply, error) {
				return askDuty(cmd.Context(), adminSocketPath(f.socket, *configFile), method, "backend="+url.QueryEscape(args[0])+query)
			}
			reply, err := ask(http.MethodPost, "&duty="+duty)
			if err == nil && wait {
				reply, err = awaitDrained(cmd.Context(), reply, limit, func() (dutyReply, error) { return ask(http.MethodGet, "") })
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "backend %s: %s\n", args[0], reply.Duty)
			return nil
		},
	}
	f.add(cmd, false)
	if wait {
		cmd.Flags().BoolVar(&wait, "wait", wait, "return only when the backend is empty")
		cmd.Flags().DurationVar(&limit, "timeout", 0, "how long to wait; 0: for ever")
	}
	return cmd
}

// askDuty asks the running smbproxy for one dutyReply.
func askDuty(ctx context.Context, socket, method, query string) (reply dutyReply, err error) {
	body, err := askAdmin(ctx, socket, method, "/duty?"+query)
	if err == nil {
		err = json.Unmarshal(body, &reply)
	}
	if err == nil && reply.Fault != "" {
		err = errors.New(reply.Fault)
	}
	return reply, err
}

// drainedEvery is how often a drain is asked after.
const drainedEvery = 200 * time.Millisecond

// awaitDrained waits until nobody is left, the limit has passed (0: none), or somebody takes the
// drain back.
func awaitDrained(ctx context.Context, reply dutyReply, limit time.Duration, ask func() (dutyReply, error)) (dutyReply, error) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	tick := time.NewTicker(drainedEvery)
	defer tick.Stop()
	for {
		switch reply.Duty {
		case "disabled":
			return reply, nil
		case "enabled":
			return reply, errors.New("somebody has enabled the backend again")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return reply, fmt.Errorf("not empty yet: %d clients, %d opens; draining goes on", reply.Clients, reply.Opens)
		}
		next, err := ask()
		if err != nil {
			if ctx.Err() != nil {
				continue
			}
			return reply, err
		}
		reply = next
	}
}
