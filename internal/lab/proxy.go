package lab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ProxyOptions says how one smbproxy is started.
type ProxyOptions struct {
	Name string // of the instance, unique in the lab
	IP   string // where it listens; "": [Lab.IP]
	Port int    // 0: a free one

	// Conf is the text of smbproxy.conf from the first line behind [global]'s own: further
	// [global] lines, then [backend:NAME] sections and shares.
	Conf func(p *Proxy) string

	LogLevel   string // "" : debug
	NTLMHelper string // checks passwords instead of the lab's smbpasswd file
	NoStart    bool
}

// Proxy is one smbproxy process, run as an ordinary user. Like a Samba it can be started again.
type Proxy struct {
	server
	Dir string // state directory, configuration, log

	opt ProxyOptions
}

// Proxy writes an smbproxy.conf and starts smbproxy; it returns when it listens.
func (l *Lab) Proxy(ctx context.Context, opt ProxyOptions) (*Proxy, error) {
	if opt.IP == "" {
		opt.IP = l.IP()
	}
	if opt.Port == 0 {
		var err error
		if opt.Port, err = freePort(opt.IP); err != nil {
			return nil, err
		}
	}
	// The race detector is on in make test.
	p := &Proxy{opt: opt, server: server{
		Name: opt.Name, lab: l, kind: "smbproxy", addr: net.JoinHostPort(opt.IP, strconv.Itoa(opt.Port)),
		fatal: []string{"WARNING: DATA RACE", "panic:", "fatal error:", "panic in a command"},
	}}
	p.log, p.tailed = p.Log, p.logEnd
	p.Dir = filepath.Join(l.Dir, "smbproxy-"+opt.Name)
	for _, dir := range []string{p.Dir, p.StateDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		if err := os.Chown(dir, proxyUID, proxyUID); err != nil {
			return nil, err
		}
	}
	if err := p.writePassdb(); err != nil {
		return nil, err
	}
	if err := p.SetConf(opt.Conf); err != nil {
		return nil, err
	}
	l.add(p)
	if opt.NoStart {
		return p, nil
	}
	return p, p.Start(ctx)
}

// writePassdb copies the lab's password file to where smbproxy's own user may read it.
func (p *Proxy) writePassdb() error {
	return p.WriteFile("smbpasswd", p.lab.smbpasswd())
}

// WriteFile writes a file of smbproxy's, 0600 and owned by its user, below Dir.
func (p *Proxy) WriteFile(name, text string) error {
	path := filepath.Join(p.Dir, name)
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		return err
	}
	if err := os.Chown(tmp, proxyUID, proxyUID); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// SetConf replaces the configuration; smbproxy reads it at Reload or the next Start.
func (p *Proxy) SetConf(conf func(p *Proxy) string) error {
	p.opt.Conf = conf
	text := p.global()
	if conf != nil {
		text += conf(p)
	}
	return p.WriteFile("smbproxy.conf", text)
}

// global is what the lab decides of smbproxy.conf.
func (p *Proxy) global() string {
	level := p.opt.LogLevel
	if level == "" {
		level = "debug"
	}
	users := "smb passwd file = " + p.PassdbFile()
	if p.opt.NTLMHelper != "" {
		users = "ntlm auth helper = " + p.opt.NTLMHelper
	}
	return fmt.Sprintf("[global]\n"+
		"\tnetbios name = SMBPROXY\n\tmachine sid = %s\n\tinterfaces = %s\n\tsmb ports = %d\n"+
		"\tadmin socket = %s\n\tstate directory = %s\n\t%s\n\tlog level = %s\n",
		MachineSID, p.opt.IP, p.opt.Port, filepath.Join(p.Dir, "admin.sock"), p.StateDir(), users, level)
}

// Start starts a stopped smbproxy again and returns when it listens.
func (p *Proxy) Start(ctx context.Context) error {
	binary, err := Binary()
	if err != nil {
		return err
	}
	argv := []string{binary, "--config", p.ConfFile(), "serve"}
	return p.start(ctx, func() (*process, error) {
		return startProcess(p.lab.guard, "smbproxy-"+p.Name, p.lab.Env(), argv, p.LogFile(), proxyUID)
	})
}

// Run runs an smbproxy command ("status", "backend config NAME") with this instance's
// configuration and as its user; it returns standard output.
func (p *Proxy) Run(ctx context.Context, args ...string) (string, error) {
	binary, err := Binary()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, binary, append([]string{"--config", p.ConfFile()}, args...)...)
	cmd.Env = append(os.Environ(), p.lab.Env()...)
	cmd.Dir = p.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: proxyUID, Gid: proxyUID}}
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("smbproxy %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(faults.String()))
	}
	return out.String(), nil
}

// ConfFile is smbproxy.conf, StateDir its state directory, PassdbFile its password file.
func (p *Proxy) ConfFile() string { return filepath.Join(p.Dir, "smbproxy.conf") }

// StateDir is smbproxy's state directory; keys lie in it.
func (p *Proxy) StateDir() string { return filepath.Join(p.Dir, "state") }

// PassdbFile is the smbpasswd file of this instance; WriteFile("smbpasswd", ...) replaces it.
func (p *Proxy) PassdbFile() string { return filepath.Join(p.Dir, "smbpasswd") }

// LogFile is smbproxy's standard error.
func (p *Proxy) LogFile() string { return filepath.Join(p.Dir, "log") }

// LogSize is a mark for LogSince.
func (p *Proxy) LogSize() int64 {
	st, err := os.Stat(p.LogFile())
	if err != nil {
		return 0
	}
	return st.Size()
}

// LogSince returns what was logged behind a mark.
func (p *Proxy) LogSince(mark int64) string {
	f, err := os.Open(p.LogFile())
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(mark, io.SeekStart); err != nil {
		return ""
	}
	data, _ := io.ReadAll(f)
	return string(data)
}

// logEnd is the end of smbproxy's log.
func (p *Proxy) logEnd() string { return tailOf("smbproxy "+p.Name, p.LogFile(), 60) }

// Log is all that smbproxy logged so far.
func (p *Proxy) Log() string { return p.LogSince(0) }
