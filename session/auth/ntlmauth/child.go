package ntlmauth

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// maxReply bounds one reply of a child, in lines; real ones have three.
const maxReply = 64

// child is one helper process. Not safe for concurrent use.
type child struct {
	cmd     *exec.Cmd
	in, out *os.File // our ends of its standard input and output
	lines   *bufio.Reader
}

// start runs a helper with pipes that know deadlines. It gets a process group of its own: what is
// typed at our terminal is not for it.
func start(argv []string) (*child, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, theirIn.Close(), in.Close())
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout = theirIn, theirOut
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	theirIn.Close()
	theirOut.Close()
	if err != nil {
		in.Close()
		out.Close()
		return nil, err
	}
	return &child{cmd: cmd, in: in, out: out, lines: bufio.NewReader(out)}, nil
}

// end kills the helper with what it started, and waits for it.
func (c *child) end() {
	c.in.Close()
	c.out.Close()
	// The group has the helper's own id and exists until the helper is waited for.
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	_ = c.cmd.Wait() // "signal: killed"
}

// ask sends one request and reads the reply. When ctx ends it fails at once.
func (c *child) ask(ctx context.Context, l *Logon, deadline time.Time) (reply, error) {
	if err := errors.Join(c.in.SetWriteDeadline(deadline), c.out.SetReadDeadline(deadline)); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() {
		past := time.Unix(1, 0)
		_ = c.in.SetDeadline(past)
		_ = c.out.SetDeadline(past)
	})
	r, err := c.talk(l)
	if !stop() && err == nil {
		err = ctx.Err() // the deadlines above may still be on their way into the pipes
	}
	return r, err
}

// talk is ask with the deadlines set.
func (c *child) talk(l *Logon) (reply, error) {
	if _, err := c.in.Write(l.encode()); err != nil {
		return nil, err
	}
	r := make(reply)
	for range maxReply {
		line, err := c.lines.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		end, err := r.add(string(line))
		if err != nil {
			return nil, err
		}
		if end {
			return r, nil
		}
	}
	return nil, fmt.Errorf("reply of more than %d lines", maxReply)
}
