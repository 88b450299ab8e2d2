package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
)

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
