package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// MachineSID is the SID of every smbd of a lab. acl_xattr stores SIDs: with one SID per
// machine a user is refused his own file through another smbd.
const MachineSID = "S-1-5-21-1000000001-1000000002-1000000003"

// SambaOptions says how one smbd is started.
type SambaOptions struct {
	Name string // of the instance, unique in the lab
	IP   string // "": [Lab.IP]
	Port int    // 0: a free one

	// Conf gives the smb.conf: shares and everything that matters. What binds it to the lab
	// (address, directories, log) is put behind it and wins.
	Conf func(d Dirs) string

	// Passwords adds the lab's users with their passwords to a tdbsam, for clients that log
	// in directly (the oracle, the baseline). Without it nobody can, but by a ticket.
	Passwords bool

	LogLevel int      // smbd's; 0: 1
	Frail    bool     // may die of a request (the oracle, of what smbproxy keeps from backends)
	NoStart  bool     // only write the files
	Net      *Network // where it runs, at Net.IP; nil: here
}

// Dirs are the directories of one smbd, and what it may export.
type Dirs struct {
	Base string // holds the others and smb.conf
	Tree string // the lab's shared tree
	Name string // of the instance
}

func (d Dirs) sub(name string) string { return filepath.Join(d.Base, name) }

// Conf is the path of the instance's smb.conf.
func (d Dirs) Conf() string { return d.sub("smb.conf") }

// Samba is one smbd. It can be started again after Stop or Kill, on the same address.
type Samba struct {
	server
	Dirs Dirs

	opt SambaOptions
}

// Samba writes the configuration of an smbd and starts it; it returns when it listens.
func (l *Lab) Samba(ctx context.Context, opt SambaOptions) (*Samba, error) {
	if opt.IP == "" {
		opt.IP = l.IP()
	}
	if opt.Net != nil {
		opt.IP = opt.Net.IP
	}
	if opt.Port == 0 {
		var err error
		if opt.Port, err = freePortIn(opt.Net, opt.IP); err != nil {
			return nil, err
		}
	}
	// An smbd that dies of a request takes the opens of every user on its lane with it.
	s := &Samba{opt: opt, server: server{
		Name: opt.Name, lab: l, kind: "smbd", addr: net.JoinHostPort(opt.IP, strconv.Itoa(opt.Port)), fatal: []string{"PANIC (pid", "INTERNAL ERROR:"},
	}}
	if opt.Frail {
		s.fatal = nil
	}
	s.log, s.tailed = s.Log, s.logEnd
	s.Dirs = Dirs{Base: filepath.Join(l.Dir, "smbd-"+opt.Name), Tree: l.Tree.Dir, Name: opt.Name}
	if err := s.writeConf(); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("smbd %s: %w", opt.Name, err)
	}
	l.add(s)
	if opt.NoStart {
		return s, nil
	}
	return s, s.Start(ctx)
}

// MustSamba is Samba for tests.
func (l *Lab) MustSamba(opt SambaOptions) *Samba {
	if l.tb != nil {
		l.tb.Helper()
	}
	s, err := l.Samba(context.Background(), opt)
	l.must(err)
	return s
}

// writeConf writes smb.conf: the caller's text, then the lab's own [global] lines.
func (s *Samba) writeConf() error {
	// Users must reach lock/msg.lock: smbd looks there, as the user, whether the holder of a
	// share mode still lives, and forgets share modes of other processes where it cannot.
	if err := os.MkdirAll(s.Dirs.Base, 0o755); err != nil {
		return err
	}
	for _, dir := range []string{"private", "lock", "state", "cache", "pid", "log", "ncalrpc", "winbindd", "usershare"} {
		mode := os.FileMode(0o755)
		if dir == "private" {
			mode = 0o700
		}
		if err := os.MkdirAll(s.Dirs.sub(dir), mode); err != nil {
			return err
		}
	}
	text := ""
	if s.opt.Conf != nil {
		text = s.opt.Conf(s.Dirs)
	}
	return os.WriteFile(s.Dirs.Conf(), []byte(text+"\n"+s.overlay()), 0o600)
}

// overlay is a second [global]: smbd merges sections of one name, and the later line wins.
func (s *Samba) overlay() string {
	level := s.opt.LogLevel
	if level == 0 {
		level = 1
	}
	mask := 8 // smbd knows the netmask of the addresses that an interface has, not of all of 127/8
	if s.opt.Net != nil {
		mask = 30
	}
	conf := fmt.Sprintf("[global]\n"+
		"\tinterfaces = %s/%d\n\tbind interfaces only = yes\n\tsmb ports = %d\n\tdisable netbios = yes\n",
		s.opt.IP, mask, s.opt.Port)
	for parameter, dir := range map[string]string{
		"private dir": "private", "lock directory": "lock", "state directory": "state",
		"cache directory": "cache", "pid directory": "pid", "ncalrpc dir": "ncalrpc",
		"winbindd socket directory": "winbindd", "usershare path": "usershare",
	} {
		conf += fmt.Sprintf("\t%s = %s\n", parameter, s.Dirs.sub(dir))
	}
	conf += fmt.Sprintf("\tlogging = file\n\tlog file = %s\n\tlog level = %d\n\tmax log size = 0\n\tdebug pid = yes\n", s.LogFile(), level)
	if s.opt.Passwords {
		conf += fmt.Sprintf("\tpassdb backend = tdbsam:%s\n", s.Dirs.sub("private/passdb.tdb")) + passwordsOverlay
	}
	return conf
}

// passwordsOverlay lets clients log in as they would at a Samba that nobody put a proxy
// before, where the rest of the text may be a backend's.
const passwordsOverlay = `	kerberos method = default
	ntlm auth = ntlmv2-only
	server min protocol = SMB2_02
	server signing = default
	hosts allow = 127.
`

// prepare sets the machine SID and fills the passdb, both before the first start.
func (s *Samba) prepare(ctx context.Context) error {
	if _, err := os.Stat(s.Dirs.sub("private/secrets.tdb")); err == nil {
		return nil
	}
	conf := "--configfile=" + s.Dirs.Conf()
	if err := s.lab.runWithUsers(ctx, program("net"), conf, "setlocalsid", MachineSID); err != nil {
		return err
	}
	if !s.opt.Passwords {
		return nil
	}
	return s.lab.runWithUsers(ctx, program("pdbedit"), conf,
		"--import=smbpasswd:"+s.lab.PassdbFile(), "--export=tdbsam:"+s.Dirs.sub("private/passdb.tdb"))
}

// Start starts a stopped smbd again and returns when it listens.
func (s *Samba) Start(ctx context.Context) error {
	argv := []string{program("smbd"), "--foreground", "--no-process-group", "--configfile=" + s.Dirs.Conf()}
	err := s.start(ctx, func() (p *process, err error) {
		// smbd makes it anew; what is in it is of the last one.
		if err := os.Remove(s.namesDB()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		err = s.opt.Net.Run(func() (err error) {
			p, err = startProcess(s.lab.guard, "smbd-"+s.Name, s.lab.Env(), argv, s.Dirs.sub("log/out"), 0)
			return err
		})
		return p, err
	})
	if err != nil {
		return err
	}
	return s.notifying(ctx)
}

// namesDB is where smbd's own services are registered.
func (s *Samba) namesDB() string { return s.Dirs.sub("lock/names.tdb") }

// notifying waits until smbd's notify daemon is there. Samba: smbd listens before, and a
// TREE_CONNECT in between ends with STATUS_NO_MEMORY (4.17).
func (s *Samba) notifying(ctx context.Context) error {
	return until(ctx, startLimit, func() error {
		if s.Pid() == 0 {
			return stopWaiting{fmt.Errorf("smbd %s was ended as it started", s.Name)}
		}
		names, err := os.ReadFile(s.namesDB())
		if err == nil && !bytes.Contains(names, []byte("notify-daemon")) {
			err = fmt.Errorf("smbd %s has no notify daemon", s.Name)
		}
		return err
	})
}

// SetConf replaces the configuration; smbd reads it at Reload or the next Start.
func (s *Samba) SetConf(conf func(d Dirs) string) error {
	s.opt.Conf = conf
	return s.writeConf()
}

// IP and Port are the two halves of Addr.
func (s *Samba) IP() string { return s.opt.IP }

// Port is the TCP port of Addr.
func (s *Samba) Port() int { return s.opt.Port }

// LogFile is smbd's log.
func (s *Samba) LogFile() string { return s.Dirs.sub("log/log.smbd") }

// Log is the text of smbd's log so far.
func (s *Samba) Log() string {
	data, _ := os.ReadFile(s.LogFile())
	return string(data)
}

// logEnd is the end of smbd's log and of its output.
func (s *Samba) logEnd() string {
	return tailOf("smbd "+s.Name, s.LogFile(), 30) + tailOf("smbd "+s.Name+" output", s.Dirs.sub("log/out"), 10)
}
