// Command demo is "make demo": three real Samba servers and smbproxy before them on loopback,
// and two users who copy files in and out with an ordinary client. It shows each command that
// it runs and checks each thing that it claims.
//
// With DEMO=once in the environment it ends by itself, with status 0 if all of it held;
// otherwise it stays up until ^C, for the reader to try.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"smbproxy/internal/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Getenv("DEMO") == "once")
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1)
	}
}

// run makes the lab, shows everything and, unless once, waits for ctx.
func run(ctx context.Context, once bool) (err error) {
	dir, err := os.MkdirTemp("", "smbproxy-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	l, err := lab.Start(ctx, dir, lab.Options{
		Log: func(format string, args ...any) { fmt.Printf(format+"\n", args...) },
		Users: []lab.User{
			{Name: "anna", UID: 21001, GID: 21001, Groups: []string{"team"}, Password: "anna-secret"},
			{Name: "bert", UID: 21002, GID: 21002, Groups: []string{"team"}, Password: "bert-secret"},
		},
		Groups: []lab.Group{{Name: "team", GID: 21100}},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	d := &demo{lab: l}
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := d.show(ctx); err != nil {
		return err
	}
	if once {
		fmt.Println("\nAll of it held.")
		return nil
	}
	d.invite()
	select {
	case <-ctx.Done():
		fmt.Println("\nStopping.")
		return nil
	case <-d.cluster.Proxy.Done():
		return errors.New("smbproxy ended by itself; its log was " + d.cluster.Proxy.Log())
	}
}
