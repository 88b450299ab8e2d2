package lab

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// guardScript reads "group N", "forget N", "mount DIR", "unmount DIR", "remove DIR" and does
// nothing until its input ends, which is when this process does, whatever ended it (a test that
// panicked or ran out of time). What is still on its lists then is killed, unmounted, removed.
// No path of a lab holds a blank: all are made by os.MkdirTemp or [Start] refuses them.
const guardScript = `
groups= mounts= dirs=
while read -r what arg; do
	case $what in
	group) groups="$groups $arg" ;;
	forget) new=; for g in $groups; do [ "$g" = "$arg" ] || new="$new $g"; done; groups=$new ;;
	mount) mounts="$mounts $arg" ;;
	unmount) new=; for m in $mounts; do [ "$m" = "$arg" ] || new="$new $m"; done; mounts=$new ;;
	remove) dirs="$dirs $arg" ;;
	esac
done
for g in $groups; do kill -s KILL -- "-$g"; done
for m in $mounts; do umount -l "$m"; done
for d in $dirs; do rm -rf "$d"; done
`

// guard is a process that outlives this one and cleans up behind it: Go cannot run anything
// when a test binary is killed, and Pdeathsig follows the thread, not the process.
type guard struct {
	mu sync.Mutex // guards in
	in io.Writer
}

// theGuard is the one guard of this process, started when it is first needed.
var theGuard = sync.OnceValues(func() (*guard, error) {
	cmd := exec.Command("/bin/sh", "-c", guardScript)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // not reached by the terminal's ^C
	in, err := cmd.StdinPipe()                           // stays open as long as this process lives
	if err != nil {
		return nil, err
	}
	return &guard{in: in}, cmd.Start()
})

func (g *guard) tell(what string, arg any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	// A guard that is gone cannot help; the lab itself still cleans up.
	_, _ = fmt.Fprintf(g.in, "%s %v\n", what, arg)
}
