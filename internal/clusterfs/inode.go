package clusterfs

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// inode is one file or directory of the tree as all nodes see it. It lives as long as a kernel
// knows it, a handle is open, or a node holds dirty data of it; so long its number is not used again.
type inode struct {
	c    *Cluster
	ino  uint64
	refs uint64 // guarded by Cluster.mu

	// A kernel may know more files than a process can have open, so the descriptor is there while
	// somebody holds the file, and for a while longer for the first maxIdle.
	handle unix.FileHandle // to open it again
	fdMu   sync.Mutex      // guards fd and holds
	fd     int             // O_PATH: the file itself, whatever its name; -1: not open
	holds  int

	// names is held for reading while a name of this directory is looked up, and for writing while
	// one is made: between mkdir or open and chown a file belongs to root.
	names sync.RWMutex

	mu      sync.RWMutex // guards what is below, and the content of the file
	dirty   map[*mount]*dirty
	dataFD  int       // open for writing while dirty is not empty
	written time.Time // of the last write while dirty is not empty: the file's mtime

	// ctimeOf and ctimeIs: writing back changes the tree's ctime, which nobody did. While the tree
	// shows ctimeIs, nodes show ctimeOf.
	ctimeOf, ctimeIs unix.StatxTimestamp
}

// dirty is what one node wrote to a file and did not write back.
type dirty struct {
	extents
	since time.Time // of the oldest byte, about
	err   error     // of a write-back that failed, for the next fsync
}

// statFD is statx of an O_PATH descriptor with everything that the tree has.
func statFD(fd int) (unix.Statx_t, error) {
	var st unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st)
	return st, err
}

// proc is a path to the very file behind an O_PATH descriptor, for calls that take none.
func proc(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// maxIdle is how many files stay open that nobody holds.
const maxIdle = 4096

// hold sees to it that fd is there until letGo.
func (i *inode) hold() error {
	i.fdMu.Lock()
	defer i.fdMu.Unlock()
	if i.fd < 0 {
		fd, err := unix.OpenByHandleAt(i.c.mountFD, i.handle, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC)
		if err != nil {
			return fmt.Errorf("open file %d again: %w", i.ino, err)
		}
		i.fd = fd
		i.c.open.Add(1)
	}
	i.holds++
	return nil
}

// letGo ends a hold.
func (i *inode) letGo() {
	i.fdMu.Lock()
	defer i.fdMu.Unlock()
	i.holds--
	if i.holds == 0 && i.c.open.Load() > maxIdle {
		i.closeLocked()
	}
}

func (i *inode) closeLocked() {
	if i.fd >= 0 {
		_ = unix.Close(i.fd) // O_PATH: nothing to lose
		i.fd = -1
		i.c.open.Add(-1)
	}
}

// find returns the inode of a directory entry with one reference more and held, and its attributes
// as the tree has them.
func (c *Cluster) find(parent *inode, name string) (*inode, unix.Statx_t, error) {
	fd, err := unix.Openat(parent.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, unix.Statx_t{}, err
	}
	st, err := statFD(fd)
	if err != nil {
		return nil, st, errors.Join(err, unix.Close(fd))
	}
	c.mu.Lock()
	i := c.inodes[st.Ino]
	if i != nil {
		i.refs++
		c.mu.Unlock()
		err := errors.Join(i.hold(), unix.Close(fd))
		if err != nil {
			c.unref(i, 1)
		}
		return i, st, err
	}
	defer c.mu.Unlock()
	handle, _, err := unix.NameToHandleAt(fd, "", unix.AT_EMPTY_PATH)
	if err != nil {
		return nil, st, errors.Join(err, unix.Close(fd))
	}
	i = &inode{c: c, ino: st.Ino, fd: fd, refs: 1, handle: handle, holds: 1}
	c.open.Add(1)
	c.inodes[st.Ino] = i
	return i, st, nil
}

// keepDoomed holds the file of a name that is about to go for as long as it is known, so that its
// number is not used again meanwhile. The directory's names are held for writing.
func (c *Cluster) keepDoomed(parent *inode, name string) {
	var st unix.Stat_t
	if unix.Fstatat(parent.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.inodes[st.Ino]; i != nil {
		// A file that cannot be opened is gone already.
		_ = i.hold()
	}
}

// ref takes a reference of an inode that the caller has one of.
func (c *Cluster) ref(i *inode) {
	c.mu.Lock()
	i.refs++
	c.mu.Unlock()
}

// unref gives n references back; the last one ends the inode.
func (c *Cluster) unref(i *inode, n uint64) {
	c.mu.Lock()
	i.refs -= n
	last := i.refs == 0
	if last {
		delete(c.inodes, i.ino)
	}
	c.mu.Unlock()
	if last {
		i.fdMu.Lock()
		i.closeLocked()
		i.fdMu.Unlock()
	}
}

// drop gives back the reference and the hold that find gave.
func (c *Cluster) drop(i *inode) {
	i.letGo()
	c.unref(i, 1)
}

// path is where the file lies now, from the root, "" for the root itself. A hard link answers with
// one of its names.
func (i *inode) path() string {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlink(proc(i.fd), buf)
	if err != nil {
		return ""
	}
	p := strings.TrimSuffix(string(buf[:n]), " (deleted)")
	rel, err := filepath.Rel(i.c.dir, p)
	if err != nil || rel == "." {
		return ""
	}
	return rel
}

// size is the file's size as all nodes see it.
func (i *inode) sizeLocked() (int64, error) {
	st, err := statFD(i.fd)
	return i.logicalLocked(int64(st.Size)), err
}

// logicalLocked is the size when the tree has size.
func (i *inode) logicalLocked(size int64) int64 {
	for _, d := range i.dirty {
		size = max(size, d.end())
	}
	return size
}

// statLocked is what a stat of any node shows: the tree's attributes under the dirty data's.
func (i *inode) statLocked() (unix.Statx_t, error) {
	st, err := statFD(i.fd)
	if err != nil {
		return st, err
	}
	i.overlayLocked(&st)
	return st, nil
}

func (i *inode) overlayLocked(st *unix.Statx_t) {
	if st.Ctime == i.ctimeIs {
		st.Ctime = i.ctimeOf
	}
	if len(i.dirty) == 0 {
		return
	}
	size := int64(st.Size)
	for _, d := range i.dirty {
		st.Blocks += d.blocksBehind(size)
	}
	st.Size = uint64(i.logicalLocked(size))
	t := unix.StatxTimestamp{Sec: i.written.Unix(), Nsec: uint32(i.written.Nanosecond())}
	st.Mtime = t
	if before(st.Ctime, t) {
		st.Ctime = t
	}
}

func before(a, b unix.StatxTimestamp) bool {
	return a.Sec < b.Sec || a.Sec == b.Sec && a.Nsec < b.Nsec
}

// stat is statLocked for those who hold nothing.
func (i *inode) stat() (unix.Statx_t, error) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.statLocked()
}

// walk finds the file at path, from the root, with one reference more and held.
func (c *Cluster) walk(path string) (i *inode, isDir bool, err error) {
	i, isDir = c.root, true
	c.ref(i)
	if err := i.hold(); err != nil {
		return nil, false, err
	}
	for _, name := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' }) {
		child, st, err := c.find(i, name)
		c.drop(i)
		if err != nil {
			return nil, false, fmt.Errorf("%s in %s: %w", name, path, err)
		}
		i, isDir = child, st.Mode&unix.S_IFMT == unix.S_IFDIR
	}
	return i, isDir, nil
}
