package clusterfs

import (
	"errors"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// enotconn is what users of a dead node get, also for what was under way.
const enotconn = unix.ENOTCONN

// status is the FUSE status of an error of this package.
func status(err error) fuse.Status {
	var errno unix.Errno
	switch {
	case err == nil:
		return fuse.OK
	case errors.As(err, &errno):
		return fuse.Status(errno)
	}
	return fuse.EIO
}

// inode is the file of a FUSE node id, which is its inode number but for the root's 1. The kernel
// names only what it knows, so there is one while it knows it.
func (m *mount) inode(id uint64) *inode {
	if id == fuse.FUSE_ROOT_ID {
		return m.c.root
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.lookups[id]; l != nil {
		return l.i
	}
	return nil
}

// begin finds the file of a request, holds it, and lets the request wait as the node's faults say.
// Where the status is OK the request has to let go of the file at its end.
func (m *mount) begin(h *fuse.InHeader, cancel <-chan struct{}, name string) (*inode, fuse.Status) {
	i, code := m.held(h.NodeId)
	if code != fuse.OK {
		return nil, code
	}
	if code := m.gate(h.Pid, cancel, i, name, 0); code != fuse.OK {
		i.letGo()
		return nil, code
	}
	return i, fuse.OK
}

// held is the file of a node id, held.
func (m *mount) held(id uint64) (*inode, fuse.Status) {
	i := m.inode(id)
	if i == nil {
		return nil, fuse.Status(unix.ESTALE)
	}
	return i, status(i.hold())
}

// entry answers with a file, whose one reference and hold it takes over.
func (m *mount) entry(i *inode, out *fuse.EntryOut) fuse.Status {
	st, err := i.stat()
	i.letGo()
	if err != nil {
		m.c.unref(i, 1)
		return status(err)
	}
	m.mu.Lock()
	l := m.lookups[i.ino]
	if l == nil {
		l = &looked{i: i}
		m.lookups[i.ino] = l
	}
	l.n++
	m.mu.Unlock()
	// Timeouts stay zero: another node may change it now.
	out.NodeId, out.Generation = i.ino, 1
	fillAttr(&out.Attr, &st)
	return fuse.OK
}

// Forget is the kernel giving lookups back.
func (m *mount) Forget(id, n uint64) {
	m.mu.Lock()
	l := m.lookups[id]
	if l != nil {
		n = min(n, l.n)
		if l.n -= n; l.n == 0 {
			delete(m.lookups, id)
		}
	}
	m.mu.Unlock()
	if l != nil {
		m.c.unref(l.i, n)
	}
}

func fillAttr(a *fuse.Attr, st *unix.Statx_t) {
	*a = fuse.Attr{
		Ino: st.Ino, Size: st.Size, Blocks: st.Blocks, Mode: uint32(st.Mode), Nlink: st.Nlink,
		Atime: uint64(st.Atime.Sec), Atimensec: st.Atime.Nsec, Mtime: uint64(st.Mtime.Sec), Mtimensec: st.Mtime.Nsec,
		Ctime: uint64(st.Ctime.Sec), Ctimensec: st.Ctime.Nsec, Owner: fuse.Owner{Uid: st.Uid, Gid: st.Gid},
		Rdev: uint32(unix.Mkdev(st.Rdev_major, st.Rdev_minor)), Blksize: st.Blksize,
	}
}

// GetAttr is stat.
func (m *mount) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	i, code := m.begin(&in.InHeader, cancel, "")
	if code != fuse.OK {
		return code
	}
	defer i.letGo()
	st, err := i.stat()
	if err != nil {
		return status(err)
	}
	fillAttr(&out.Attr, &st)
	return fuse.OK
}

// Statx is stat with the birth time.
func (m *mount) Statx(cancel <-chan struct{}, in *fuse.StatxIn, out *fuse.StatxOut) fuse.Status {
	i, code := m.begin(&in.InHeader, cancel, "")
	if code != fuse.OK {
		return code
	}
	defer i.letGo()
	st, err := i.stat()
	if err != nil {
		return status(err)
	}
	out.FromStatx(&st)
	return fuse.OK
}

// SetAttr is chmod, chown, truncate and utimes, which the kernel has allowed.
func (m *mount) SetAttr(cancel <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	i, code := m.begin(&in.InHeader, cancel, "")
	if code != fuse.OK {
		return code
	}
	defer i.letGo()
	m.life.RLock()
	defer m.life.RUnlock()
	if m.isDead() {
		return fuse.Status(enotconn)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	st, err := m.setAttrLocked(i, in)
	if err != nil {
		return status(err)
	}
	fillAttr(&out.Attr, &st)
	return fuse.OK
}

func (m *mount) setAttrLocked(i *inode, in *fuse.SetAttrIn) (unix.Statx_t, error) {
	if size, ok := in.GetSize(); ok {
		now, err := i.sizeLocked()
		if err != nil {
			return unix.Statx_t{}, err
		}
		if int64(size) > now && m.node.faults.isFull() {
			return unix.Statx_t{}, unix.ENOSPC
		}
		if err := i.truncateLocked(int64(size)); err != nil {
			return unix.Statx_t{}, err
		}
	}
	uid, newUID := in.GetUID()
	gid, newGID := in.GetGID()
	if newUID || newGID {
		// -1 leaves one as it is.
		if err := unix.Fchownat(i.fd, "", int(int32(uid)), int(int32(gid)), unix.AT_EMPTY_PATH); err != nil {
			return unix.Statx_t{}, err
		}
	}
	if mode, ok := in.GetMode(); ok { // behind chown, which takes set-user-id away
		if err := unix.Chmod(proc(i.fd), mode); err != nil {
			return unix.Statx_t{}, err
		}
	}
	if err := i.setTimesLocked(in); err != nil {
		return unix.Statx_t{}, err
	}
	return i.statLocked()
}

func (i *inode) setTimesLocked(in *fuse.SetAttrIn) error {
	ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_OMIT}}
	atime, setA := in.GetATime()
	mtime, setM := in.GetMTime()
	if !setA && !setM {
		return nil
	}
	if setA {
		ts[0] = timespec(atime)
	}
	if setM {
		ts[1] = timespec(mtime)
		i.written = mtime
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, proc(i.fd), ts, 0)
}

func timespec(t time.Time) unix.Timespec {
	return unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}

// StatFs is statfs.
func (m *mount) StatFs(cancel <-chan struct{}, in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	i, code := m.begin(in, cancel, "")
	if code != fuse.OK {
		return code
	}
	defer i.letGo()
	var st unix.Statfs_t
	if err := unix.Fstatfs(i.fd, &st); err != nil {
		return status(err)
	}
	*out = fuse.StatfsOut{Blocks: st.Blocks, Bfree: st.Bfree, Bavail: st.Bavail, Files: st.Files, Ffree: st.Ffree,
		Bsize: uint32(st.Bsize), NameLen: uint32(st.Namelen), Frsize: uint32(st.Frsize)}
	if m.node.faults.isFull() {
		out.Bfree, out.Bavail = 0, 0
	}
	return fuse.OK
}
