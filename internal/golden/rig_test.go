package golden

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/lab"
)

// kerberosHost is the server's name in the lab's realm.
const kerberosHost = "files.example.test"

// clientLimit bounds one client's run.
const clientLimit = 20 * time.Second

// rig is a lab in which captures are made.
type rig struct {
	t       *testing.T
	lab     *lab.Lab
	kdc     *lab.KDC
	servers map[string]*lab.Samba
	dir     string // where clients run; holds the file "up"
}

// newRig makes a lab; its servers start when they are first needed.
func newRig(t *testing.T) *rig {
	r := &rig{t: t, lab: lab.New(t, lab.Options{}), servers: map[string]*lab.Samba{}, dir: t.TempDir()}
	text := strings.Repeat("All work and no play makes Jack a dull boy.\n", 10)
	if err := os.WriteFile(filepath.Join(r.dir, "up"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// noteKeys makes smbd log the keys of each session, at log level 0.
const noteKeys = "[global]\n\tdebug encryption = yes\n\tkernel change notify = no\n"

// stock is an smbd that owns the state of open files, with what smbproxy's backends leave out.
const stock = "[global]\n\toplocks = yes\n\tlevel2 oplocks = yes\n\tsmb2 leases = yes\n\tdurable handles = yes\n\tstrict locking = auto\n" +
	"[share]\n\toplocks = yes\n\tlevel2 oplocks = yes\n\tdurable handles = yes\n"

// server is the smbd of a kind.
func (r *rig) server(kind string) *lab.Samba {
	if s := r.servers[kind]; s != nil {
		return s
	}
	opt := lab.SambaOptions{Name: kind, Passwords: true}
	direct := r.lab.DirectConf("share")
	opt.Conf = func(d lab.Dirs) string { return direct(d) + noteKeys }
	switch kind {
	case "stock":
		opt.Conf = func(d lab.Dirs) string { return direct(d) + noteKeys + stock }
	case "kerberos":
		r.startKDC()
		opt.Passwords = false
		opt.Conf = func(d lab.Dirs) string {
			return direct(d) + noteKeys + "\trealm = " + r.kdc.Realm + "\n\tkerberos method = dedicated keytab\n\tdedicated keytab file = FILE:" + r.kdc.Keytab() + "\n"
		}
	}
	s := r.lab.MustSamba(opt)
	r.servers[kind] = s
	return s
}

// startKDC makes the realm. Its tickets for the server carry no PAC: that of a bare MIT KDC names no SIDs, and smbd
// refuses it.
func (r *rig) startKDC() {
	u := r.lab.User("user1")
	service := "cifs/" + kerberosHost
	r.kdc = lab.NewKDC(r.t, lab.KDCOptions{Users: map[string]string{u.Name: u.Password}, Services: []string{service}})
	r.kdc.Admin("modprinc +no_auth_data_required " + service)
	r.kdc.Kinit(u.Name, u.Password)
}

// capture runs a job and gives the capture and the session keys, by SessionId, as lines of text.
func (r *rig) capture(t *testing.T, j job) (file, keys []byte) {
	t.Helper()
	kind := j.server
	if kind == "" {
		kind = "direct"
	}
	s := r.server(kind)
	u := r.lab.User("user1")
	r.freshShare(t, u)
	mark := size(t, s.LogFile())
	rec, err := NewRecorder(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.run(j, rec.Addr())
	file, recorderErr := rec.Close()
	if recorderErr != nil {
		t.Fatal(recorderErr)
	}
	if (err != nil) != j.fails {
		t.Fatalf("%s: %v\n%s", j.shown(), err, out)
	}
	log, err := os.ReadFile(s.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	if j.kerberos {
		u.Password = ""
	}
	keys, err = sessionKeys(file, string(log[mark:]), u.Password)
	if err != nil {
		t.Fatal(err)
	}
	return file, keys
}

// freshShare empties the share, its ACL included, but for a file of the user's that is there already.
func (r *rig) freshShare(t *testing.T, u lab.User) {
	t.Helper()
	dir := filepath.Join(r.lab.Tree.Dir, "share")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := r.lab.Tree.Share("share"); err != nil {
		t.Fatal(err)
	}
	given := filepath.Join(dir, "given")
	if err := os.WriteFile(given, []byte("given\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(given, int(u.UID), int(u.GID)); err != nil {
		t.Fatal(err)
	}
}

// size of a file.
func size(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// run runs the client of a job.
func (r *rig) run(j job, addr string) (string, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	u := r.lab.User("user1")
	program, unc := j.client, "//"+host+"/share"
	args := []string{"--configfile=/dev/null", "--option=client min protocol=" + j.dialect, "--option=client max protocol=" + j.dialect}
	env := os.Environ()
	if j.kerberos {
		unc = "//" + kerberosHost + "/share"
		args = append(args, "--use-kerberos=required", "--use-krb5-ccache=FILE:"+r.kdc.Cache(), "--option=realm="+r.kdc.Realm, "--ip-address="+host)
		env = append(env, r.kdc.Env()...)
	} else {
		args = append(args, "--user="+u.Name+"%"+u.Password)
	}
	switch program {
	case "":
		program = "smbclient"
		if !strings.HasPrefix(j.args[0], "--list") {
			args = append(args, unc)
		}
	case "rpcclient":
		args = append(args, host)
	case "smbtorture":
		args = append(args, "--target=samba3", "--fullname", "--option=torture:progress=no", unc)
	default:
		args = append(args, unc)
	}
	for _, a := range j.args {
		args = append(args, strings.NewReplacer("{host}", host, "{user}", u.Name).Replace(a))
	}
	ctx, cancel := context.WithTimeout(context.Background(), clientLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = r.dir, env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	return fmt.Sprintf("%q\n%s", cmd.Args, out.String()), err
}
