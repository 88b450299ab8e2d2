package hostile

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// The size of the scale tests; "make scale" sets it to what the product promises, and -scale-strict.
var (
	idleClients = flag.Int("idle", 500, "connections of TestIdle")
	busyClients = flag.Int("busy", 40, "clients of TestBusy")
	busyTime    = flag.Duration("busy-time", time.Second, "how long the clients of TestBusy work")
	strict      = flag.Bool("scale-strict", false, "fail where the promised figures are not met")
)

// metrics are smbproxy's own, by name with labels.
func (b *realBinary) metrics(t testing.TB) map[string]float64 {
	t.Helper()
	resp, err := http.Get("http://" + b.metricsAddr + "/metrics") //nolint:noctx // loopback
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	m := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			m[name] = v
		}
	}
	must(t, lines.Err())
	return m
}

// rss is smbproxy's resident memory in bytes.
func (b *realBinary) rss(t testing.TB) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", b.cluster.Proxy.Pid()))
	must(t, err)
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	must(t, err)
	return pages * int64(os.Getpagesize())
}

// crowd logs n clients on, some at a time.
func (b *realBinary) crowd(t testing.TB, n int) []*client {
	t.Helper()
	list := make([]*client, n)
	var wg sync.WaitGroup
	next := make(chan int)
	for range 8 {
		wg.Go(func() {
			for i := range next {
				list[i] = b.quietClient(t, []string{"user1", "user2", "user3"}[i%3])
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	if slices.Contains(list, nil) {
		t.FailNow()
	}
	return list
}

// quietClient is client that may be called by any goroutine; nil after an error.
func (b *realBinary) quietClient(t testing.TB, user string) *client {
	conn, err := rawsmb.Dial(t.Context(), b.address(), rawsmb.Options{Timeout: 2 * time.Minute})
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(conn.Close)
	s, err := conn.Login(t.Context(), user, b.lab.User(user).Password)
	if err != nil {
		t.Error(err)
		return nil
	}
	s.Sign = true
	tree, err := s.TreeConnect("share")
	if err != nil {
		t.Error(err)
		return nil
	}
	return &client{t: t, Session: s, tree: tree.TreeID}
}

// TestIdle reports what an idle connection with a session and a share costs. The figure is the growth of the process's
// resident memory, which holds what logging on has left behind as well; in a race build it means nothing.
func TestIdle(t *testing.T) {
	b := theBinary(t)
	for _, c := range b.crowd(t, 50) { // lanes, pools, heap
		c.Conn.Close()
	}
	rss, m := b.rss(t), b.metrics(t)
	start := time.Now()
	list := b.crowd(t, *idleClients)
	took := time.Since(start)
	n := int64(len(list))
	after := b.metrics(t)
	each := (b.rss(t) - rss) / n
	used := func(m map[string]float64) int64 {
		return int64(m["go_memstats_heap_alloc_bytes"] + m["go_memstats_stack_inuse_bytes"])
	}
	lanes := 0.0
	for name, v := range after {
		if strings.HasPrefix(name, "smbproxy_backend_lanes") {
			lanes += v
		}
	}
	t.Logf("%d idle connections: %d bytes of resident memory each (%d bytes of heap and stacks), %.1f goroutines each, %.0f connections to the backend, %v to log on all",
		n, each, (used(after)-used(m))/n, (after["go_goroutines"]-m["go_goroutines"])/float64(n), lanes, took.Round(time.Millisecond))
	if lanes > 64 {
		t.Errorf("%.0f connections to the backend, want a handful", lanes)
	}
	if *strict && each > 40<<10 {
		t.Errorf("%d bytes each, want %d at most", each, 40<<10)
	}
	for _, i := range []int{0, len(list) / 2, len(list) - 1} {
		list[i].t = t
		list[i].call(ntstatus.Success, smb2.CommandClose, &smb2.CloseRequest{FileID: list[i].create(fmt.Sprint("idle", i), smb2.FileDirectoryFile)})
	}
	for _, c := range list {
		c.Conn.Close()
	}
	b.baseline(t, m)
}

// baseline waits until goroutines and descriptors are as few as in m, but for idle lanes.
func (b *realBinary) baseline(t testing.TB, m map[string]float64) {
	t.Helper()
	const lanes = 10
	eventually(t, "smbproxy returns to its baseline", func() error {
		now := b.metrics(t)
		for _, name := range []string{"go_goroutines", "process_open_fds"} {
			if now[name] > m[name]+lanes {
				return fmt.Errorf("%s is %.0f, was %.0f", name, now[name], m[name])
			}
		}
		return nil
	})
}

// TestBusy lets many clients work at once: none sees an error, and none is starved.
func TestBusy(t *testing.T) {
	b := theBinary(t)
	list := b.crowd(t, *busyClients)
	m := b.metrics(t)
	counts := make([]int, len(list))
	var wg sync.WaitGroup
	begin := make(chan struct{})
	end := time.Now().Add(*busyTime)
	for i, c := range list {
		wg.Go(func() {
			<-begin
			for round := 0; round == 0 || time.Now().Before(end); round++ {
				if err := c.work(fmt.Sprintf("busy%d", i)); err != nil {
					t.Errorf("client %d, round %d: %v", i, round, err)
					return
				}
				counts[i]++
			}
		})
	}
	end = time.Now().Add(*busyTime)
	start := time.Now()
	close(begin)
	wg.Wait()
	took := time.Since(start)
	slices.Sort(counts)
	total := 0
	for _, n := range counts {
		total += n
	}
	median := counts[len(counts)/2]
	t.Logf("%d clients: %d rounds of create, write, read, close in %v (%.0f requests/s); per client least %d, median %d, most %d",
		len(list), total, took.Round(time.Millisecond), float64(total)*4/took.Seconds(), counts[0], median, counts[len(counts)-1])
	if *strict && counts[0]*3 < median {
		t.Errorf("the slowest client did %d rounds where half did %d", counts[0], median)
	}
	for _, c := range list {
		c.Conn.Close()
	}
	b.baseline(t, m)
}

// work is a file's life.
func (c *client) work(name string) error {
	send := func(cmd smb2.Command, body smb2.Body, into smb2.Message) error {
		m, err := c.Do(smb2.Header{Command: cmd, TreeID: c.tree}, body)
		if err == nil && m.Header.Status != ntstatus.Success {
			err = m.Header.Status
		}
		if err == nil && into != nil {
			err = into.Decode(m.Bytes)
		}
		if err != nil {
			return fmt.Errorf("%v of %s: %w", cmd, name, err)
		}
		return nil
	}
	var opened smb2.CreateResponse
	if err := send(smb2.CommandCreate, createRequest(name, smb2.FileOpenIf, smb2.FileDeleteOnClose), &opened); err != nil {
		return err
	}
	var got smb2.ReadResponse
	err := errors.Join(
		send(smb2.CommandWrite, &smb2.WriteRequest{FileID: opened.FileID, Data: []byte(name)}, nil),
		send(smb2.CommandRead, &smb2.ReadRequest{FileID: opened.FileID, Length: 100}, &got),
		send(smb2.CommandClose, &smb2.CloseRequest{FileID: opened.FileID}, nil))
	if err == nil && string(got.Data) != name {
		err = fmt.Errorf("%s holds %q", name, got.Data)
	}
	return err
}
