package lab

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// guardScript reads "group N", "forget N", "mount DIR", "unmount DIR" and does nothing until
// its input ends, be it by close or by the death of this process (a test that panicked or ran
// out of time). What is still on its lists then is killed and unmounted.
const guardScript = `
groups= mounts=
while read -r what arg; do
	case $what in
	group) groups="$groups $arg" ;;
	forget) new=; for g in $groups; do [ "$g" = "$arg" ] || new="$new $g"; done; groups=$new ;;
	mount) mounts="$mounts $arg" ;;
	unmount) new=; for m in $mounts; do [ "$m" = "$arg" ] || new="$new $m"; done; mounts=$new ;;
	esac
done
for g in $groups; do kill -KILL -- "-$g"; done
for m in $mounts; do umount -l "$m"; done
`

// guard is a process that outlives this one and cleans up behind it: Go cannot run anything
// when a test binary is killed, and Pdeathsig follows the thread, not the process.
type guard struct {
	cmd *exec.Cmd
	mu  sync.Mutex // guards in
	in  io.WriteCloser
}

func startGuard() (*guard, error) {
	cmd := exec.Command("/bin/sh", "-c", guardScript)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // not reached by the terminal's ^C
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &guard{cmd: cmd, in: in}, nil
}

func (g *guard) tell(what string, arg any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	// A guard that is gone cannot help; the lab itself still cleans up.
	_, _ = fmt.Fprintf(g.in, "%s %v\n", what, arg)
}

func (g *guard) close() error {
	g.mu.Lock()
	err := g.in.Close()
	g.mu.Unlock()
	if err != nil {
		return err
	}
	return g.cmd.Wait()
}
