package torture

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Runner runs suites with one smbtorture program.
type Runner struct {
	Program     string        // smbtorture
	LogDir      string        // raw output, one file per suite
	TestLimit   time.Duration // for one test
	SuiteLimit  time.Duration // for a suite; smb2.lease alone takes 187 s
	listedNames []string      // smbtorture --list
}

// NewRunner asks smbtorture for the names of all tests.
func NewRunner(ctx context.Context, program, logDir string) (*Runner, error) {
	out, err := exec.CommandContext(ctx, program, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --list: %w", program, err)
	}
	r := &Runner{Program: program, LogDir: logDir, TestLimit: 90 * time.Second, SuiteLimit: 300 * time.Second}
	for line := range strings.Lines(string(out)) {
		r.listedNames = append(r.listedNames, strings.TrimSpace(line))
	}
	return r, os.MkdirAll(logDir, 0o755)
}

// Tests are the canonical names of a suite's tests in smbtorture's order.
func (r *Runner) Tests(suite string) []string {
	var out []string
	for _, name := range r.listedNames {
		if name == suite || strings.HasPrefix(name, suite+".") {
			if n := canonical(name); !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// Result is what became of a suite's tests.
type Result struct {
	Suite    Suite
	Outcomes map[string]Outcome
	Messages map[string]string
	Took     time.Duration
	Partial  bool // only some of the suite's tests were asked for
}

// Run runs a suite, or only some of its tests. A test that hangs or kills smbtorture is noted,
// and a fresh smbtorture goes on with those behind it. The error is about the set-up, never
// about a test.
func (r *Runner) Run(ctx context.Context, site *Site, s Suite, only ...string) (Result, error) {
	res := Result{Suite: s, Outcomes: map[string]Outcome{}, Messages: map[string]string{}}
	start := time.Now()
	tests := r.Tests(s.Name)
	if len(only) > 0 {
		tests, res.Partial = only, true
	}
	if len(tests) == 0 {
		return res, fmt.Errorf("%s: smbtorture knows no such suite", s.Key())
	}
	if err := site.clean(s.ShareName()); err != nil {
		return res, err
	}
	log, err := os.OpenFile(filepath.Join(r.LogDir, unsafeName.ReplaceAllString(s.Key(), "_")+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return res, err
	}
	defer func() { _ = log.Close() }()
	ctx, cancel := context.WithTimeout(ctx, r.SuiteLimit)
	defer cancel()
	args := r.args(site, s)
	todo := []string{s.Name}
	if len(only) > 0 {
		todo = only
	}
	for len(todo) > 0 && ctx.Err() == nil {
		p, hung := r.once(ctx, append(slices.Clone(args), todo...), tests, log)
		for name, o := range p.outcomes {
			res.Outcomes[name], res.Messages[name] = o, p.messages[name]
		}
		broken := p.current != "" // it neither passed nor failed: hung, or took smbtorture with it
		if broken {
			res.Outcomes[p.current] = Crash
			if hung {
				res.Outcomes[p.current] = Timeout
			}
		}
		if len(res.Outcomes) == 0 {
			return res, fmt.Errorf("%s: smbtorture reported no test, see %s", s.Key(), log.Name())
		}
		if !broken {
			break // it ended in order; what it did not report it does not run
		}
		todo = slices.DeleteFunc(slices.Clone(tests), func(t string) bool { _, done := res.Outcomes[t]; return done })
	}
	for _, t := range tests {
		if _, ok := res.Outcomes[t]; !ok {
			res.Outcomes[t] = Absent
		}
	}
	res.Took = time.Since(start)
	return res, nil
}

var unsafeName = regexp.MustCompile(`[^\w.@-]`)

// args is smbtorture's command line without the tests.
func (r *Runner) args(site *Site, s Suite) []string {
	host, port, _ := net.SplitHostPort(site.Addr)
	base, _ := filepath.Abs(r.LogDir) // relative, it would leave directories behind, or run nothing
	users := Users()
	args := append(slices.Clone(clientOptions),
		fmt.Sprintf("--maximum-runtime=%d", int(r.SuiteLimit.Seconds())+30),
		"--basedir="+base, "--configfile=/dev/null", "-p", port,
		"--option=torture:user2name="+users[1].Name, "--option=torture:user2password="+users[1].Password,
		"--option=torture:localdir="+site.localDir(s.ShareName()))
	args = append(args, s.Args...)
	return append(args, "//"+host+"/"+s.ShareName(), "-U"+users[0].Name+"%"+users[0].Password)
}

// once runs one smbtorture to its end, or until one test took too long.
func (r *Runner) once(ctx context.Context, args, tests []string, log io.Writer) (p *parser, hung bool) {
	p = newParser(tests)
	_, _ = fmt.Fprintf(log, "### %s %q\n", r.Program, args)
	cmd := exec.Command(r.Program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it forks; all of it ends with a test that hangs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return p, false
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		_, _ = fmt.Fprintln(log, err)
		return p, false
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for sc := bufio.NewReader(out); ; {
			l, err := sc.ReadString('\n')
			if l != "" {
				lines <- l
			}
			if err != nil {
				return
			}
		}
	}()
	limit := time.NewTimer(r.TestLimit)
	defer limit.Stop()
	kill := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	done, expired := ctx.Done(), limit.C
	for {
		select {
		case l, ok := <-lines:
			if !ok {
				_ = cmd.Wait()
				return p, hung
			}
			_, _ = io.WriteString(log, l)
			if !hung && p.line(l) {
				limit.Reset(r.TestLimit)
			}
		case <-expired:
			hung, expired = true, nil
			kill()
		case <-done:
			hung, done = true, nil
			kill()
		}
	}
}
