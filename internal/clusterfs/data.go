package clusterfs

import (
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// read fills p from off as node m sees the file, and returns how many bytes there are. What other
// nodes hold of it they write back first.
func (i *inode) read(m *mount, fd int, p []byte, off int64) (int, error) {
	end := off + int64(len(p))
	i.mu.RLock()
	if i.othersLocked(m, off, end) {
		i.mu.RUnlock()
		i.mu.Lock()
		err := i.flushOthersLocked(m, off, end)
		i.mu.Unlock()
		if err != nil {
			return 0, err
		}
		i.mu.RLock()
	}
	defer i.mu.RUnlock()
	n, err := preadFull(fd, p, off)
	if err != nil || len(i.dirty) == 0 {
		return n, err
	}
	size, err := i.sizeLocked()
	if err != nil {
		return 0, err
	}
	want := int(min(max(size-off, 0), int64(len(p))))
	if n < want {
		clear(p[n:want]) // a hole that dirty data further behind makes
		n = want
	}
	if d := i.dirty[m]; d != nil {
		d.overlay(p[:n], off)
	}
	return n, nil
}

// preadFull reads until p is full or the tree's file ends.
func preadFull(fd int, p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		k, err := unix.Pread(fd, p[n:], off+int64(n))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return n, err
		}
		if k == 0 {
			break
		}
		n += k
	}
	return n, nil
}

// write puts p at off, or at the end of the file when off is negative, and leaves it in the node.
func (i *inode) write(m *mount, p []byte, off int64, through bool) error {
	m.life.RLock()
	defer m.life.RUnlock()
	if m.isDead() {
		return unix.ENOTCONN
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	size, err := i.sizeLocked()
	if err != nil {
		return err
	}
	if off < 0 {
		off = size
	}
	end := off + int64(len(p))
	if end > size && m.node.faults.isFull() {
		return unix.ENOSPC
	}
	if err := i.flushOthersLocked(m, off, end); err != nil {
		return err
	}
	d, err := i.dirtyLocked(m)
	if err != nil {
		return err
	}
	before := d.bytes
	d.write(off, p)
	m.count(d.bytes - before)
	i.written = time.Now()
	i.c.layouts.instantiate(i.ino, off, end)
	if through || m.overfull() {
		return i.flushLocked(m, 0, maxOffset)
	}
	return nil
}

// maxOffset is behind every byte of a file.
const maxOffset = 1<<63 - 1

// dirtyLocked is what m holds of this file, made when it is the first.
func (i *inode) dirtyLocked(m *mount) (*dirty, error) {
	if d := i.dirty[m]; d != nil {
		return d, nil
	}
	if len(i.dirty) == 0 {
		fd, err := unix.Open(proc(i.fd), unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("open for writing: %w", err)
		}
		i.dataFD = fd
		i.dirty = map[*mount]*dirty{}
	}
	d := &dirty{since: time.Now()}
	i.dirty[m] = d
	m.pin(i)
	return d, nil
}

// othersLocked tells whether another node than m holds bytes from off up to end.
func (i *inode) othersLocked(m *mount, off, end int64) bool {
	for other, d := range i.dirty {
		if other != m && d.overlaps(off, end) {
			return true
		}
	}
	return false
}

// flushOthersLocked makes every node but m write back what it holds from off up to end.
func (i *inode) flushOthersLocked(m *mount, off, end int64) error {
	var errs []error
	for other, d := range i.dirty {
		if other != m && d.overlaps(off, end) {
			errs = append(errs, i.flushLocked(other, off, end))
		}
	}
	return errors.Join(errs...)
}

// flushAllLocked makes every node write back all that it holds of the file.
func (i *inode) flushAllLocked() error { return i.flushOthersLocked(nil, 0, maxOffset) }

// flushLocked writes back what m holds from off up to end. What cannot be written is lost, as in a
// kernel's page cache, and m's next fsync says so; so does this call.
func (i *inode) flushLocked(m *mount, off, end int64) error {
	d := i.dirty[m]
	if d == nil {
		return nil
	}
	shown, err := i.statLocked()
	if err != nil {
		return err
	}
	before := d.bytes
	for _, e := range d.take(off, end) {
		if err == nil {
			err = pwriteFull(i.dataFD, e.data, e.off)
		}
	}
	m.count(d.bytes - before)
	// The write was made when it was made, and not now.
	if terr := i.setMtime(i.written); err == nil {
		err = terr
	}
	if now, serr := statFD(i.fd); serr == nil {
		i.ctimeOf, i.ctimeIs = shown.Ctime, now.Ctime
	}
	d.err = errors.Join(d.err, err)
	if len(d.list) == 0 {
		i.cleanLocked(m, d)
	}
	return err
}

// cleanLocked ends what m holds, which is nothing any more or lost with the node.
func (i *inode) cleanLocked(m *mount, d *dirty) {
	m.count(-d.bytes)
	delete(i.dirty, m)
	if len(i.dirty) == 0 {
		_ = unix.Close(i.dataFD) // every write was checked
	}
	m.unpin(i, d.err)
}

func (i *inode) setMtime(t time.Time) error {
	ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(t.UnixNano())}
	return unix.UtimesNanoAt(unix.AT_FDCWD, proc(i.fd), ts, 0)
}

func pwriteFull(fd int, p []byte, off int64) error {
	for len(p) > 0 {
		n, err := unix.Pwrite(fd, p, off)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrShortWrite
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// truncateLocked sets the size: bytes behind it are gone on every node.
func (i *inode) truncateLocked(size int64) error {
	if err := unix.Truncate(proc(i.fd), size); err != nil {
		return err
	}
	for m, d := range i.dirty {
		before := d.bytes
		d.take(size, maxOffset)
		m.count(d.bytes - before)
		if len(d.list) == 0 {
			i.cleanLocked(m, d)
		}
	}
	i.written = time.Now()
	i.c.layouts.instantiate(i.ino, 0, size)
	return nil
}

// drop loses what m holds of the file, as its node is lost.
func (i *inode) drop(m *mount) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if d := i.dirty[m]; d != nil {
		i.cleanLocked(m, d)
	}
}

// flush writes back what m holds of the file and returns what m's next fsync has to say.
func (i *inode) flush(m *mount) error {
	i.mu.Lock()
	err := i.flushLocked(m, 0, maxOffset)
	i.mu.Unlock()
	return errors.Join(m.fault(i), err)
}
