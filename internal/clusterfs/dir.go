package clusterfs

import (
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// listing is a directory being read: the kernel's buffer of entries that ours has not taken.
type listing struct {
	mu   sync.Mutex // guards what is below and the descriptor's place
	buf  []byte
	rest []byte // of buf
	next uint64 // the offset behind what was given out
}

// OpenDir opens a directory.
func (m *mount) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	i, code := m.begin(&in.InHeader, cancel, "")
	if code != fuse.OK {
		return code
	}
	defer i.letGo()
	fd, err := unix.Openat(i.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return status(err)
	}
	fh, h := m.open(i, fd)
	h.dir = &listing{buf: make([]byte, 32<<10)}
	out.Fh = fh
	return fuse.OK
}

// ReadDir lists names. Offsets are the tree's own, so that seekdir works.
func (m *mount) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	h := m.handle(in.Fh)
	if h == nil || h.dir == nil {
		return fuse.EBADF
	}
	if code := m.gate(in.Pid, cancel, h.i, "", 0); code != fuse.OK {
		return code
	}
	d := h.dir
	d.mu.Lock()
	defer d.mu.Unlock()
	if in.Offset != d.next || in.Offset == 0 {
		if _, err := unix.Seek(h.fd, int64(in.Offset), unix.SEEK_SET); err != nil {
			return status(err)
		}
		d.next, d.rest = in.Offset, nil
	}
	for {
		if len(d.rest) == 0 {
			n, err := unix.Getdents(h.fd, d.buf)
			if err != nil {
				return status(err)
			}
			if n == 0 {
				return fuse.OK
			}
			d.rest = d.buf[:n]
		}
		var e fuse.DirEntry
		n := e.Parse(d.rest)
		if !out.AddDirEntry(e) {
			return fuse.OK
		}
		d.rest, d.next = d.rest[n:], e.Off
	}
}
