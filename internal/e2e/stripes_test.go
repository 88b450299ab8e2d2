package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"smbproxy/internal/clusterfs"
	"smbproxy/internal/lab"
	"smbproxy/internal/rawsmb"
	wire "smbproxy/internal/smb2"
)

// stripesMax is up to how many backends of data TestStripesScale goes: "make stripes" has 8.
var stripesMax = flag.Int("stripes", 2, "backends of data that TestStripesScale goes up to")

// stripesRate is what one node of data may read and write, bytes per second: so little that eight of them are no work for this host.
const stripesRate = 10 << 20

// linear is which part of n times the throughput of one backend of data n of them must have.
const linear = 0.85

// stripedCluster is a cluster of nodes: the first backend serves names, n others data. Layouts are read where smbproxy runs.
func stripedCluster(t *testing.T, n int) *lab.Cluster {
	t.Helper()
	if err := clusterfs.Check(); err != nil {
		t.Skip(err)
	}
	var data []string
	for i := range n {
		data = append(data, lab.BackendName(i+1))
	}
	return cluster(t, lab.ClusterOptions{
		Backends: n + 1, Nodes: &clusterfs.Options{OSTs: n},
		Shares: []lab.Share{{Name: "share", Backends: []int{0}, Mounted: true, Lines: []string{"ost backends = " + strings.Join(data, " ")}}},
	})
}

// rawTree logs in with a client that can have many requests under way.
func rawTree(t *testing.T, c *lab.Cluster) *rawsmb.Tree {
	t.Helper()
	conn, err := rawsmb.Dial(t.Context(), c.Proxy.Addr(), rawsmb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	u := c.Lab.User("user1")
	s, err := conn.Login(t.Context(), u.Name, u.Password)
	if err != nil {
		t.Fatal(err)
	}
	s.Sign = true // 3.1.1 demands it of TREE_CONNECT
	tree, err := s.TreeConnect("share")
	s.Sign = false
	for conn.Credits() < 64*16 { // TestStripesScale's requests under way
		if _, err := s.Do(wire.Header{Command: wire.CommandEcho, Credits: 1024}, &wire.EchoRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// A file's data come and go by the nodes that its layout says, whatever the share's own rule is; names and data of other files
// do not.
func TestLayoutsAreFollowed(t *testing.T) {
	c := stripedCluster(t, 4)
	if err := c.FS.SetLayout("share", clusterfs.Layout{Stripes: clusterfs.Stripes{Size: 64 << 10, OSTs: []uint32{3, 1}}}); err != nil {
		t.Fatal(err)
	}
	c.Nodes[1].Hang("share") // of OST 0
	c.Nodes[3].Hang("share") // of OST 2
	t.Cleanup(func() { c.Nodes[1].Thaw("share"); c.Nodes[3].Thaw("share") })
	tree := rawTree(t, c)
	m, err := tree.Create(wire.CreateRequest{Name: "striped"})
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("0123456789abcdef"), 20<<10) // 320 KiB
	for off := 0; off < len(data); off += 100 << 10 {
		part := data[off:min(len(data), off+100<<10)]
		if _, err := tree.Session.Do(wire.Header{Command: wire.CommandWrite, TreeID: tree.TreeID, CreditCharge: 2}, &wire.WriteRequest{FileID: m.FileID, Offset: uint64(off), Data: part}); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []bool{true, false, true, false, true} {
		if got := hasOpen(t, c.Backends[i], "striped"); got != want {
			t.Errorf("open at backend %d: %v, want %v", i, got, want)
		}
	}
	got, err := os.ReadFile(filepath.Join(c.ShareDir("share"), "striped"))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("on disk %d bytes, %v", len(got), err)
	}
	if n := c.Nodes[1].Hung() + c.Nodes[3].Hung(); n != 0 {
		t.Errorf("%d requests hang at nodes that the layout does not name", n)
	}
}

// hasOpen says whether one of an smbd's processes has a file of that name open.
func hasOpen(t *testing.T, s *lab.Samba, name string) bool {
	t.Helper()
	for _, pid := range s.Pids() {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range links {
			if to, err := os.Readlink(l); err == nil && filepath.Base(to) == name {
				return true
			}
		}
	}
	return false
}

// One client reads and writes one file n times as fast over n nodes as over one, if each has so much and no more.
func TestStripesScale(t *testing.T) {
	if testing.Short() {
		t.Skip("takes time by its nature")
	}
	c := stripedCluster(t, *stripesMax)
	tree := rawTree(t, c)
	for i := range *stripesMax {
		c.Nodes[i+1].RateLimit(stripesRate)
	}
	var one [2]float64
	for n := 1; n <= *stripesMax; n *= 2 {
		dir := fmt.Sprintf("over%d", n)
		if err := os.Mkdir(filepath.Join(c.ShareDir("share"), dir), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(c.ShareDir("share"), dir), 0o777); err != nil {
			t.Fatal(err)
		}
		osts := make([]uint32, n)
		for i := range osts {
			osts[i] = uint32(i)
		}
		if err := c.FS.SetLayout("share/"+dir, clusterfs.Layout{Stripes: clusterfs.Stripes{Size: 1 << 20, OSTs: osts}}); err != nil {
			t.Fatal(err)
		}
		var now [2]float64
		for i, write := range []bool{true, false} {
			now[i] = throughput(t, tree, dir+`\file`, write, n*4*stripesRate)
			if n == 1 {
				one[i] = now[i]
			}
		}
		t.Logf("%d backends of data: write %.1f MB/s, %.2f of linear; read %.1f MB/s, %.2f of linear",
			n, now[0]/1e6, now[0]/one[0]/float64(n), now[1]/1e6, now[1]/one[1]/float64(n))
		for i := range now {
			if now[i] < linear*float64(n)*one[i] {
				t.Errorf("%d backends of data have %.1f MB/s, one has %.1f", n, now[i]/1e6, one[i]/1e6)
			}
		}
	}
}

// throughput writes or reads a file of size bytes, a MiB at a time and 64 at once, and returns bytes per second.
func throughput(t *testing.T, tree *rawsmb.Tree, name string, write bool, size int) float64 {
	t.Helper()
	const block, depth = 1 << 20, 64
	m, err := tree.Create(wire.CreateRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("x"), block)
	var next atomic.Int64
	run := func(ctx context.Context) error {
		for {
			off := next.Add(block) - block
			if off >= int64(size) {
				return ctx.Err()
			}
			h := wire.Header{Command: wire.CommandRead, TreeID: tree.TreeID, CreditCharge: block >> 16}
			var body wire.Body = &wire.ReadRequest{FileID: m.FileID, Offset: uint64(off), Length: block}
			if write {
				h.Command, body = wire.CommandWrite, &wire.WriteRequest{FileID: m.FileID, Offset: uint64(off), Data: data}
			}
			reply, err := tree.Session.Do(h, body)
			if err != nil {
				return err
			}
			var rd wire.ReadResponse
			if !write && (rd.Decode(reply.Bytes) != nil || !bytes.Equal(rd.Data, data)) {
				return errors.New("other data than were written")
			}
		}
	}
	begin := time.Now()
	all, ctx := errgroup.WithContext(t.Context())
	for range depth {
		all.Go(func() error { return run(ctx) })
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	if _, err := tree.Do(wire.CommandClose, &wire.CloseRequest{FileID: m.FileID}); err != nil {
		t.Fatal(err)
	}
	return float64(size) / took.Seconds()
}

// A backend of data that is lost with its node in the middle of an upload and of a download costs a pause and nothing else: what
// it had not flushed is written again.
func TestDataBackendIsLost(t *testing.T) {
	if err := clusterfs.Check(); err != nil {
		t.Skip(err)
	}
	for _, write := range []bool{true, false} {
		c := cluster(t, lab.ClusterOptions{
			Backends: 3, Nodes: &clusterfs.Options{OSTs: 2}, Isolate: true, Fence: lab.FencePower, BackendLines: []string{"suspect after = 500ms", "down after = 2s"},
			Shares: []lab.Share{{Name: "share", Backends: []int{0}, Lines: []string{"ost backends = b1 b2"}}},
		})
		tree := rawTree(t, c)
		const size = 48 << 20
		if !write {
			throughput(t, tree, "file", true, size)
		}
		c.Nodes[1].RateLimit(stripesRate)
		c.Nodes[2].RateLimit(stripesRate)
		lost := make(chan error, 1)
		go func() {
			lost <- errors.Join(lab.WaitFor(10*time.Second, func() error {
				if !hasOpen(t, c.Backends[2], "file") {
					return errors.New("not open yet")
				}
				return nil
			}), c.LoseNode(2))
		}()
		throughput(t, tree, "file", write, size)
		if err := <-lost; err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(c.ShareDir("share"), "file"))
		if err != nil || !bytes.Equal(got, bytes.Repeat([]byte("x"), size)) {
			t.Errorf("write %v: on disk %d bytes, %v", write, len(got), err)
		}
	}
}
