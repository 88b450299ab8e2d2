package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"smbproxy/internal/smbconf"
)

// newBackendCommand is `backend`: what an administrator needs to set up one Samba server.
func newBackendCommand(configFile *string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "backend",
		GroupID: "configure",
		Short:   "Set up backends: their smb.conf, their keys, a check",
		Long: `A backend is a stock Samba server. Each is a [backend:NAME] section of the
configuration. These commands print and make what it needs.`,
	}
	cmd.AddCommand(newBackendConfigCommand(configFile), newBackendKeytabCommand(configFile), newBackendCheckCommand(configFile))
	return cmd
}

// findBackend loads the configuration, without looking at files that these commands are about
// to make, and finds the backend.
func findBackend(cmd *cobra.Command, configFile, name string) (*Config, *Backend, error) {
	cfg, err := loadConfig(configFile, loadOptions{NoFiles: true})
	if err != nil {
		return nil, nil, reportFaults(cmd, err)
	}
	if b := cfg.backend(name); b != nil {
		return cfg, b, nil
	}
	known := sortedBackendNames(cfg)
	if near := smbconf.Suggest(name, known); near != "" {
		return nil, nil, fmt.Errorf("%s has no [backend:%s]; did you mean %s?", configFile, name, near)
	}
	return nil, nil, fmt.Errorf("%s has no [backend:%s]; it has: %s", configFile, name, strings.Join(known, ", "))
}

// completeBackends offers the names of the configuration to the shell.
func completeBackends(configFile *string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		cfg, err := loadConfig(*configFile, loadOptions{NoFiles: true})
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return sortedBackendNames(cfg), cobra.ShellCompDirectiveNoFileComp
	}
}

func newBackendConfigCommand(configFile *string) *cobra.Command {
	var paths smbdPaths
	cmd := &cobra.Command{
		Use:   "config NAME",
		Short: "Print the complete smb.conf of a backend",
		Long: `Prints the complete smb.conf of the backend NAME to standard output, each group of
lines with the reason why it is there. Nothing has to be added by hand; lines
of your own go into smbproxy.conf as "smbd:NAME = VALUE".`,
		Example: `  smbproxy backend config one | ssh one 'cat > /etc/samba/smb.conf'
  smbproxy backend config one --prefix /srv/lab/one --keytab /srv/lab/one/key`,
		Args:              exactArgs("NAME"),
		ValidArgsFunction: completeBackends(configFile),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, p := range []string{paths.Keytab, paths.Prefix, paths.Log} {
				if p != "" {
					if err := checkAbsolute(p); err != nil {
						return usageError{err}
					}
				}
			}
			cfg, b, err := findBackend(cmd, *configFile, args[0])
			if err != nil {
				return err
			}
			return smbdConf(cmd.OutOrStdout(), cfg, b, paths)
		},
	}
	f := cmd.Flags()
	f.StringVar(&paths.Keytab, "keytab", defaultSmbdKeytab, "where the key lies on the backend's host")
	f.StringVar(&paths.Prefix, "prefix", "", "keep all that this smbd writes below `directory`, so that several run on one host")
	f.StringVar(&paths.Log, "log-file", "", "where smbd logs")
	return cmd
}

func newBackendKeytabCommand(configFile *string) *cobra.Command {
	var export string
	var rotate bool
	cmd := &cobra.Command{
		Use:   "keytab NAME",
		Short: "Make or export the key of a backend",
		Long: `Makes the key that smbproxy shares with the backend NAME: random, mode 0600, in
the file that "dedicated keytab file" of [backend:NAME] names. A key that exists is
kept. --rotate adds a newer one to it, which smbproxy uses from then on: carry
the file to the backend at once.

--export copies the key to another file (mode 0600; - is standard output), to be
carried to the backend's host over a safe way. Whoever has the key is every user
on the backend's files.`,
		Example: `  smbproxy backend keytab one
  smbproxy backend keytab one --export - |
      ssh root@one 'umask 077; cat > /etc/samba/smbproxy.keytab'`,
		Args:              exactArgs("NAME"),
		ValidArgsFunction: completeBackends(configFile),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, b, err := findBackend(cmd, *configFile, args[0])
			if err != nil {
				return err
			}
			done, err := ensureKeytab(b, rotate)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s %s, key of %s@%s\n", done, b.KeytabFile, b.ServicePrincipal, b.Realm)
			if export == "" {
				return nil
			}
			return exportKeytab(cmd, b, export)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&export, "export", "o", "", "copy the key to `file`, - for standard output")
	f.BoolVar(&rotate, "rotate", false, "add a newer key to the one that exists")
	_ = cmd.MarkFlagFilename("export")
	return cmd
}

// exportKeytab copies the key. An existing file is replaced, never opened: it might be readable
// for others already, or be a link to somewhere else.
func exportKeytab(cmd *cobra.Command, b *Backend, to string) error {
	key, err := os.ReadFile(b.KeytabFile)
	if err != nil {
		return err
	}
	defer clear(key)
	if to == "-" {
		_, err = cmd.OutOrStdout().Write(key)
		return err
	}
	if err := replaceFile(to, key); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "copied to %s\n", to)
	return nil
}
