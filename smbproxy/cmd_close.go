package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

// newCloseCommand is `smbproxy close`.
func newCloseCommand(configFile *string) *cobra.Command {
	var f adminFlags
	cmd := &cobra.Command{
		Use:     "close FILE|SESSION|OPEN",
		GroupID: "look",
		Short:   "Close a client's session, or what clients have open",
		Long: `Closes a session or an open, by the id that "sessions" and "opens" show, or all
opens of a file, named SHARE/PATH. Locks, leases and whatever else belongs to what
is closed goes with it, and who waits for it goes on. The client is not asked: it
learns of it when it next uses the file or the session, and what it has not
written yet is lost. Durable handles whose client is away can be closed too.

If nothing has that name or id, nothing is done and the exit status is 1.`,
		Example: `  smbproxy close 0x10000a1b2c3d4          a session or an open
  smbproxy close projects/plan.xlsx       a file
  smbproxy close 'projects\plan.xlsx:notes' one stream of it`,
		Args: exactArgs("FILE, SESSION or OPEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := askAdmin(cmd.Context(), adminSocketPath(f.socket, *configFile), http.MethodPost, "/close?what="+url.QueryEscape(args[0]))
			if err != nil {
				return err
			}
			var reply closeReply
			if err := json.Unmarshal(body, &reply); err != nil {
				return fmt.Errorf("the answer of smbproxy is not understood: %w", err)
			}
			if reply.Fault != "" {
				return errors.New(reply.Fault)
			}
			if f.json {
				return indented(cmd.OutOrStdout(), body)
			}
			for _, s := range reply.Sessions {
				fmt.Fprintf(cmd.OutOrStdout(), "closed session %s\n", columns(fmt.Sprintf("%s of %s at %s", s.ID, s.User, s.Client)))
			}
			for _, o := range reply.Opens {
				fmt.Fprintf(cmd.OutOrStdout(), "closed open %s\n", columns(fmt.Sprintf("%s of %s at %s: %s in share %s", o.ID, o.User, cmp.Or(o.Client, "(disconnected)"), o.Name, o.Share)))
			}
			return nil
		},
	}
	f.add(cmd, true)
	return cmd
}
