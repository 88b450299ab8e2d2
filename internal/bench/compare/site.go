package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"smbproxy/internal/bench"
	"smbproxy/internal/lab"
)

// share is the one share of every target.
const share = "share"

// The targets, in the order of the tables.
const (
	direct = iota
	haproxy
	smbproxy
	targets
)

// target is something that the load generator can be pointed at.
type target struct {
	name string
	addr string
	pids func() []int // of the process in the middle; none for smbd itself
	smbd func() []int // of the smbd behind, with its children
}

// site is the running servers.
type site struct {
	lab     *lab.Lab
	cluster *lab.Cluster
	direct  *lab.Samba
	targets [targets]target
	haproxy *exec.Cmd
	users   []bench.User
}

// newSite starts smbd, haproxy before it, and smbproxy before another smbd with the same smb.conf. smbd behind
// smbproxy takes tickets, the other one passwords. Both let clients do without signatures if they like.
func newSite(ctx context.Context, l *lab.Lab) (*site, error) {
	c, err := l.Cluster(ctx, lab.ClusterOptions{Shares: []lab.Share{{Name: share}},
		GlobalLines: []string{"server signing = auto", "max connections per address = 20000"}})
	if err != nil {
		return nil, err
	}
	s := &site{lab: l, cluster: c}
	if s.direct, err = startDirect(ctx, l, c); err != nil {
		return nil, err
	}
	for _, u := range l.Users() {
		if u.Password != "" {
			s.users = append(s.users, bench.User{Name: u.Name, Password: u.Password})
		}
	}
	addr, err := s.startHaproxy()
	if err != nil {
		return nil, err
	}
	s.targets = [targets]target{
		{"direct", s.direct.Addr(), func() []int { return nil }, s.direct.Pids},
		{"haproxy", addr, func() []int { return []int{s.haproxy.Process.Pid} }, s.direct.Pids},
		{"smbproxy", c.Proxy.Addr(), func() []int { return []int{c.Proxy.Pid()} }, c.Backends[0].Pids},
	}
	return s, nil
}

// startDirect starts smbd as a backend's smb.conf has it, with a directory of its own, for clients with passwords that
// may seal if they like: backends are told not to.
func startDirect(ctx context.Context, l *lab.Lab, c *lab.Cluster) (*lab.Samba, error) {
	conf, err := c.Proxy.Run(ctx, "backend", "config", lab.BackendName(0), "--keytab", "/nonexistent")
	if err != nil {
		return nil, err
	}
	dir, err := l.Tree.Share("direct")
	if err != nil {
		return nil, err
	}
	for _, r := range [][2]string{{"path = " + c.ShareDir(share), "path = " + dir}, {"server smb encrypt = off", "server smb encrypt = if_required"}} {
		changed := strings.Replace(conf, r[0], r[1], 1)
		if changed == conf {
			return nil, fmt.Errorf("the printed smb.conf has no %q", r[0])
		}
		conf = changed
	}
	return l.Samba(ctx, lab.SambaOptions{Name: "direct", Passwords: true, Conf: func(lab.Dirs) string { return conf }})
}

// haproxyConf is the smallest forwarder of TCP connections.
const haproxyConf = `global
	maxconn 8000
defaults
	mode tcp
	timeout connect 10s
	timeout client 1h
	timeout server 1h
listen smb
	bind %s
	server smbd %s
`

// startHaproxy runs Debian's haproxy before the direct smbd and returns its address.
func (s *site) startHaproxy() (string, error) {
	program, err := exec.LookPath("haproxy")
	if err != nil {
		if program = "/usr/sbin/haproxy"; !exists(program) {
			return "", errors.New("haproxy is missing: apt install haproxy")
		}
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(s.lab.IP(), "0"))
	if err != nil {
		return "", err
	}
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil {
		return "", err
	}
	conf := filepath.Join(s.lab.Dir, "haproxy.cfg")
	if err := os.WriteFile(conf, fmt.Appendf(nil, haproxyConf, addr, s.direct.Addr()), 0o644); err != nil {
		return "", err
	}
	s.haproxy = exec.Command(program, "-q", "-db", "-f", conf)
	s.haproxy.Stderr = os.Stderr
	s.haproxy.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.haproxy.Start(); err != nil {
		return "", err
	}
	return addr, lab.WaitFor(10*time.Second, func() error {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// close ends haproxy; the lab ends the rest.
func (s *site) close() error {
	if err := s.haproxy.Process.Kill(); err != nil {
		return err
	}
	_ = s.haproxy.Wait() // killed
	return nil
}
