package lab

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// ClientOption changes how [Lab.Smbclient] runs smbclient.
type ClientOption func(*clientRun)

type clientRun struct {
	args    []string
	dir     string
	host    string
	env     []string
	input   string
	timeout time.Duration
}

// As logs in as a user of the lab, with its Password.
func As(u User) ClientOption {
	return func(r *clientRun) { r.args = append(r.args, "--user="+u.Name+"%"+u.Password) }
}

// Anonymous logs in with an empty name and password.
func Anonymous() ClientOption {
	return func(r *clientRun) { r.args = append(r.args, "--no-pass", "--user=%") }
}

// Command is what smbclient does, commands apart by semicolons.
func Command(c string) ClientOption {
	return func(r *clientRun) { r.args = append(r.args, "--command="+c) }
}

// Input is what is typed at smbclient's prompt; unlike Command it may hold "!" and a command of the shell.
func Input(lines ...string) ClientOption {
	return func(r *clientRun) { r.input = strings.Join(lines, "\n") + "\n" }
}

// Dialect makes smbclient speak exactly this protocol: SMB2_02 ... SMB3_11.
func Dialect(d string) ClientOption {
	return func(r *clientRun) {
		r.args = append(r.args, "--option=client min protocol="+d, "--option=client max protocol="+d)
	}
}

// Protection is smbclient's --client-protection: sign, encrypt or off.
func Protection(p string) ClientOption {
	return func(r *clientRun) { r.args = append(r.args, "--client-protection="+p) }
}

// ClientArgs are further arguments of smbclient.
func ClientArgs(args ...string) ClientOption {
	return func(r *clientRun) { r.args = append(r.args, args...) }
}

// InDir is the directory that smbclient's local names are relative to.
func InDir(dir string) ClientOption { return func(r *clientRun) { r.dir = dir } }

// Host is the name of the server in smbclient's UNC path, for Kerberos; it still connects to the
// address that [Lab.Smbclient] is given.
func Host(name string) ClientOption {
	return func(r *clientRun) { r.host = name }
}

// ClientEnv adds to smbclient's environment.
func ClientEnv(env ...string) ClientOption { return func(r *clientRun) { r.env = env } }

// ClientTimeout bounds the run; the default is two minutes.
func ClientTimeout(d time.Duration) ClientOption { return func(r *clientRun) { r.timeout = d } }

// ClientResult is how smbclient ended.
type ClientResult struct {
	Output string // both streams
	Err    error  // nil: exit status 0
	Args   []string
}

// Status is the first NT_STATUS_... word of the output, "" if there is none.
func (r ClientResult) Status() string { return statusWord.FindString(r.Output) }

var statusWord = regexp.MustCompile(`NT_STATUS_[A-Z0-9_]+`)

func (r ClientResult) String() string {
	return fmt.Sprintf("smbclient %q: %v\n%s", r.Args, r.Err, r.Output)
}

// Smbclient runs Debian's smbclient, unmodified and without the host's smb.conf, on a share.
func (l *Lab) Smbclient(addr, share string, opts ...ClientOption) ClientResult {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ClientResult{Err: err}
	}
	r := clientRun{timeout: 2 * time.Minute, dir: l.Dir}
	r.host = host
	for _, o := range opts {
		o(&r)
	}
	r.args = append([]string{"//" + r.host + "/" + share, "--ip-address=" + host, "--port=" + port, "--configfile=/dev/null"}, r.args...)
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program("smbclient"), r.args...)
	cmd.Stdin = strings.NewReader(r.input)
	cmd.Dir, cmd.Env = r.dir, append(os.Environ(), r.env...)
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("smbclient did not end in %v: %w", r.timeout, err)
	}
	return ClientResult{Output: out.String(), Err: err, Args: r.args}
}
