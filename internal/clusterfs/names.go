package clusterfs

import (
	"errors"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Lookup finds a name.
func (m *mount) Lookup(cancel <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	parent, code := m.begin(in, cancel, name)
	if code != fuse.OK {
		return code
	}
	defer parent.letGo()
	parent.names.RLock()
	i, _, err := m.c.find(parent, name)
	parent.names.RUnlock()
	if err != nil {
		return status(err)
	}
	return m.entry(i, out)
}

// change runs do, which changes names, unless the node is dead.
func (m *mount) change(do func() error) error {
	m.life.RLock()
	defer m.life.RUnlock()
	if m.isDead() {
		return enotconn
	}
	return do()
}

// newName is what a file is made with, beside its kind.
type newName struct {
	parent      *inode
	name        string
	uid, gid    uint32
	mode, umask uint32 // as the caller gave it; the umask does not count below a default ACL
	kind        uint32 // S_IFREG, S_IFDIR, 0: has no mode of its own
}

// make makes a name with its owner and layout and returns the file with one reference; do makes it
// as root.
func (m *mount) make(n newName, do func() error) (i *inode, err error) {
	if m.node.faults.isFull() {
		return nil, unix.ENOSPC
	}
	err = m.change(func() error {
		n.parent.names.Lock()
		defer n.parent.names.Unlock()
		if err := do(); err != nil {
			return err
		}
		if i, _, err = m.c.find(n.parent, n.name); err != nil {
			return err
		}
		m.c.layouts.inherit(n.parent.ino, i.ino, n.kind == unix.S_IFDIR)
		if err := n.own(i); err != nil {
			m.c.drop(i)
			i = nil
			return err
		}
		return nil
	})
	return i, err
}

// own gives a file made by root to who asked for it.
func (n newName) own(i *inode) error {
	above, err := statFD(n.parent.fd)
	if err != nil {
		return err
	}
	gid, mode := int(n.gid), n.mode&0o7777
	if above.Mode&unix.S_ISGID != 0 {
		gid = -1 // the tree gave it the directory's
		if n.kind == unix.S_IFDIR {
			mode |= unix.S_ISGID
		}
	}
	if err := unix.Fchownat(i.fd, "", int(n.uid), gid, unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	if n.kind == 0 {
		return nil
	}
	if _, err := unix.Getxattr(proc(n.parent.fd), "system.posix_acl_default", nil); err == nil {
		return nil // the tree has applied it to the mode
	}
	return unix.Chmod(proc(i.fd), mode&^n.umask)
}

// Mkdir makes a directory.
func (m *mount) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	parent, code := m.begin(&in.InHeader, cancel, name)
	if code != fuse.OK {
		return code
	}
	defer parent.letGo()
	i, err := m.make(newName{parent, name, in.Uid, in.Gid, in.Mode, in.Umask, unix.S_IFDIR},
		func() error { return unix.Mkdirat(parent.fd, name, in.Mode&0o7777) })
	if err != nil {
		return status(err)
	}
	return m.entry(i, out)
}

// Mknod makes a special file, or a regular one that is not opened.
func (m *mount) Mknod(cancel <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	parent, code := m.begin(&in.InHeader, cancel, name)
	if code != fuse.OK {
		return code
	}
	defer parent.letGo()
	i, err := m.make(newName{parent, name, in.Uid, in.Gid, in.Mode, in.Umask, in.Mode & unix.S_IFMT},
		func() error { return unix.Mknodat(parent.fd, name, in.Mode, int(in.Rdev)) })
	if err != nil {
		return status(err)
	}
	return m.entry(i, out)
}

// Symlink makes a symbolic link.
func (m *mount) Symlink(cancel <-chan struct{}, in *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	parent, code := m.begin(in, cancel, name)
	if code != fuse.OK {
		return code
	}
	defer parent.letGo()
	i, err := m.make(newName{parent: parent, name: name, uid: in.Uid, gid: in.Gid},
		func() error { return unix.Symlinkat(target, parent.fd, name) })
	if err != nil {
		return status(err)
	}
	return m.entry(i, out)
}

// Readlink reads a symbolic link.
func (m *mount) Readlink(cancel <-chan struct{}, in *fuse.InHeader) ([]byte, fuse.Status) {
	i, code := m.begin(in, cancel, "")
	if code != fuse.OK {
		return nil, code
	}
	defer i.letGo()
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(i.fd, "", buf)
	if err != nil {
		return nil, status(err)
	}
	return buf[:n], fuse.OK
}

// Link gives a file one more name.
func (m *mount) Link(cancel <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	parent, code := m.begin(&in.InHeader, cancel, name)
	if code != fuse.OK {
		return code
	}
	defer parent.letGo()
	i, code := m.held(in.Oldnodeid)
	if code != fuse.OK {
		return code
	}
	err := m.change(func() error {
		parent.names.Lock()
		defer parent.names.Unlock()
		return unix.Linkat(i.fd, "", parent.fd, name, unix.AT_EMPTY_PATH)
	})
	if err != nil {
		i.letGo()
		return status(err)
	}
	m.c.ref(i)
	return m.entry(i, out)
}

// Unlink removes a name of a file.
func (m *mount) Unlink(cancel <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return m.remove(cancel, in, name, 0)
}

// Rmdir removes an empty directory.
func (m *mount) Rmdir(cancel <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return m.remove(cancel, in, name, unix.AT_REMOVEDIR)
}

func (m *mount) remove(cancel <-chan struct{}, in *fuse.InHeader, name string, flags int) fuse.Status {
	parent, code := m.begin(in, cancel, name)
	if code != fuse.OK {
		return code
	}
	defer parent.letGo()
	return status(m.change(func() error {
		parent.names.Lock()
		defer parent.names.Unlock()
		m.c.keepDoomed(parent, name)
		return unix.Unlinkat(parent.fd, name, flags)
	}))
}

// Rename moves a name, over another one too.
func (m *mount) Rename(cancel <-chan struct{}, in *fuse.RenameIn, oldName, newName string) fuse.Status {
	from, code := m.begin(&in.InHeader, cancel, oldName)
	if code != fuse.OK {
		return code
	}
	defer from.letGo()
	to, code := m.held(in.Newdir)
	if code != fuse.OK {
		return code
	}
	defer to.letGo()
	if code := m.gate(in.Pid, cancel, to, newName, 0); code != fuse.OK {
		return code
	}
	return status(m.change(func() error {
		first, second := from, to
		if first.ino > second.ino {
			first, second = second, first
		}
		first.names.Lock()
		defer first.names.Unlock()
		if first != second {
			second.names.Lock()
			defer second.names.Unlock()
		}
		m.c.keepDoomed(to, newName)
		return unix.Renameat2(from.fd, oldName, to.fd, newName, uint(in.Flags))
	}))
}

// isLayout tells whether an xattr is the one that layouts are served by.
func isLayout(attr string) bool { return attr == "lustre.lov" || attr == "trusted.lov" }

// GetXAttr reads an extended attribute.
func (m *mount) GetXAttr(cancel <-chan struct{}, in *fuse.InHeader, attr string, dest []byte) (uint32, fuse.Status) {
	i, code := m.begin(in, cancel, "")
	if code != fuse.OK {
		return 0, code
	}
	defer i.letGo()
	if isLayout(attr) {
		blob := m.c.layouts.blob(i.ino)
		if blob == nil {
			return 0, fuse.ENODATA
		}
		if len(dest) > 0 && len(dest) < len(blob) {
			return uint32(len(blob)), fuse.ERANGE
		}
		copy(dest, blob)
		return uint32(len(blob)), fuse.OK
	}
	n, err := unix.Getxattr(proc(i.fd), attr, dest)
	if err != nil {
		return 0, status(err)
	}
	return uint32(n), fuse.OK
}

// ListXAttr lists extended attributes, the layout's among them as Lustre does.
func (m *mount) ListXAttr(cancel <-chan struct{}, in *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	i, code := m.begin(in, cancel, "")
	if code != fuse.OK {
		return 0, code
	}
	defer i.letGo()
	n, err := unix.Listxattr(proc(i.fd), dest)
	if errors.Is(err, unix.ERANGE) {
		return 0, fuse.ERANGE
	}
	if err != nil {
		return 0, status(err)
	}
	const lov = "lustre.lov\x00"
	if m.c.layouts.blob(i.ino) == nil {
		return uint32(n), fuse.OK
	}
	if len(dest) > 0 && len(dest) < n+len(lov) {
		return uint32(n + len(lov)), fuse.ERANGE
	}
	if len(dest) > 0 {
		copy(dest[n:], lov)
	}
	return uint32(n + len(lov)), fuse.OK
}

// SetXAttr sets an extended attribute.
func (m *mount) SetXAttr(cancel <-chan struct{}, in *fuse.SetXAttrIn, attr string, data []byte) fuse.Status {
	i, code := m.begin(&in.InHeader, cancel, "")
	if code != fuse.OK {
		return code
	}
	defer i.letGo()
	if isLayout(attr) {
		return fuse.ENOTSUP // Lustre's own tools set layouts by ioctl; tests by Cluster.SetLayout
	}
	return status(m.change(func() error { return unix.Setxattr(proc(i.fd), attr, data, int(in.Flags)) }))
}

// RemoveXAttr removes an extended attribute.
func (m *mount) RemoveXAttr(cancel <-chan struct{}, in *fuse.InHeader, attr string) fuse.Status {
	i, code := m.begin(in, cancel, "")
	if code != fuse.OK {
		return code
	}
	defer i.letGo()
	return status(m.change(func() error { return unix.Removexattr(proc(i.fd), attr) }))
}
