package lab_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/clusterfs"
	"smbproxy/internal/lab"
)

// nodesCluster is two backends on nodes of their own, each serving a share of the same directory.
func nodesCluster(t *testing.T, opt lab.ClusterOptions) *lab.Cluster {
	t.Helper()
	l := lab.New(t, lab.Options{})
	opt.Backends, opt.Nodes = 2, &clusterfs.Options{WriteBack: -1}
	opt.Shares = []lab.Share{{Name: "one", Dir: "share"}, {Name: "two", Dir: "share", Backend: 1}}
	return l.MustCluster(opt)
}

func smb(t *testing.T, c *lab.Cluster, share, command string) string {
	t.Helper()
	r := c.Lab.Smbclient(c.Proxy.Addr(), share, lab.As(c.Lab.User("user1")), lab.Command(command), lab.ClientTimeout(30*time.Second))
	if r.Err != nil {
		t.Fatal(r)
	}
	return r.Output
}

// TestNodesShareOneTree: what is written through one backend is read through the other, and lost
// with its node unless somebody has seen or flushed it.
func TestNodesShareOneTree(t *testing.T) {
	c := nodesCluster(t, lab.ClusterOptions{})
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	smb(t, c, "one", "put "+file+" f; put "+file+" g; put "+file+" h")
	if held := c.Nodes[0].Dirty(); held != 15 {
		t.Errorf("the first node holds %d bytes, want 15", held)
	}
	if out := smb(t, c, "two", "more f; more g"); c.Nodes[0].Dirty() != 5 {
		t.Errorf("the first node holds %d bytes after two of three files were read elsewhere:\n%s", c.Nodes[0].Dirty(), out)
	}
	if err := c.LoseNode(0); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"f": "hello", "g": "hello", "h": ""} {
		got, err := os.ReadFile(filepath.Join(c.ShareDir("one"), name))
		if err != nil || string(got) != want {
			t.Errorf("%s has %q, %v, want %q", name, got, err, want)
		}
	}
	if out := smb(t, c, "two", "ls"); !strings.Contains(out, " h ") {
		t.Errorf("the other backend lists:\n%s", out)
	}
	if err := c.ReviveNode(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	if err := lab.WaitFor(20*time.Second, func() error {
		r := c.Lab.Smbclient(c.Proxy.Addr(), "one", lab.As(c.Lab.User("user1")), lab.Command("get f "+file))
		return r.Err
	}); err != nil {
		t.Errorf("the revived backend: %v", err)
	}
}

// TestCutOff: a backend in a namespace of its own neither answers nor refuses when it is cut off.
func TestCutOff(t *testing.T) {
	c := nodesCluster(t, lab.ClusterOptions{Isolate: true})
	smb(t, c, "one", "ls")
	smb(t, c, "two", "ls")
	if err := c.Network(0).CutOff(); err != nil {
		t.Fatal(err)
	}
	r := c.Lab.Smbclient(c.Backends[0].Addr(), "one", lab.Anonymous(), lab.ClientTimeout(time.Second), lab.Command("ls"))
	if r.Err == nil || !errors.Is(r.Err, context.DeadlineExceeded) && !strings.Contains(r.Err.Error(), "did not end") {
		t.Errorf("a backend that is cut off: %v", r)
	}
	smb(t, c, "two", "ls")
	if err := c.Network(0).Reconnect(); err != nil {
		t.Fatal(err)
	}
	if err := lab.WaitFor(20*time.Second, func() error {
		return c.Lab.Smbclient(c.Proxy.Addr(), "one", lab.As(c.Lab.User("user1")), lab.Command("ls")).Err
	}); err != nil {
		t.Errorf("the backend after it came back: %v", err)
	}
}
