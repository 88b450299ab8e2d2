package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// defaultConfigFile is read unless --config or SMBPROXY_CONFIG names another file.
const defaultConfigFile = "/etc/smbproxy/smbproxy.conf"

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with its surroundings as arguments. The result is the exit status: 0 all well,
// 1 the configuration or the running smbproxy says no, 2 the command line was not understood.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	var usage usageError
	if errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown command") {
		fmt.Fprintf(stderr, "smbproxy: %v\nTry: %s --help\n", err, cmd.CommandPath())
		return 2
	}
	fmt.Fprintf(stderr, "smbproxy: %v\n", err)
	return 1
}

// usageError is a mistake on the command line.
type usageError struct{ error }

// Unwrap gives the cause.
func (e usageError) Unwrap() error { return e.error }

// exactArgs wants n arguments, with names for the message.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usageError{fmt.Errorf("%s is missing", strings.Join(names[len(args):], " "))}
		case len(args) > len(names):
			return usageError{fmt.Errorf("%q is one argument too many", args[len(names)])}
		}
		return nil
	}
}

// newRootCommand builds the command tree.
func newRootCommand() *cobra.Command {
	configFile := os.Getenv("SMBPROXY_CONFIG")
	if configFile == "" {
		configFile = defaultConfigFile
	}
	root := &cobra.Command{
		Use:   "smbproxy",
		Short: "One SMB server in front of many Samba servers",
		Long: `smbproxy is one virtual SMB server in front of stock Samba servers (backends).
Clients log on to smbproxy; smbproxy acts at the backends as the user that the
client is.

From nothing to a share that works:

  1. Write ` + defaultConfigFile + ` (an example comes with smbproxy).
  2. smbproxy testparm                      find every mistake in it
  3. smbproxy backend keytab NAME           make the key of each backend
  4. smbproxy backend config NAME           print the smb.conf of each backend
  5. smbproxy backend check NAME -u USER    see that backend and key are right
  6. smbproxy serve                         or: systemctl start smbproxy
  7. smbproxy status                        see what it is doing`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().StringVarP(&configFile, "config", "c", configFile, "configuration `file`; SMBPROXY_CONFIG names another default")
	root.SetGlobalNormalizationFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "configfile" { // as Samba's tools call it
			name = "config"
		}
		return pflag.NormalizedName(name)
	})
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	_ = root.MarkPersistentFlagFilename("config", "conf")
	root.AddGroup(&cobra.Group{ID: "run", Title: "Running:"}, &cobra.Group{ID: "configure", Title: "Configuring:"}, &cobra.Group{ID: "look", Title: "Looking:"})
	root.AddCommand(
		newServeCommand(&configFile), newReloadCommand(&configFile),
		newTestparmCommand(&configFile), newBackendCommand(&configFile),
		lookStatus.command(&configFile), lookSessions.command(&configFile), lookOpens.command(&configFile),
		lookLocks.command(&configFile), lookLeases.command(&configFile), lookNotify.command(&configFile),
		lookBackends.command(&configFile), newCloseCommand(&configFile), newStatedbCommand(&configFile),
		newBenchCommand(), newVersionCommand(),
	)
	root.AddCommand(newDutyCommands(&configFile)...)
	return root
}
