package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func newServeCommand(configFile *string) *cobra.Command {
	return &cobra.Command{
		Use:     "serve",
		GroupID: "run",
		Short:   "Serve clients, in the foreground",
		Long: `Serves clients until SIGTERM or SIGINT, which lets requests in flight finish
("drain timeout"); a second one ends at once. SIGHUP reads the configuration
again. Logs go to standard error. Under systemd (Type=notify) readiness is told
once clients can connect.

A faulty configuration is not served: every fault is printed, exit status 1. A
backend that is down does not matter: it is connected to when clients need it.`,
		Example: "  smbproxy serve --config /etc/smbproxy/smbproxy.conf",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(*configFile, loadOptions{})
			if err != nil {
				return reportFaults(cmd, err)
			}
			return serve(cmd.Context(), *configFile, cfg)
		},
	}
}

// serve runs a node under the process's signals.
func serve(ctx context.Context, configFile string, cfg *Config) error {
	logs := newLogging(os.Stderr, &cfg.Global)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	life, endLife := context.WithCancel(context.WithoutCancel(ctx))
	defer endLife()
	stop, beginStop := context.WithCancel(ctx)
	defer beginStop()
	n, err := newNode(life, configFile, cfg, logs)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	ready := make(chan struct{})
	go func() { done <- n.run(life, stop, endLife, func() { close(ready) }) }()
	for {
		select {
		case <-ready:
			ready = nil
			logs.logger.Info("smbproxy is serving", "version", versionString(), "server", cfg.Global.NetBIOSName, "addresses", n.listeners.addresses())
			notify(logs.logger, daemon.SdNotifyReady)
		case sig := <-signals:
			switch {
			case sig == syscall.SIGHUP && ready == nil && stop.Err() == nil:
				notify(logs.logger, fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, monotonic().Microseconds()))
				n.reload(life)
				notify(logs.logger, daemon.SdNotifyReady)
			case sig == syscall.SIGHUP:
			case stop.Err() != nil:
				logs.logger.Warn("ending at once", "signal", sig.String())
				endLife()
			default:
				logs.logger.Info("stopping", "signal", sig.String())
				notify(logs.logger, daemon.SdNotifyStopping)
				beginStop()
			}
		case err := <-done:
			logs.logger.Info("smbproxy has ended")
			return err
		}
	}
}

// notify tells systemd, where there is one.
func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("systemd cannot be told", "error", err)
	}
}

// monotonic is CLOCK_MONOTONIC, which systemd wants with RELOADING=1.
func monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
