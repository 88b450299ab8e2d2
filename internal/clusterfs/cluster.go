package clusterfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Options says how a cluster behaves. The zero value is a good cluster.
type Options struct {
	// WriteBack is the age at which a node writes data back by itself; 0: 5 s. Negative: never,
	// and MaxDirty does not count: only fsync and other nodes make data leave a node.
	WriteBack time.Duration

	MaxDirty int64 // bytes of one node not written back, from which its writers wait; 0: 64 MiB
	OSTs     int   // how many OSTs layouts are spread over; 0: 4
}

// Cluster is one file system. Its methods may be called from several goroutines.
type Cluster struct {
	opt  Options
	dir  string // the tree, absolute and free of links
	root *inode

	mountFD int          // of the tree, for opening files by their handles
	open    atomic.Int64 // files that are open to be found again

	layouts layouts
	stop    context.CancelFunc // ends writeBack
	done    chan struct{}      // closed when writeBack has ended

	mu     sync.Mutex // guards what is below, and inode.refs
	inodes map[uint64]*inode
	nodes  []*Node
	closed bool
}

// Check tells whether this machine can mount; the error says what is missing.
func Check() error {
	if os.Geteuid() != 0 {
		return errors.New("clusterfs: mounting needs root")
	}
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("clusterfs: FUSE is missing (modprobe fuse; in a container: --device /dev/fuse and CAP_SYS_ADMIN): %w", err)
	}
	return f.Close()
}

// New makes a cluster of the files in dir, which belong to it alone from now on: nothing else may
// write there. Set modes of dir itself before. End it with Close.
func New(dir string, opt Options) (*Cluster, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	if opt.WriteBack == 0 {
		opt.WriteBack = 5 * time.Second
	}
	if opt.MaxDirty == 0 {
		opt.MaxDirty = 64 << 20
	}
	if opt.OSTs == 0 {
		opt.OSTs = 4
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, err
	}
	c := &Cluster{opt: opt, dir: dir, inodes: map[uint64]*inode{}, done: make(chan struct{})}
	c.layouts.init(opt.OSTs)
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	st, err := statFD(fd)
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	// The root is held for good.
	c.root = &inode{c: c, ino: st.Ino, fd: fd, refs: 1, holds: 1}
	c.inodes[st.Ino] = c.root
	if c.mountFD, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	go c.writeBack(ctx)
	return c, nil
}

// Dir is the tree itself, without any node: what is not written back is not there. Tests compare
// with it; they do not write to it.
func (c *Cluster) Dir() string { return c.dir }

// Nodes are the cluster's nodes in the order of their making.
func (c *Cluster) Nodes() []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*Node(nil), c.nodes...)
}

// Sync has every node write back all that it holds.
func (c *Cluster) Sync() error {
	var errs []error
	for _, n := range c.Nodes() {
		errs = append(errs, n.Sync())
	}
	return errors.Join(errs...)
}

// Close ends every node, writing back what the living ones hold. It may be called twice.
func (c *Cluster) Close() error {
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	c.mu.Unlock()
	if closed {
		return nil
	}
	c.stop()
	<-c.done
	var errs []error
	for _, n := range c.Nodes() {
		errs = append(errs, n.Unmount())
	}
	c.unref(c.root, 1)
	return errors.Join(append(errs, unix.Close(c.mountFD))...)
}

// writeBack is what makes old data go by itself.
func (c *Cluster) writeBack(ctx context.Context) {
	defer close(c.done)
	if c.opt.WriteBack < 0 {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(max(c.opt.WriteBack/10, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, n := range c.Nodes() {
				if m := n.mounted(); m != nil {
					// A fault here is kept in the file for the next fsync.
					_ = m.flushOlder(now.Add(-c.opt.WriteBack))
				}
			}
		}
	}
}
