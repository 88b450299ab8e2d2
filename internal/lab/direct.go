package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// DirectConf is the smb.conf of a backend without a proxy in front: the same meaning that
// "smbproxy backend config" gives it (DESIGN: oplocks and leases off, locks in smbd only),
// but with passwords instead of tickets. shares name directories of the tree; they are made.
func (l *Lab) DirectConf(shares ...string) func(d Dirs) string {
	return func(d Dirs) string {
		var b strings.Builder
		b.WriteString(directGlobal)
		for _, name := range shares {
			dir, err := l.Tree.Share(name)
			l.must(err)
			fmt.Fprintf(&b, "[%s]\n\tpath = %s\n\tread only = no\n", name, dir)
		}
		return b.String()
	}
}

// directGlobal is what decides how files behave; authentication stands apart, in overlay.
const directGlobal = `[global]
	netbios name = SMBPROXY
	workgroup = WORKGROUP
	server role = standalone server
	server min protocol = SMB2_02
	map to guest = never
	invalid users = root
	load printers = no
	printing = bsd
	printcap name = /dev/null
	disable spoolss = yes
	registry shares = no
	clustering = no
	oplocks = no
	level2 oplocks = no
	smb2 leases = no
	durable handles = no
	kernel oplocks = no
	kernel share modes = no
	posix locking = no
	strict locking = no
	strict sync = yes
	store dos attributes = yes
	map archive = no
	map hidden = no
	map system = no
	map readonly = no
	ea support = yes
	wide links = no
	vfs objects = acl_xattr streams_xattr
`

// runWithUsers runs a program that must see the lab's users.
func (l *Lab) runWithUsers(ctx context.Context, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), l.Env()...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", argv[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}
