package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"syscall"

	"smbproxy/demux/backend"
	"smbproxy/session/auth"
)

// checkFiles looks at what the configuration names on this host. Secrets that others can read
// are faults: policy fails closed.
func (l *loader) checkFiles() {
	g := &l.cfg.Global
	secrets := true
	if g.PassdbFile != "" {
		secrets = l.checkSecret("global", "smb passwd file", g.PassdbFile) && secrets
	}
	if g.KeytabFile != "" {
		secrets = l.checkSecret("global", "dedicated keytab file", g.KeytabFile) && secrets
	}
	if len(g.NTLMHelper) > 0 {
		if st, err := os.Stat(g.NTLMHelper[0]); err != nil {
			l.fault("global", l.at("global", "ntlm auth helper"), "ntlm auth helper", "%v", err)
		} else if st.Mode()&0o111 == 0 || st.IsDir() {
			l.fault("global", l.at("global", "ntlm auth helper"), "ntlm auth helper", "%s is not a program", g.NTLMHelper[0])
		}
	}
	if st, err := os.Stat(g.StateDirectory); err != nil {
		l.fault("global", l.at("global", "state directory"), "state directory", "%v", err)
	} else if !st.IsDir() || st.Mode().Perm()&0o022 != 0 {
		l.fault("global", l.at("global", "state directory"), "state directory", "%s must be a directory that only its owner can write (mode 0700)", g.StateDirectory)
	}
	for _, b := range l.cfg.Backends {
		section := "backend:" + b.Name
		if !l.checkSecret(section, "dedicated keytab file", b.KeytabFile) {
			continue
		}
		if _, err := backend.LoadKeytab(b.KeytabFile, b.ServicePrincipal, b.Realm); err != nil {
			l.fault(section, l.at(section, "dedicated keytab file"), "dedicated keytab file", "%v", err)
		}
	}
	if secrets {
		l.checkAuthentication()
	}
}

// checkAuthentication reads the files as serve would, for what is wrong inside them.
func (l *loader) checkAuthentication() {
	if len(l.faults) > 0 {
		return
	}
	a, err := auth.New(authConfig(l.cfg, slog.New(slog.DiscardHandler)))
	for _, err := range flatten(err) {
		l.fault("global", l.at("global", ""), "", "%v", err)
	}
	if a != nil {
		_ = a.Close() // has no children yet
	}
}

// forbiddenBits are the permissions that a file with secrets must not have: anything for others,
// writing for its group. A group that reads is how systemd and packages hand secrets to a service.
const forbiddenBits fs.FileMode = 0o027

// checkSecret is a fault, and false, unless path is a regular file that we can read and others cannot.
func (l *loader) checkSecret(section, parameter, path string) bool {
	at := l.at(section, parameter)
	bad := func(format string, args ...any) bool {
		l.fault(section, at, parameter, format, args...)
		return false
	}
	name, isBackend := strings.CutPrefix(section, "backend:")
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not hold us up
	if err != nil {
		if isBackend && errors.Is(err, fs.ErrNotExist) {
			return bad("%v: make it with `smbproxy backend keytab %s`", err, name)
		}
		return bad("%v", err)
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return bad("%v", err)
	case !st.Mode().IsRegular():
		return bad("%s is not a regular file", path)
	case st.Mode().Perm()&forbiddenBits != 0:
		return bad("%s has mode %04o: others could read or change it; chmod 0600 %s", path, st.Mode().Perm(), path)
	}
	return true
}
