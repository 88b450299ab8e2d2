package backend

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// killGrace is how long a fence command that is to end may still hold its output.
const killGrace = time.Second

// runFenceCommand runs the admin's command with /bin/sh. Exit status 0 says that
// whatever the backend was still doing has ended and will not go on. The command
// and its children are killed after FenceTimeout, and then nothing is fenced.
func runFenceCommand(ctx context.Context, cfg *Config) error {
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.FenceTimeout, fmt.Errorf("it took longer than %v", cfg.FenceTimeout))
	defer cancel()
	host, port, _ := net.SplitHostPort(cfg.Address) // checked by Config
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", cfg.FenceCommand)
	cmd.Env = append(os.Environ(), "BACKEND="+cfg.Name, "ADDRESS="+host, "PORT="+port)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killGrace
	err := cmd.Run()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w, it said %q", err, tail(out.Bytes()))
	}
	return nil
}

// maxSaid is how much of a fence command's output is logged, in bytes.
const maxSaid = 500

// tail is the end of what a command said.
func tail(out []byte) []byte {
	out = bytes.TrimSpace(out)
	return out[max(0, len(out)-maxSaid):]
}
