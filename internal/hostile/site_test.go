package hostile

import (
	"context"
	"fmt"
	"os"
	"testing"

	"smbproxy/internal/lab"
	"smbproxy/internal/rawsmb"
)

// site is a server to attack.
type site interface {
	client(t testing.TB, user string, opt rawsmb.Options) *client
	address() string
}

// onBoth runs a test against the stack and against the real binary.
func onBoth(t *testing.T, test func(t *testing.T, s site)) {
	t.Run("stack", func(t *testing.T) { test(t, newStack(t, nil)) })
	t.Run("binary", func(t *testing.T) { test(t, theBinary(t)) })
}

func (s *stack) address() string { return s.addr }

// realBinary is the real smbproxy before a real smbd. One serves all tests of this package: that none of
// them harms it is what they are about.
type realBinary struct {
	lab     *lab.Lab
	cluster *lab.Cluster

	metricsAddr string
}

// shared is the binary, once a test has wanted it.
var shared *realBinary

// TestMain ends it.
func TestMain(m *testing.M) {
	code := m.Run()
	if shared != nil {
		if err := shared.lab.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		_ = os.RemoveAll(shared.lab.Dir)
	}
	os.Exit(code)
}

// theBinary starts it, or skips the test where the machine cannot. The test fails if the process ended or
// logged an error.
func theBinary(t *testing.T) *realBinary {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real servers")
	}
	if err := lab.Check(); err != nil {
		if os.Getenv("SMBPROXY_LAB") == "required" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if shared == nil {
		dir, err := os.MkdirTemp("", "smbproxy-lab-") //nolint:usetesting // outlives the test
		must(t, err)
		l, err := lab.Start(context.Background(), dir, lab.Options{PlainTree: true})
		must(t, err)
		shared = &realBinary{lab: l, metricsAddr: "127.11.0.2:" + freePort(t)}
		shared.cluster, err = l.Cluster(context.Background(), lab.ClusterOptions{LogLevel: "info",
			Shares:      []lab.Share{{Name: "share"}, {Name: "other"}},
			GlobalLines: []string{"metrics address = " + shared.metricsAddr, "max connections per address = 20000"}})
		must(t, err)
	}
	b, pid, mark := shared, shared.cluster.Proxy.Pid(), shared.cluster.Proxy.LogSize()
	t.Cleanup(func() {
		select {
		case <-b.cluster.Proxy.Done():
			t.Fatalf("smbproxy has ended:\n%s", b.cluster.Proxy.LogSince(mark))
		default:
		}
		if now := b.cluster.Proxy.Pid(); now != pid {
			t.Errorf("smbproxy has pid %d, want %d", now, pid)
		}
		if errs := errorLines(b.cluster.Proxy.LogSince(mark)); errs != "" {
			t.Errorf("smbproxy logged:\n%s", errs)
		}
	})
	return b
}

func (b *realBinary) address() string { return b.cluster.Proxy.Addr() }

func (b *realBinary) client(t testing.TB, user string, opt rawsmb.Options) *client {
	t.Helper()
	return login(t, b.address(), user, b.lab.User(user).Password, opt)
}
