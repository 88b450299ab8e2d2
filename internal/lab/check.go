package lab

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"math/rand/v2"
)

// Missing says what this machine lacks to run a lab.
type Missing struct {
	Root     bool     // not running as root
	Packages []string // Debian packages that hold what is not there
}

func (m *Missing) Error() string {
	var parts []string
	if m.Root {
		parts = append(parts, "smbd must be started as root (run as root, or through sudo)")
	}
	if len(m.Packages) > 0 {
		parts = append(parts, "missing packages: "+strings.Join(m.Packages, " ")+" (run scripts/install-deps)")
	}
	return strings.Join(parts, "; ")
}

// tools is each program that the lab runs and Debian's package that has it.
var tools = []struct{ program, pkg string }{
	{"smbd", "samba"},
	{"net", "samba-common-bin"},
	{"pdbedit", "samba-common-bin"},
	{"smbclient", "smbclient"},
	{"mkfs.ext4", "e2fsprogs"},
	{"mount", "mount"},
}

// Check tells whether this machine can run a lab; the error is a *Missing.
func Check() error {
	m := &Missing{Root: os.Geteuid() != 0}
	for _, t := range tools {
		if program(t.program) == "" {
			m.Packages = append(m.Packages, t.pkg)
		}
	}
	if found, _ := filepath.Glob("/usr/lib/*/libnss_wrapper.so"); len(found) == 0 {
		m.Packages = append(m.Packages, "libnss-wrapper")
	}
	if m.Root || len(m.Packages) > 0 {
		return m
	}
	return nil
}

// program finds a program in PATH or where Debian keeps daemons, which a user's PATH lacks.
func program(name string) string {
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
		if st, err := os.Stat(dir + name); err == nil && st.Mode()&0o111 != 0 {
			return dir + name
		}
	}
	return ""
}

// freeSubnet picks "127.x.y." at random, so that labs of processes running at the same time
// do not meet: 127/8 has 65,000 of them. A subnet in which port 445 of the first address is
// taken belongs to somebody.
func freeSubnet() (string, error) {
	var last error
	for range 100 {
		subnet := fmt.Sprintf("127.%d.%d.", 64+rand.IntN(128), rand.IntN(256))
		ln, err := net.Listen("tcp4", subnet+"1:445")
		if err == nil {
			return subnet, ln.Close()
		}
		last = err
	}
	return "", fmt.Errorf("no free loopback address: %w", last)
}

// freePort asks the kernel for a port of ip that nobody listens on.
func freePort(ip string) (int, error) {
	ln, err := net.Listen("tcp4", net.JoinHostPort(ip, "0"))
	if err != nil {
		return 0, err
	}
	port := ln.Addr().(*net.TCPAddr).Port
	return port, ln.Close()
}

// freePortIn is freePort in a namespace.
func freePortIn(n *Network, ip string) (port int, err error) {
	err = n.Run(func() error {
		port, err = freePort(ip)
		return err
	})
	return port, err
}
