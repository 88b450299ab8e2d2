package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// markVariable stands in the environment of every process of a server, so that those which
// leave its process group (samba-dcerpcd starts a session of its own) are found and ended.
const markVariable = "SMBPROXY_LAB_SERVER="

// process is a server's leader and all that it forked.
type process struct {
	name  string
	mark  string // unique per start
	cmd   *exec.Cmd
	guard *guard
	done  chan struct{} // closed by wait's goroutine when the leader is reaped
	err   error         // why it ended; read after done
}

// startProcess runs argv as the leader of a new process group, output appended to logFile;
// uid 0 stays who we are.
func startProcess(g *guard, name string, env, argv []string, logFile string, uid uint32) (*process, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }() // the child has its own
	p := &process{name: name, guard: g, done: make(chan struct{})}
	p.mark = fmt.Sprintf("%s%s.%d.%d", markVariable, name, os.Getpid(), time.Now().UnixNano())
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Env = append(append(os.Environ(), env...), p.mark)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if uid != 0 {
		p.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid}
		p.cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_NET_BIND_SERVICE} // as the systemd unit has it
		p.cmd.SysProcAttr.AmbientCaps = []uintptr{capNetBindService}         // as dist/smbproxy.service has it
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	g.tell("group", p.cmd.Process.Pid)
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// capNetBindService lets a user listen on port 445, capabilities(7).
const capNetBindService = 10

// Pid is the leader's process id and its group's.
func (p *process) Pid() int { return p.cmd.Process.Pid }

// pids are the living processes of this server, the leader's group first.
func (p *process) pids() []int {
	var out []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue // gone meanwhile
		}
		// proc(5): pid (comm) state ppid pgrp ...; comm may hold blanks and parentheses.
		f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(f) < 3 || f[0] == "Z" || f[0] == "X" {
			continue
		}
		if f[2] == strconv.Itoa(p.Pid()) {
			out = append(out, pid)
			continue
		}
		env, err := os.ReadFile(dir + "/environ")
		if err == nil && slices.Contains(strings.Split(string(env), "\x00"), p.mark) {
			out = append(out, pid)
		}
	}
	return out
}

// signal sends sig to every process of the server.
func (p *process) signal(sig syscall.Signal) error {
	var errs []error
	for _, pid := range p.pids() {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("signal %v to %s (%d): %w", sig, p.name, pid, err))
		}
	}
	return errors.Join(errs...)
}

// kill ends all of it at once, children that appear meanwhile included.
func (p *process) kill() error {
	err := until(context.Background(), stopLimit, func() error {
		if err := p.signal(syscall.SIGKILL); err != nil {
			return err
		}
		if left := p.pids(); len(left) > 0 {
			return fmt.Errorf("%s: processes %v do not end", p.name, left)
		}
		return nil
	})
	<-p.done
	p.guard.tell("forget", p.Pid())
	return err
}

// stop asks the leader to end and kills what is left after stopLimit. The leader's exit
// status is not an error here: smbd ends on SIGTERM with 0 or by the signal.
func (p *process) stop() error {
	_ = p.signal(syscall.SIGCONT) // a frozen process does not hear SIGTERM
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopLimit):
	}
	return p.kill()
}

func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ended tells how the leader ended; call it after done only.
func (p *process) ended() error {
	if p.err == nil {
		return errors.New("exit status 0")
	}
	return p.err
}

// listening waits until something accepts on addr, or the process is gone.
func (p *process) listening(ctx context.Context, addr string) error {
	err := until(ctx, startLimit, func() error {
		if !p.alive() {
			return stopWaiting{fmt.Errorf("%s ended before it listened on %s: %w", p.name, addr, p.ended())}
		}
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err != nil {
		return fmt.Errorf("%s is not listening on %s: %w", p.name, addr, err)
	}
	return nil
}

// stopLimit is how long a server may take to end on SIGTERM before it is killed.
const stopLimit = 20 * time.Second

// stopWaiting is an error of until's condition that no waiting mends.
type stopWaiting struct{ error }

func (s stopWaiting) Unwrap() error { return s.error }

// until polls a condition of another process (there is nothing to wait on) until it holds.
func until(ctx context.Context, limit time.Duration, condition func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition()
		var final stopWaiting
		if err == nil || errors.As(err, &final) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %v: %w", limit, err)
		case <-tick.C:
		}
	}
}

// WaitFor polls a condition of another process until it holds; the error is the condition's
// last one when limit has passed.
func WaitFor(limit time.Duration, condition func() error) error {
	return until(context.Background(), limit, condition)
}

// tailOf returns the last lines of a log file under a heading, for a failed test.
func tailOf(name, path string, lines int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	if st, err := f.Stat(); err == nil && st.Size() > 64<<10 {
		_, _ = f.Seek(-64<<10, io.SeekEnd)
	}
	data, _ := io.ReadAll(f)
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	if len(data) == 0 {
		return ""
	}
	return fmt.Sprintf("--- %s (%s)\n%s", name, path, strings.Join(all, "\n"))
}
