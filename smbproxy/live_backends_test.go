package main

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hirochachacha/go-smb2"

	"smbproxy/internal/lab"
)

// mountShare logs a user on and connects to a share; end undoes both.
func mountShare(t *testing.T, c *lab.Cluster, share string) (m *smb2.Share, end func()) {
	t.Helper()
	user := c.Lab.Users()[0]
	nc, err := net.Dial("tcp", c.Proxy.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	d := &smb2.Dialer{Negotiator: smb2.Negotiator{RequireMessageSigning: true}, Initiator: &smb2.NTLMInitiator{User: user.Name, Password: user.Password}}
	session, err := d.Dial(nc)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = session.Mount(share); err != nil {
		t.Fatalf("mount %s: %v", share, err)
	}
	return m, func() {
		_ = m.Umount()
		_ = session.Logoff()
	}
}

// backendRowOf is what `smbproxy backends` says of one.
func backendRowOf(t *testing.T, c *lab.Cluster, name string) backendRow {
	t.Helper()
	for _, r := range ask[[]backendRow](t, c, "backends") {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no backend %s", name)
	return backendRow{}
}

// Backends are drained, disabled and enabled by command.
func TestDutyOfBackends(t *testing.T) {
	c := lab.New(t, lab.Options{}).MustCluster(lab.ClusterOptions{Backends: 2, GlobalLines: []string{"server smb encrypt = required"}, Shares: []lab.Share{{Name: "share"}, {Name: "other", Backend: 1}}})
	run := func(args ...string) error {
		out, err := c.Proxy.Run(t.Context(), args...)
		t.Logf("%v: %s %v", args, strings.TrimSpace(out), err)
		return err
	}
	one, end := mountShare(t, c, "share")
	two, endTwo := mountShare(t, c, "other")
	defer endTwo()
	file, err := one.Create("a file")
	if err != nil {
		t.Fatal(err)
	}
	if r := backendRowOf(t, c, "b0"); r.State != "up" || r.Duty != "enabled" || r.Opens != 1 || r.Clients != 1 || strings.Join(r.Shares, " ") != "share" ||
		len(r.Lanes) != 1 || r.Lanes[0].Class != "names" || r.Lanes[0].Users != 1 {
		t.Errorf("b0: %+v", r)
	}
	if err := run("backends"); err != nil {
		t.Error(err)
	}
	if err := run("drain", "b0", "--timeout", "500ms"); err == nil || !strings.Contains(err.Error(), "1 opens") {
		t.Errorf("drain with an open file that has nowhere to go: %v", err)
	}
	if r := backendRowOf(t, c, "b0"); r.State != "draining" {
		t.Errorf("b0: %+v", r)
	}
	if _, err := file.Write([]byte("still there")); err != nil {
		t.Errorf("write while draining: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	end()
	if err := run("drain", "b0"); err != nil {
		t.Error(err)
	}
	if r := backendRowOf(t, c, "b0"); r.State != "disabled" || r.Duty != "disabled" {
		t.Errorf("b0: %+v", r)
	}
	if err := two.WriteFile("x", []byte("x"), 0o644); err != nil {
		t.Errorf("the other backend: %v", err)
	}
	if err := run("enable", "b0"); err != nil {
		t.Error(err)
	}
	one, end = mountShare(t, c, "share")
	if got, err := one.ReadFile("a file"); err != nil || string(got) != "still there" {
		t.Errorf("%q, %v", got, err)
	}
	end()
	if err := run("disable", "b1"); err != nil {
		t.Error(err)
	}
	if r := backendRowOf(t, c, "b1"); r.Duty != "disabled" {
		t.Errorf("b1: %+v", r)
	}
	if err := run("drain", "nobody"); err == nil {
		t.Error("drained a backend that does not exist")
	}
	if err := run("enable", "B1"); err != nil {
		t.Errorf("names compare as section names do: %v", err)
	}
}

// Backends come and go by reload, and whoever uses another one does not notice.
// It encrypts: go-smb2 takes unsigned interim replies for forgeries.
func TestReloadOfBackends(t *testing.T) {
	c := lab.New(t, lab.Options{}).MustCluster(lab.ClusterOptions{Backends: 2, GlobalLines: []string{"server smb encrypt = required"}, Shares: []lab.Share{{Name: "share"}, {Name: "other", Backend: 1}}})
	m, end := mountShare(t, c, "share")
	defer end()
	file, err := m.Create("busy")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	written := make(chan error, 1)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			_, err = file.WriteAt(make([]byte, 65536), 0)
		}
		written <- err
	}()
	full, err := os.ReadFile(c.Proxy.ConfFile())
	if err != nil {
		t.Fatal(err)
	}
	var without []string
	for section := range strings.SplitSeq(string(full), "\n[") {
		if !strings.HasPrefix(section, "backend:b1]") && !strings.HasPrefix(section, "other]") {
			without = append(without, section)
		}
	}
	for round := range 3 {
		for _, step := range []struct {
			text string
			want int
		}{{strings.Join(without, "\n["), 1}, {string(full), 2}} {
			if err := os.WriteFile(c.Proxy.ConfFile(), []byte(step.text), 0o644); err != nil {
				t.Fatal(err)
			}
			if out, err := c.Proxy.Run(t.Context(), "reload"); err != nil {
				t.Fatalf("round %d: reload: %v\n%s", round, err, out)
			}
			if rows := ask[[]backendRow](t, c, "backends"); len(rows) != step.want {
				t.Errorf("round %d: %d backends, want %d", round, len(rows), step.want)
			}
		}
		other, end := mountShare(t, c, "other")
		if err := other.WriteFile("x", []byte("x"), 0o644); err != nil {
			t.Errorf("round %d: on the backend that is back: %v", round, err)
		}
		end()
	}
	stop()
	select {
	case err := <-written:
		if err != nil {
			t.Errorf("a client of the other backend: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("a client of the other backend hangs")
	}
	if r := backendRowOf(t, c, "b0"); r.Lanes[0].Lost != 0 {
		t.Errorf("its lane was lost: %+v", r)
	}
}
