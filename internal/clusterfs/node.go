package clusterfs

import (
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Node is one node of the cluster: a mount point, which a kill leaves behind dead and Restart
// mounts again, and its faults, which outlive both.
type Node struct {
	Name string // for messages
	Dir  string // where it is mounted, absolute

	c      *Cluster
	faults faults

	mu    sync.Mutex // guards mount
	mount *mount     // nil while nothing is mounted
}

// mount is one life of a node.
type mount struct {
	fuse.RawFileSystem // answers ENOSYS to what this package does not serve

	c      *Cluster
	node   *Node
	busy   int           // O_PATH of its root, so that an abort leaves it mounted
	served chan struct{} // closed when FUSE is no longer served
	dead   chan struct{} // closed by kill

	// life is held for reading while something of this node is changed and for writing by kill:
	// afterwards nothing of it can change.
	life sync.RWMutex

	mu      sync.Mutex // guards what is below
	lookups map[uint64]*looked
	handles map[uint64]*handle
	nextFH  uint64
	pinned  map[*inode]bool  // files that this node holds dirty data of
	faulty  map[uint64]error // by inode number: a write-back failed and no fsync said so yet

	dirty atomic.Int64 // bytes not written back
}

// looked is an inode that the kernel of this node knows, and how many times it was told.
type looked struct {
	i *inode
	n uint64
}

// Mount makes a node in dir, an empty directory that stays below while the node lives.
func (c *Cluster) Mount(name, dir string) (*Node, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	n := &Node{Name: name, Dir: dir, c: c}
	n.faults.init()
	if err := n.Restart(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.nodes = append(c.nodes, n)
	c.mu.Unlock()
	return n, nil
}

// Restart mounts a node that was killed or unmounted. Processes that had files of its last life
// open keep those, dead.
func (n *Node) Restart() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mount != nil {
		if !n.mount.isDead() {
			return fmt.Errorf("node %s is mounted", n.Name)
		}
		if err := n.detachLocked(); err != nil {
			return err
		}
	}
	m := &mount{RawFileSystem: fuse.NewDefaultRawFileSystem(), c: n.c, node: n, served: make(chan struct{}), dead: make(chan struct{}),
		lookups: map[uint64]*looked{}, handles: map[uint64]*handle{}, pinned: map[*inode]bool{}, faulty: map[uint64]error{}}
	server, err := m.attach()
	if err != nil {
		return fmt.Errorf("mount %s on %s: %w", n.Name, n.Dir, err)
	}
	go func() {
		server.Serve()
		m.end()
		close(m.served)
	}()
	if m.busy, err = unix.Open(n.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		err = forbidPoll(n.Dir)
	}
	if err != nil {
		return errors.Join(err, unix.Unmount(n.Dir, unix.MNT_FORCE|unix.MNT_DETACH))
	}
	n.mount = m
	return nil
}

// forbidPoll has the kernel learn that this file system has no poll: Go's runtime polls every file
// that this process opens, and waits for the answer where nothing can run to give it. go-fuse
// answers this name itself.
func forbidPoll(dir string) error {
	fd, err := unix.Open(filepath.Join(dir, ".go-fuse-epoll-hack"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return errors.Join(err, unix.Close(fd))
}

// attach mounts by hand: go-fuse's own way leaves the device open in every child.
func (m *mount) attach() (*fuse.Server, error) {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	// default_permissions: the kernel checks access, with the caller's own groups.
	data := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other,max_read=%d", fd, maxRequest)
	if err := unix.Mount("clusterfs-"+m.node.Name, m.node.Dir, "fuse.clusterfs", 0, data); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	server, err := fuse.NewServer(m, fmt.Sprintf("/dev/fd/%d", fd), &fuse.MountOptions{
		MaxWrite: maxRequest, MaxBackground: 64, EnableAcl: true, DisableReadDirPlus: true, DisableSplice: true,
		ExtraCapabilities: fuse.CAP_DONT_MASK, Logger: log.New(io.Discard, "", 0)})
	if err != nil {
		return nil, errors.Join(err, unix.Unmount(m.node.Dir, unix.MNT_FORCE|unix.MNT_DETACH))
	}
	return server, nil
}

// maxRequest is the largest READ and WRITE in bytes, the kernel's own limit.
const maxRequest = 1 << 20

// mounted is the node's life, nil without one.
func (n *Node) mounted() *mount {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mount == nil || n.mount.isDead() {
		return nil
	}
	return n.mount
}

// Kill loses the node with all that it did not write back. The mount stays, dead: whoever uses it
// gets ENOTCONN, requests under way included.
func (n *Node) Kill() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mount == nil || n.mount.isDead() {
		return fmt.Errorf("node %s is not mounted", n.Name)
	}
	n.mount.kill()
	// The descriptor of its root keeps the mount busy, so this only aborts the connection.
	if err := unix.Unmount(n.Dir, unix.MNT_FORCE); err != nil && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("abort %s: %w", n.Dir, err)
	}
	<-n.mount.served
	return nil
}

// Unmount writes back what the node holds and takes it out, whoever uses it. Without a mount it
// does nothing.
func (n *Node) Unmount() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.mount
	if m == nil {
		return nil
	}
	var err error
	if !m.isDead() {
		err = m.flushAll()
		m.kill()
	}
	return errors.Join(err, n.detachLocked())
}

// detachLocked takes a dead mount away.
func (n *Node) detachLocked() error {
	m := n.mount
	_ = unix.Close(m.busy) // O_PATH
	if err := unix.Unmount(n.Dir, unix.MNT_FORCE|unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", n.Dir, err)
	}
	<-m.served
	n.mount = nil
	return nil
}

// Sync has the node write back all that it holds.
func (n *Node) Sync() error {
	if m := n.mounted(); m != nil {
		return m.flushAll()
	}
	return nil
}

// Alive tells whether the node is mounted and was not killed.
func (n *Node) Alive() bool { return n.mounted() != nil }

// Dirty is how many bytes would be lost if the node were killed now.
func (n *Node) Dirty() int64 {
	if m := n.mounted(); m != nil {
		return m.dirty.Load()
	}
	return 0
}

// Requests is how many requests the node has begun to serve since it was made: whether it is used.
func (n *Node) Requests() int64 { return n.faults.requests.Load() }

// Dev is st_dev of the node's files, which differs between nodes.
func (n *Node) Dev() (uint64, error) {
	var st unix.Stat_t
	err := unix.Stat(n.Dir, &st)
	return st.Dev, err
}

// kill makes sure that nothing of this life changes the tree any more, and drops what it holds.
func (m *mount) kill() {
	m.life.Lock()
	close(m.dead)
	m.life.Unlock()
	m.node.faults.wake()
	for _, i := range m.pins() {
		i.drop(m)
	}
}

func (m *mount) isDead() bool {
	select {
	case <-m.dead:
		return true
	default:
		return false
	}
}

// end runs when the last request is answered: the kernel knows nothing of us any more.
func (m *mount) end() {
	m.mu.Lock()
	lookups, handles := m.lookups, m.handles
	m.lookups, m.handles = map[uint64]*looked{}, map[uint64]*handle{}
	m.mu.Unlock()
	for _, h := range handles {
		h.close()
	}
	for _, l := range lookups {
		m.c.unref(l.i, l.n)
	}
}

// pins are the files that the node holds dirty data of.
func (m *mount) pins() []*inode {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.pinned))
}

// pin keeps a file, which is held, as long as the node holds dirty data of it.
func (m *mount) pin(i *inode) {
	m.c.ref(i)
	_ = i.hold() // it is open: this cannot fail
	m.mu.Lock()
	m.pinned[i] = true
	m.mu.Unlock()
}

func (m *mount) unpin(i *inode, err error) {
	m.mu.Lock()
	delete(m.pinned, i)
	if err != nil {
		m.faulty[i.ino] = err
	}
	m.mu.Unlock()
	m.c.drop(i)
}

// fault takes the error of an earlier write-back.
func (m *mount) fault(i *inode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.faulty[i.ino]
	delete(m.faulty, i.ino)
	return err
}

// count counts dirty bytes; overfull tells whether there are more than a node may have.
func (m *mount) count(n int64) { m.dirty.Add(n) }

func (m *mount) overfull() bool {
	return m.c.opt.WriteBack > 0 && m.dirty.Load() > m.c.opt.MaxDirty
}

// flushAll writes back all that the node holds.
func (m *mount) flushAll() error { return m.flushOlder(time.Now().Add(time.Hour)) }

// flushOlder writes back what has been held since before limit.
func (m *mount) flushOlder(limit time.Time) error {
	var errs []error
	for _, i := range m.pins() {
		i.mu.Lock()
		if d := i.dirty[m]; d != nil && d.since.Before(limit) {
			errs = append(errs, i.flushLocked(m, 0, maxOffset))
		}
		i.mu.Unlock()
	}
	return errors.Join(errs...)
}
