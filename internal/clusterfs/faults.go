package clusterfs

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/time/rate"
)

// faults is what a node was told to do wrong.
type faults struct {
	any  atomic.Bool // a rule is set: look
	full atomic.Bool
	hung atomic.Int64 // requests that wait in a Hang now

	requests atomic.Int64 // begun

	mu      sync.Mutex // guards what is below
	hangs   map[string]bool
	delays  map[string]time.Duration
	limit   *rate.Limiter // nil: as fast as it goes
	changed chan struct{} // closed and replaced at every change
}

func (f *faults) init() {
	f.hangs, f.delays, f.changed = map[string]bool{}, map[string]time.Duration{}, make(chan struct{})
}

// change runs do and wakes whoever waits for other rules.
func (f *faults) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	f.any.Store(len(f.hangs) > 0 || len(f.delays) > 0 || f.limit != nil)
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *faults) wake() { f.change(func() {}) }

func (f *faults) isFull() bool { return f.full.Load() }

// Hang lets every request for the file or directory at path (from the node's root, "" is all), and
// for what is below it, wait until Thaw, a kill of the node, or a SIGKILL of who asked.
func (n *Node) Hang(path string) { n.faults.change(func() { n.faults.hangs[cleanPath(path)] = true }) }

// Thaw ends the Hang of the same path; what waited goes on.
func (n *Node) Thaw(path string) {
	n.faults.change(func() { delete(n.faults.hangs, cleanPath(path)) })
}

// Hung is how many requests wait in a Hang now.
func (n *Node) Hung() int { return int(n.faults.hung.Load()) }

// Delay makes every request for path, and for what is below it, take d longer; 0 ends it.
func (n *Node) Delay(path string, d time.Duration) {
	n.faults.change(func() {
		if d == 0 {
			delete(n.faults.delays, cleanPath(path))
			return
		}
		n.faults.delays[cleanPath(path)] = d
	})
}

// RateLimit lets the node read and write that many bytes per second in sum, first come first
// served; 0 ends it.
func (n *Node) RateLimit(bytesPerSecond int) {
	n.faults.change(func() {
		n.faults.limit = nil
		if bytesPerSecond > 0 {
			n.faults.limit = rate.NewLimiter(rate.Limit(bytesPerSecond), maxRequest)
			n.faults.limit.AllowN(time.Now(), maxRequest) // no burst at the start
		}
	})
}

// SetFull makes everything that needs room on disk fail with ENOSPC, and statfs show none.
func (n *Node) SetFull(full bool) { n.faults.full.Store(full) }

func cleanPath(path string) string { return strings.Trim(path, "/") }

// below tells whether path is rule's or lies below it.
func below(path, rule string) bool {
	return rule == "" || path == rule || strings.HasPrefix(path, rule+"/")
}

// gate is where every request waits for what its node was told: of the file i, or of the name in
// the directory i; bytes are data to be moved. ENOTCONN: the node died meanwhile.
func (m *mount) gate(pid uint32, cancel <-chan struct{}, i *inode, name string, bytes int) fuse.Status {
	f := &m.node.faults
	f.requests.Add(1)
	if !f.any.Load() {
		return fuse.OK
	}
	path := i.path()
	if name != "" {
		path = strings.TrimPrefix(path+"/"+name, "/")
	}
	if st := m.hang(pid, cancel, path); st != fuse.OK {
		return st
	}
	f.mu.Lock()
	var delay time.Duration
	for rule, d := range f.delays {
		if below(path, rule) {
			delay = max(delay, d)
		}
	}
	limit := f.limit
	f.mu.Unlock()
	if limit != nil && bytes > 0 {
		delay = max(delay, limit.ReserveN(time.Now(), min(bytes, maxRequest)).Delay())
	}
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-m.dead:
		}
	}
	if m.isDead() {
		return fuse.Status(enotconn)
	}
	return fuse.OK
}

// hang waits while a Hang covers path.
func (m *mount) hang(pid uint32, cancel <-chan struct{}, path string) fuse.Status {
	f := &m.node.faults
	var counted bool
	defer func() {
		if counted {
			f.hung.Add(-1)
		}
	}()
	// A caller that got a signal is asked about until it turns out to be SIGKILL: only then would a
	// real hung mount let go, and the kernel tells of the first signal only.
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var killed <-chan struct{}
	for {
		f.mu.Lock()
		changed, hung := f.changed, false
		for rule := range f.hangs {
			hung = hung || below(path, rule)
		}
		f.mu.Unlock()
		if m.isDead() {
			return fuse.Status(enotconn)
		}
		if !hung {
			return fuse.OK
		}
		if !counted {
			counted = true
			f.hung.Add(1)
		}
		select {
		case <-changed:
		case <-m.dead:
		case <-cancel:
			cancel, killed = nil, awaitSIGKILL(ctx, pid)
		case <-killed:
			return fuse.EINTR
		}
	}
}

// awaitSIGKILL returns a channel that is closed when thread pid is about to die of SIGKILL.
func awaitSIGKILL(ctx context.Context, pid uint32) <-chan struct{} {
	out := make(chan struct{})
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for !dying(pid) {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
		close(out)
	}()
	return out
}

// dying tells whether a thread has SIGKILL pending (proc(5), SigPnd) or is gone.
func dying(pid uint32) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return true
	}
	const sigkill = 1 << (9 - 1)
	return slices.ContainsFunc(strings.Split(string(text), "\n"), func(line string) bool {
		bits, ok := strings.CutPrefix(line, "SigPnd:\t")
		set, err := strconv.ParseUint(bits, 16, 64)
		return ok && err == nil && set&sigkill != 0
	})
}
