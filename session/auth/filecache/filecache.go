// Package filecache keeps the parsed form of a small file of the administrator (accounts,
// keys) and reads the file again when it changes.
//
// A bad file at start is an error; a bad file later keeps the last good value, is
// logged once per fault, and stays visible through Err, for a metric.
package filecache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// maxSize bounds what is read into memory: 64 MiB is more than half a million accounts.
const maxSize = 64 << 20

// CheckEvery is the least time between two looks at the file. Logons in between use
// what is known.
const CheckEvery = time.Second

// settle is how old a file's last change must be when we read it, to be sure that a later
// change gives it another time stamp: kernels stamp files with the tick, not the clock.
const settle = 100 * time.Millisecond

// stamp tells one state of a file from another. ctime catches what mtime does not: a
// file put back with its old mtime.
type stamp struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
}

// File is one cached file. Safe for concurrent use.
type File[T any] struct {
	path  string
	parse func(path string, data []byte) (T, error)
	now   func() time.Time
	log   *slog.Logger

	value atomic.Pointer[T]
	fault atomic.Pointer[error]

	look    sync.Mutex // held by the one caller that looks at the file; others do not wait. Guards the rest.
	checked time.Time
	seen    stamp
	unsure  bool // read so soon after a change that the next change may leave the stamp as it is
}

// Open reads path for the first time. parse must not keep data and must not quote secrets in
// its errors. now may be nil for time.Now, log for slog.Default.
func Open[T any](path string, parse func(path string, data []byte) (T, error), now func() time.Time, log *slog.Logger) (*File[T], error) {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.Default()
	}
	f := &File[T]{path: path, parse: parse, now: now, log: log}
	f.look.Lock()
	defer f.look.Unlock()
	f.checked = now()
	if err := f.readLocked(); err != nil {
		return nil, err
	}
	return f, nil
}

// Get returns the newest good value. The caller that finds the file changed reads it; the
// others go on with what there is meanwhile.
func (f *File[T]) Get() T {
	if f.look.TryLock() {
		if now := f.now(); now.Sub(f.checked) >= CheckEvery || now.Before(f.checked) {
			f.checked = now
			f.refreshLocked()
		}
		f.look.Unlock()
	}
	return *f.value.Load()
}

// Err is what is wrong with the file as it is now; nil when Get returns its content.
func (f *File[T]) Err() error {
	if p := f.fault.Load(); p != nil {
		return *p
	}
	return nil
}

// refreshLocked reads the file if it is not the one that was read last.
func (f *File[T]) refreshLocked() {
	info, err := os.Stat(f.path)
	if err == nil && !f.unsure && stampOf(info) == f.seen {
		return
	}
	if err == nil {
		err = f.readLocked()
	}
	old := f.Err()
	switch {
	case err == nil && old != nil:
		f.log.Info("file is good again", "file", f.path)
	case err != nil && (old == nil || old.Error() != err.Error()):
		f.log.Error("file cannot be used, the last good content stays in force", "file", f.path, "error", err)
	}
	f.fault.Store(&err)
}

// readLocked reads and parses the file and, if all is well, puts it in force. The stamp is
// remembered even of a broken file: it is not parsed again until it changes.
func (f *File[T]) readLocked() error {
	fd, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer fd.Close()
	info, err := fd.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "read", Path: f.path, Err: errors.New("not a regular file")}
	}
	data, err := io.ReadAll(io.LimitReader(fd, maxSize+1))
	if err != nil {
		return err
	}
	defer clear(data)
	after, err := fd.Stat()
	if err != nil {
		return err
	}
	before := stampOf(info)
	if before != stampOf(after) {
		f.unsure = true
		return fmt.Errorf("%s: changed while it was read", f.path)
	}
	if len(data) > maxSize {
		return fmt.Errorf("%s: larger than %d bytes", f.path, maxSize)
	}
	changed := f.seen != before
	f.seen = before
	f.unsure = f.now().Sub(time.Unix(before.ctime.Unix())) < settle
	value, err := f.parse(f.path, data)
	if err != nil {
		return err
	}
	f.value.Store(&value)
	if changed && info.Mode().Perm()&0o004 != 0 {
		f.log.Warn("file with secrets is readable by everyone, make it 0600", "file", f.path, "mode", info.Mode().Perm().String())
	}
	return nil
}

// stampOf takes the stamp from a stat result.
func stampOf(info fs.FileInfo) stamp {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{size: info.Size()}
	}
	return stamp{dev: st.Dev, ino: st.Ino, size: st.Size, mtime: st.Mtim, ctime: st.Ctim}
}
