package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"smbproxy/internal/lab"
)

// demo is the running cluster and how its story is told.
type demo struct {
	lab     *lab.Lab
	cluster *lab.Cluster
}

// shares are one per backend: today a share lives on one Samba server.
var shares = []lab.Share{
	{Name: "projects", Backend: 0},
	{Name: "media", Backend: 1},
	{Name: "archive", Backend: 2},
}

func (d *demo) start(ctx context.Context) error {
	say("Making keys, configuration, three Samba servers and smbproxy.")
	var err error
	d.cluster, err = d.lab.Cluster(ctx, lab.ClusterOptions{Backends: len(shares), Shares: shares, Port: 4450})
	if err != nil {
		return err
	}
	for i, b := range d.cluster.Backends {
		fmt.Printf("  smbd %d    %-22s pid %-7d share %s\n", i, b.Addr(), b.Pid(), shares[i].Name)
	}
	fmt.Printf("  smbproxy  %-22s pid %-7d all three, under one name\n", d.cluster.Proxy.Addr(), d.cluster.Proxy.Pid())
	fmt.Printf("\nEach smb.conf was printed by `smbproxy backend config NAME`, each key made by\n" +
		"`smbproxy backend keytab NAME`. The Samba servers know no passwords: they take the\n" +
		"tickets that smbproxy makes for whoever logged on to it.\n")
	return nil
}

// show copies a file in and out per user and protection, and looks at the backend.
func (d *demo) show(ctx context.Context) error {
	for _, protection := range []string{"sign", "encrypt"} {
		for i, name := range []string{"anna", "bert"} {
			if err := d.roundTrip(name, shares[i].Name, protection); err != nil {
				return err
			}
		}
	}
	if err := d.refusal(); err != nil {
		return err
	}
	say("What smbproxy says of itself: smbproxy status")
	out, err := d.cluster.Proxy.Run(ctx, "status")
	fmt.Print(indent(out))
	return err
}

// roundTrip puts 4 MiB as one user, gets it back, and compares the bytes and the owner.
func (d *demo) roundTrip(name, share, protection string) error {
	user := d.lab.User(name)
	say(fmt.Sprintf("%s copies a file in and out of %s (%s)", name, share, map[string]string{"sign": "signed", "encrypt": "encrypted"}[protection]))
	in := filepath.Join(d.lab.Dir, name+"-"+protection+".in")
	back := filepath.Join(d.lab.Dir, name+"-"+protection+".back")
	data := make([]byte, 4<<20)
	_, _ = rand.Read(data)
	if err := os.WriteFile(in, data, 0o600); err != nil {
		return err
	}
	remote := name + "-" + protection + ".bin"
	r := d.lab.Smbclient(d.cluster.Proxy.Addr(), share, lab.As(user), lab.Protection(protection),
		lab.Command(fmt.Sprintf("put %s %s; get %s %s; ls %s", in, remote, remote, back, remote)))
	fmt.Printf("  $ smbclient %s\n%s", shellWords(r.Args), indent(r.Output))
	if r.Err != nil {
		return fmt.Errorf("smbclient: %w", r.Err)
	}
	got, err := os.ReadFile(back)
	if err != nil {
		return err
	}
	stored := filepath.Join(d.cluster.ShareDir(share), remote)
	onDisk, err := os.ReadFile(stored)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		what string
		data []byte
	}{{"sent", data}, {"at the backend", onDisk}, {"read back", got}} {
		fmt.Printf("  sha256 %x...  %s\n", sha256.Sum256(f.data), f.what)
		if !bytes.Equal(f.data, data) {
			return fmt.Errorf("%s: the bytes %s differ from those sent", remote, f.what)
		}
	}
	st, err := os.Stat(stored)
	if err != nil {
		return err
	}
	owner := st.Sys().(*syscall.Stat_t)
	fmt.Printf("  owner %d:%d at the backend; %s is %d:%d\n", owner.Uid, owner.Gid, name, user.UID, user.GID)
	if owner.Uid != user.UID || owner.Gid != user.GID {
		return fmt.Errorf("%s is owned by %d:%d", stored, owner.Uid, owner.Gid)
	}
	return nil
}

// refusal shows that the file system's own permissions hold: bert may not read anna's file.
func (d *demo) refusal() error {
	say("bert tries to read a file that only anna may read (mode 0600 on the disk)")
	file := filepath.Join(d.cluster.ShareDir("projects"), "anna-sign.bin")
	if err := os.Chmod(file, 0o600); err != nil {
		return err
	}
	r := d.lab.Smbclient(d.cluster.Proxy.Addr(), "projects", lab.As(d.lab.User("bert")),
		lab.Command("get anna-sign.bin "+os.DevNull))
	fmt.Print(indent(r.Output))
	if r.Status() != "NT_STATUS_ACCESS_DENIED" {
		return fmt.Errorf("got %q, want NT_STATUS_ACCESS_DENIED", r.Status())
	}
	wrong := d.lab.User("bert")
	wrong.Password = "guess"
	say("somebody tries a wrong password")
	r = d.lab.Smbclient(d.cluster.Proxy.Addr(), "projects", lab.As(wrong), lab.Command("ls"))
	fmt.Print(indent(r.Output))
	if r.Err == nil || r.Status() != "NT_STATUS_LOGON_FAILURE" {
		return errors.New("a wrong password was not refused with NT_STATUS_LOGON_FAILURE")
	}
	return nil
}

// invite tells the reader how to go on alone.
func (d *demo) invite() {
	host, port, _ := strings.Cut(d.cluster.Proxy.Addr(), ":")
	say("It is yours until you press ^C. In another terminal:")
	fmt.Printf("  smbclient //%s/projects -p %s -U anna%%anna-secret\n", host, port)
	fmt.Printf("  smbclient -L %s -p %s -U bert%%bert-secret\n\n", host, port)
	fmt.Printf("  smbproxy's configuration and log: %s\n  the files:                        %s\n", d.cluster.Proxy.Dir, d.lab.Tree.Dir)
}

func say(what string) { fmt.Printf("\n== %s\n", what) }

func indent(text string) string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n"
}

// shellWords is a command line that a reader can paste.
func shellWords(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a
		if strings.ContainsAny(a, " ;%\\") {
			out[i] = "'" + a + "'"
		}
	}
	return strings.Join(out, " ")
}
