package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
)

// server is what an smbd and an smbproxy have in common: a process with its children, that listens on
// an address and can be started again there after Stop or Kill.
type server struct {
	Name string // of the instance, unique in the lab

	lab  *Lab
	kind string // "smbd", "smbproxy"
	addr string

	fatal  []string      // what it must never log, whatever the test looked at
	log    func() string // all that it has logged
	tailed func() string // the end of that, for a failed test

	mu      sync.Mutex // guards what is below
	proc    *process   // nil when stopped
	excused int        // bytes of the log that faults does not look at
}

// start runs a stopped server, by launch, and returns when it listens.
func (s *server) start(ctx context.Context, launch func() (*process, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		return fmt.Errorf("%s %s runs already", s.kind, s.Name)
	}
	p, err := launch()
	if err != nil {
		return err
	}
	s.proc = p
	if err := p.listening(ctx, s.addr); err != nil {
		s.proc = nil
		return errors.Join(err, errors.New(s.tailed()), p.kill())
	}
	return nil
}

// Stop ends the server in order; stopping a stopped one is no fault.
func (s *server) Stop() error { return s.end((*process).stop) }

// Kill ends the server and all its children with SIGKILL.
func (s *server) Kill() error { return s.end((*process).kill) }

func (s *server) end(how func(*process) error) error {
	s.mu.Lock()
	p := s.proc
	s.proc = nil
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	return errors.Join(how(p), s.faults())
}

// abandon is Kill of a server whose host or file system was taken from under it: what it logged on
// that, a panic even, is not its fault.
func (s *server) abandon() error {
	s.mu.Lock()
	p := s.proc
	s.proc = nil
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	err := p.kill()
	s.mu.Lock()
	s.excused = len(s.log())
	s.mu.Unlock()
	return err
}

// faults tells whether the server has logged what it never may.
func (s *server) faults() error {
	s.mu.Lock()
	log := s.log()
	log = log[min(s.excused, len(log)):]
	s.mu.Unlock()
	for _, mark := range s.fatal {
		if at := strings.Index(log, mark); at >= 0 {
			return fmt.Errorf("%s %s logged: %s", s.kind, s.Name, log[at:min(len(log), at+4000)])
		}
	}
	return nil
}

// Freeze stops every process of the server where it is: it accepts connections (the kernel does) and
// answers nothing.
func (s *server) Freeze() error { return s.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *server) Thaw() error { return s.Signal(syscall.SIGCONT) }

// Reload has the server read its configuration again, after SetConf.
func (s *server) Reload() error { return s.Signal(syscall.SIGHUP) }

// Signal sends a signal to all of the server's processes.
func (s *server) Signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return fmt.Errorf("%s %s does not run", s.kind, s.Name)
	}
	return s.proc.signal(sig)
}

// Done is closed when the running server has ended by itself or by a signal.
func (s *server) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		gone := make(chan struct{})
		close(gone)
		return gone
	}
	return s.proc.done
}

// Pid is the leader's process id, 0 when stopped.
func (s *server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return 0
	}
	return s.proc.Pid()
}

// Pids are all processes of the server, children included.
func (s *server) Pids() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return nil
	}
	return s.proc.pids()
}

// Addr is host:port where the server listens, also while it is stopped.
func (s *server) Addr() string { return s.addr }

func (s *server) tail() string { return s.tailed() }
