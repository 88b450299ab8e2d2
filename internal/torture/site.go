package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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

// smbPort is where sites listen: some tests connect further channels to 445 whatever they are told.
const smbPort = 445

// Users are those that smbtorture logs in as: the tests' own names.
func Users() []lab.User {
	return []lab.User{
		{Name: "user1", UID: 20001, GID: 20001, Password: "secret1"},
		{Name: "user2", UID: 20002, GID: 20002, Password: "secret2"},
		{Name: anonymousUser, UID: 20003, GID: 20003},
	}
}

// anonymousUser is as whom smbproxy lets anonymous clients act.
const anonymousUser = "visitor"

// NewSite starts a server in the lab: a stock smbd that is logged in to directly, or smbproxy
// with one smbd behind it.
func NewSite(ctx context.Context, l *lab.Lab, name string, direct bool) (*Site, error) {
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
	c, err := l.Cluster(ctx, proxyOptions(s))
	if err != nil {
		return nil, err
	}
	s.Addr = c.Proxy.Addr()
	return s, nil
}

// proxyOptions hands the tests' options through smbproxy.conf to the backend. Signing and
// anonymous users are as at the baseline's smbd, where smbtorture may leave the one out and
// be the other.
func proxyOptions(s *Site) lab.ClusterOptions {
	opt := lab.ClusterOptions{Name: s.name, Port: smbPort, LogLevel: "info", GlobalLines: []string{"server signing = auto", "restrict anonymous = 0", "guest account = " + anonymousUser, "server multi channel support = yes"}}
	for _, o := range serverOptions {
		opt.BackendLines = append(opt.BackendLines, "smbd:"+o)
	}
	for _, sh := range shares {
		share := lab.Share{Name: sh.name, Path: filepath.Join(s.Root, sh.dir), Lines: []string{"other writers = " + map[bool]string{true: "yes", false: "no"}[sh.shared]}}
		if sh.encrypt {
			share.Lines = append(share.Lines, "server smb encrypt = required")
		}
		for _, o := range sh.options {
			if o == posixLocking {
				continue // smbproxy's backends never have it
			}
			share.Lines = append(share.Lines, "smbd:"+o)
		}
		opt.Shares = append(opt.Shares, share)
	}
	return opt
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
