package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"smbproxy/internal/smbconf"
)

// newTestparmCommand is `testparm`, with the options of Samba's where they make sense here.
func newTestparmCommand(configFile *string) *cobra.Command {
	var opt printOptions
	var load loadOptions
	var suppressPrompt bool
	cmd := &cobra.Command{
		Use:     "testparm [FILE]",
		GroupID: "configure",
		Short:   "Check the configuration and print it with all defaults",
		Long: `Checks the configuration. Every fault is printed with file, line and reason, all
at once, and the exit status is 1. Without faults the whole configuration is
printed to standard output, what is not set in the file with its default.

Files that the configuration names (keytabs, password file, state directory)
are looked at too: they must exist, be readable for whoever runs testparm, and
not be readable for others. --no-files leaves that out, for checking on another
host than the one that will run smbproxy.`,
		Example: `  smbproxy testparm
  smbproxy testparm -v                                  where is each value set?
  smbproxy testparm --set-only                          leave the defaults out
  smbproxy testparm ./new.conf --no-files
  smbproxy testparm --section-name=global --parameter-name="server signing"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("%q is one argument too many", args[1])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			file := *configFile
			if len(args) == 1 {
				file = args[0]
			}
			cfg, err := loadConfig(file, load)
			if err != nil {
				return reportFaults(cmd, err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: no faults found\n", file)
			return printConfig(cmd.OutOrStdout(), cfg, opt)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&suppressPrompt, "suppress-prompt", "s", false, "accepted as Samba's testparm does; there is no prompt")
	f.BoolVarP(&opt.Origin, "verbose", "v", false, "say where each value is set")
	f.BoolVar(&opt.SetOnly, "set-only", false, "print only what the file sets")
	f.BoolVar(&load.NoFiles, "no-files", false, "do not look at keytabs, password files and directories")
	f.StringVar(&opt.Section, "section-name", "", "print only this `section`")
	f.StringVar(&opt.Parameter, "parameter-name", "", "print only the values of this `parameter`")
	return cmd
}

// reportFaults prints every fault on a line of its own and returns the summary that ends the command.
func reportFaults(cmd *cobra.Command, err error) error {
	var faults smbconf.Faults
	if !errors.As(err, &faults) {
		return err
	}
	for _, f := range faults {
		fmt.Fprintln(cmd.ErrOrStderr(), f.Error())
	}
	if len(faults) == 1 {
		return errors.New("1 fault in the configuration")
	}
	return fmt.Errorf("%d faults in the configuration", len(faults))
}
