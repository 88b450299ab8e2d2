package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"smbproxy/internal/lab"
)

// Site is one server with all shares on directories of its own. Suites on one site run one
// after another, since they leave files that others trip over.
type Site struct {
	Addr string
	Root string // the shares' directories lie below
	tree lab.Tree
	name string
}

// Backends says how many serve names and how many serve data.
type Backends struct{ MDS, OST int }

// ParseBackends reads "2,4"; empty is the zero value.
func ParseBackends(s string) (b Backends, err error) {
	if s == "" {
		return b, nil
	}
	if _, err := fmt.Sscanf(s, "%d,%d", &b.MDS, &b.OST); err != nil || b.MDS < 1 || b.OST < 0 {
		return b, fmt.Errorf("%q is not how many backends serve names and how many data, as in 2,4", s)
	}
	return b, nil
}

// smbPort is where sites listen: some tests connect further channels to 445 whatever they are told.
const smbPort = 445

// Users are those that smbtorture logs in as: the tests' own names.
func Users() []lab.User {
	return []lab.User{
		{Name: "user1", UID: 20001, GID: 20001, Password: "secret1"},
		{Name: "user2", UID: 20002, GID: 20002, Password: "secret2"},
		{Name: anonymousUser, UID: 20003, GID: 20003},
		{Name: dataUser, UID: 20004, GID: 20004},
	}
}

// anonymousUser is as whom smbproxy lets anonymous clients act.
const anonymousUser = "visitor"

// dataUser is who may open any file where only data are served.
const dataUser = "datauser"

// NewSite starts a server in the lab: a stock smbd that is logged in to directly, or smbproxy
// with backends behind it.
func NewSite(ctx context.Context, l *lab.Lab, name string, direct bool, backends Backends) (*Site, error) {
	s := &Site{Root: filepath.Join(l.Tree.Dir, name), tree: l.Tree, name: name}
	if _, err := l.Tree.Share(name); err != nil {
		return nil, err
	}
	if err := os.Chmod(s.Root, 0o755); err != nil {
		return nil, err
	}
	for _, sh := range shares {
		dir, err := l.Tree.Share(filepath.Join(name, sh.dir))
		if err != nil {
			return nil, err
		}
		if sh.name == "noperm" {
			if err := os.Chmod(dir, 0); err != nil {
				return nil, err
			}
		}
	}
	if direct {
		if _, err := l.Tree.Share(filepath.Join(name, "dynamic")); err != nil {
			return nil, err
		}
		smbd, err := l.Samba(ctx, lab.SambaOptions{Name: name, Port: smbPort, Passwords: true, Conf: func(lab.Dirs) string { return directConf(s.Root) }})
		if err != nil {
			return nil, err
		}
		s.Addr = smbd.Addr()
		return s, nil
	}
	c, err := l.Cluster(ctx, proxyOptions(s, backends))
	if err != nil {
		return nil, err
	}
	s.Addr = c.Proxy.Addr()
	return s, nil
}

// proxyOptions hands the tests' options through smbproxy.conf to the backend. Signing and
// anonymous users are as at the baseline's smbd, where smbtorture may leave the one out and
// be the other.
func proxyOptions(s *Site, backends Backends) lab.ClusterOptions {
	opt := lab.ClusterOptions{Name: s.name, Port: smbPort, LogLevel: "info", GlobalLines: []string{"server signing = auto", "restrict anonymous = 0", "guest account = " + anonymousUser, "server multi channel support = yes", "smbtorture fsctls = yes"}}
	for _, o := range serverOptions {
		opt.BackendLines = append(opt.BackendLines, "smbd:"+o)
	}
	for _, sh := range shares {
		share := lab.Share{Name: sh.name, Path: filepath.Join(s.Root, sh.dir), Lines: []string{"other writers = " + map[bool]string{true: "yes", false: "no"}[sh.shared]}}
		if sh.keeps {
			share.Lines = append(share.Lines, "continuous availability = yes")
		}
		if sh.encrypt {
			share.Lines = append(share.Lines, "server smb encrypt = required")
		}
		for _, o := range sh.options {
			switch o {
			case posixLocking: // smbproxy's backends never have it
				continue
			case noNotify:
				share.Lines = append(share.Lines, o)
				continue
			}
			share.Lines = append(share.Lines, "smbd:"+o)
		}
		backends.serve(&share)
		opt.Shares = append(opt.Shares, share)
	}
	opt.Backends = backends.MDS + backends.OST
	opt.BackendLinesOf = func(i int) []string {
		if i < backends.MDS {
			return nil
		}
		return []string{"data user = " + dataUser}
	}
	return opt
}

// stripeSize is small, so that the tests' files lie at several backends.
const stripeSize = 4096

// serve has the backends serve a share: the first ones names, the others data.
func (b Backends) serve(s *lab.Share) {
	var data []string
	for i := range b.MDS {
		s.Backends = append(s.Backends, i)
	}
	for i := range b.OST {
		data = append(data, lab.BackendName(b.MDS+i))
	}
	if len(data) > 0 {
		s.Lines = append(s.Lines, "ost backends = "+strings.Join(data, " "), fmt.Sprintf("stripe size = %d", stripeSize))
	}
}

// clean empties a share's directory: left-overs of one suite are name collisions in the next.
func (s *Site) clean(share string) error {
	if err := s.tree.Empty(filepath.Join(s.name, shareDir(share))); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("clean %s: %w", share, err)
	}
	return nil
}

// localDir is where a share's files lie, for tests that look at the disk.
func (s *Site) localDir(share string) string { return filepath.Join(s.Root, shareDir(share)) }
