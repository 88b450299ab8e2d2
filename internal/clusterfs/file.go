package clusterfs

import (
	"errors"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// handle is an open file or directory of one node.
type handle struct {
	i  *inode
	fd int

	dir *listing // of a directory
}

func (h *handle) close() {
	_ = unix.Close(h.fd) // every write was checked
	h.i.c.drop(h.i)
}

// open adds a handle for fd, which it takes over, of a file that is held.
func (m *mount) open(i *inode, fd int) (uint64, *handle) {
	m.c.ref(i)
	_ = i.hold() // it is open: this cannot fail
	h := &handle{i: i, fd: fd}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nextFH++
	m.handles[m.nextFH] = h
	return m.nextFH, h
}

func (m *mount) handle(fh uint64) *handle {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.handles[fh]
}

// accessMode is what the tree's file is opened with: data is also read where it is only written,
// and all writes are placed by us.
func accessMode(flags uint32) int {
	if flags&unix.O_ACCMODE == unix.O_RDONLY {
		return unix.O_RDONLY
	}
	return unix.O_RDWR
}

// openFlags: nothing of the content is cached in the kernel, and writes to one file run in parallel.
const openFlags = fuse.FOPEN_DIRECT_IO | fuse.FOPEN_PARALLEL_DIRECT_WRITES

// Create makes a file and opens it.
func (m *mount) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	parent, code := m.begin(&in.InHeader, cancel, name)
	if code != fuse.OK {
		return code
	}
	defer parent.letGo()
	i, err := m.make(newName{parent, name, in.Uid, in.Gid, in.Mode, in.Umask, unix.S_IFREG}, func() error {
		fd, err := unix.Openat(parent.fd, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, in.Mode&0o7777)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	})
	if errors.Is(err, unix.EEXIST) && in.Flags&unix.O_EXCL == 0 {
		// Another node made it since the kernel looked.
		parent.names.RLock()
		i, _, err = m.c.find(parent, name)
		parent.names.RUnlock()
		if err == nil && in.Flags&unix.O_TRUNC != 0 {
			i.mu.Lock()
			err = i.truncateLocked(0)
			i.mu.Unlock()
		}
	}
	if err != nil {
		if i != nil {
			m.c.drop(i)
		}
		return status(err)
	}
	fd, err := unix.Open(proc(i.fd), accessMode(in.Flags)|unix.O_CLOEXEC, 0)
	if err != nil {
		m.c.drop(i)
		return status(err)
	}
	fh, _ := m.open(i, fd)
	out.Fh, out.OpenFlags = fh, openFlags
	return m.entry(i, &out.EntryOut)
}

// Open opens a file.
func (m *mount) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	i, code := m.begin(&in.InHeader, cancel, "")
	if code != fuse.OK {
		return code
	}
	defer i.letGo()
	fd, err := unix.Open(proc(i.fd), accessMode(in.Flags)|unix.O_CLOEXEC, 0)
	if err != nil {
		return status(err)
	}
	out.Fh, _ = m.open(i, fd)
	out.OpenFlags = openFlags
	return fuse.OK
}

// Release closes a file. What it wrote stays in the node, as on every Unix.
func (m *mount) Release(_ <-chan struct{}, in *fuse.ReleaseIn) { m.release(in.Fh) }

// ReleaseDir closes a directory.
func (m *mount) ReleaseDir(in *fuse.ReleaseIn) { m.release(in.Fh) }

func (m *mount) release(fh uint64) {
	m.mu.Lock()
	h := m.handles[fh]
	delete(m.handles, fh)
	m.mu.Unlock()
	if h != nil {
		h.close()
	}
}

// Read reads data.
func (m *mount) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	h := m.handle(in.Fh)
	if h == nil {
		return nil, fuse.EBADF
	}
	if code := m.gate(in.Pid, cancel, h.i, "", len(buf)); code != fuse.OK {
		return nil, code
	}
	n, err := h.i.read(m, h.fd, buf, int64(in.Offset))
	if err != nil {
		return nil, status(err)
	}
	return fuse.ReadResultData(buf[:n]), fuse.OK
}

// Write writes data into the node.
func (m *mount) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	h := m.handle(in.Fh)
	if h == nil {
		return 0, fuse.EBADF
	}
	if code := m.gate(in.Pid, cancel, h.i, "", len(data)); code != fuse.OK {
		return 0, code
	}
	off := int64(in.Offset)
	if in.Flags&unix.O_APPEND != 0 {
		off = -1 // the kernel's idea of the end may be old
	}
	if err := h.i.write(m, data, off, in.Flags&unix.O_DSYNC != 0); err != nil {
		return 0, status(err)
	}
	return uint32(len(data)), fuse.OK
}

// Fsync writes back what this node holds of the file.
func (m *mount) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	i, code := m.begin(&in.InHeader, cancel, "")
	if code != fuse.OK {
		return code
	}
	defer i.letGo()
	return status(m.change(func() error { return i.flush(m) }))
}

// FsyncDir has nothing to do: names are synchronous.
func (m *mount) FsyncDir(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	i, code := m.begin(&in.InHeader, cancel, "")
	if code == fuse.OK {
		i.letGo()
	}
	return code
}

// Fallocate allocates, punches holes, zeroes.
func (m *mount) Fallocate(cancel <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	h := m.handle(in.Fh)
	if h == nil {
		return fuse.EBADF
	}
	if code := m.gate(in.Pid, cancel, h.i, "", 0); code != fuse.OK {
		return code
	}
	if m.node.faults.isFull() && in.Mode&unix.FALLOC_FL_PUNCH_HOLE == 0 {
		return fuse.Status(unix.ENOSPC)
	}
	return status(m.change(func() error {
		h.i.mu.Lock()
		defer h.i.mu.Unlock()
		if err := h.i.flushAllLocked(); err != nil {
			return err
		}
		return unix.Fallocate(h.fd, in.Mode, int64(in.Offset), int64(in.Length))
	}))
}

// Lseek is SEEK_DATA and SEEK_HOLE.
func (m *mount) Lseek(cancel <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	h := m.handle(in.Fh)
	if h == nil {
		return fuse.EBADF
	}
	if code := m.gate(in.Pid, cancel, h.i, "", 0); code != fuse.OK {
		return code
	}
	h.i.mu.Lock()
	defer h.i.mu.Unlock()
	if err := h.i.flushAllLocked(); err != nil {
		return status(err)
	}
	off, err := unix.Seek(h.fd, int64(in.Offset), int(in.Whence))
	if err != nil {
		return status(err)
	}
	out.Offset = uint64(off)
	return fuse.OK
}
