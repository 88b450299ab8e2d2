package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WinbindDomain is the domain of a [Winbind]'s users: on a standalone server its own name.
const WinbindDomain = "CORP"

// Winbind is a winbindd that knows the lab's users by their passwords, in the domain [WinbindDomain]: on a standalone
// server it asks the server's own passdb, as it would ask a domain controller on a member. There is no smbd.
type Winbind struct {
	files *Samba // only its files
	proc  *process
}

// Winbind starts winbindd and returns when it answers. smbproxy's user may ask it what only members of
// winbindd_priv may.
func (l *Lab) Winbind(ctx context.Context, name string) (*Winbind, error) {
	files, err := l.Samba(ctx, SambaOptions{Name: name, Passwords: true, NoStart: true, Conf: func(Dirs) string {
		return "[global]\n\tnetbios name = " + WinbindDomain + "\n\tworkgroup = WORKGROUP\n\tserver role = standalone server\n"
	}})
	if err != nil {
		return nil, err
	}
	w := &Winbind{files: files}
	private := files.Dirs.sub("state/winbindd_privileged")
	if err := errors.Join(os.MkdirAll(private, 0o750), os.Chown(private, 0, proxyUID), os.Chmod(private, 0o750)); err != nil {
		return nil, err
	}
	argv := []string{program("winbindd"), "--foreground", "--no-process-group", "--configfile=" + files.Dirs.Conf()}
	if w.proc, err = startProcess(l.guard, "winbindd-"+name, l.Env(), argv, files.Dirs.sub("log/out"), 0); err != nil {
		return nil, err
	}
	l.add(w)
	// ntlm_auth reads no more of smb.conf than smbproxy's user may.
	conf := "[global]\n\tnetbios name = " + WinbindDomain + "\n\tworkgroup = WORKGROUP\n"
	if err := os.WriteFile(w.clientConf(), []byte(conf), 0o644); err != nil {
		return nil, err
	}
	return w, until(ctx, startLimit, func() error {
		if !w.proc.alive() {
			return stopWaiting{fmt.Errorf("winbindd ended: %w", w.proc.ended())}
		}
		_, err := os.Stat(filepath.Join(private, "pipe"))
		return err
	})
}

// Helper is the command for smbproxy's "ntlm auth helper". libwbclient does not look into smb.conf for
// winbindd's socket; the variable is Samba's own for tests, heeded beside nss_wrapper's.
func (w *Winbind) Helper() string {
	return program("env") + " SELFTEST_WINBINDD_SOCKET_DIR=" + w.files.Dirs.sub("winbindd") + " " + program("ntlm_auth") + " --helper-protocol=ntlm-server-1 --configfile=" + w.clientConf()
}

func (w *Winbind) clientConf() string { return w.files.Dirs.sub("client.conf") }

// Stop ends winbindd.
func (w *Winbind) Stop() error { return w.proc.stop() }

func (w *Winbind) tail() string {
	return tailOf("winbindd", w.files.Dirs.sub("log/log.smbd"), 60) + tailOf("winbindd", w.files.Dirs.sub("log/out"), 60)
}
