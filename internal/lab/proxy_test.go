package lab_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"smbproxy/internal/lab"
)

// TestProxyFromItsOwnCommands starts a cluster and uses each way to end and restart smbproxy.
func TestProxyFromItsOwnCommands(t *testing.T) {
	l := lab.New(t, lab.Options{})
	c := l.MustCluster(lab.ClusterOptions{Backends: 2, Shares: []lab.Share{{Name: "one"}, {Name: "two", Backend: 1}}})
	user := lab.As(l.User("user1"))
	for _, share := range []string{"one", "two"} {
		if r := l.Smbclient(c.Proxy.Addr(), share, user, lab.Command("mkdir made")); r.Err != nil || r.Status() != "" {
			t.Error(r)
		}
		if _, err := os.Stat(c.ShareDir(share) + "/made"); err != nil {
			t.Error(err)
		}
	}
	if out, err := c.Proxy.Run(t.Context(), "status"); err != nil || !strings.Contains(out, c.Proxy.Addr()) {
		t.Errorf("status: %v\n%s", err, out)
	}
	if err := c.Proxy.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := c.Proxy.Done()
	if err := c.Proxy.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("smbproxy without clients does not end on SIGTERM")
	}
}

// TestProxyFaultsAreSeen: what the race detector prints fails the test that had it.
func TestProxyFaultsAreSeen(t *testing.T) {
	l := lab.New(t, lab.Options{PlainTree: true})
	c := l.MustCluster(lab.ClusterOptions{})
	f, err := os.OpenFile(c.Proxy.LogFile(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("==================\nWARNING: DATA RACE\nWrite at 0x00c\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Proxy.Stop(); err == nil || !strings.Contains(err.Error(), "DATA RACE") {
		t.Errorf("Stop says %v, want the data race", err)
	}
}
