package demux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"

	"smbproxy/demux/layout"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// layoutXattr is the attribute that a Lustre client shows to everybody.
const layoutXattr = "lustre.lov"

// mount is a share's file system as this host sees it.
type mount struct {
	root string // the directory that is the root of the share
	attr string // for tests on file systems that are no Lustre; empty: layoutXattr
}

// attribute is the name of the attribute with the layout.
func (m *mount) attribute() string {
	if m.attr != "" {
		return m.attr
	}
	return layoutXattr
}

// layoutTimeout is how long a READ or WRITE waits for a layout. A file system that hangs must not take more than one file's
// requests with it, and those only so long.
const layoutTimeout = time.Second

// layout reads the layout of the file at path, in the share's spelling. errNoLayout: the file system has none for it.
func (m *mount) layout(path string) (*layout.Layout, error) {
	root, err := unix.Open(m.root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: m.root, Err: err}
	}
	defer unix.Close(root)
	// Nothing on the way may lead out of the share: names are clients', and so are symbolic links.
	fd, err := unix.Openat2(root, strings.ReplaceAll(path, `\`, "/"), &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, &os.PathError{Op: "openat2", Path: path, Err: err}
	}
	defer unix.Close(fd)
	// An O_PATH descriptor opens nothing at the OSTs and restores nothing from an archive; its attributes are had by its name.
	b, err := xattr.Get(fmt.Sprintf("/proc/self/fd/%d", fd), m.attribute())
	switch {
	case errors.Is(err, xattr.ENOATTR), errors.Is(err, unix.EOPNOTSUPP):
		return nil, errNoLayout
	case err != nil:
		return nil, err
	}
	return layout.Decode(b)
}

// errNoLayout is for files that the file system says nothing about.
var errNoLayout = errors.New("no layout")

// readLayout reads the file's layout; where there is none that can be read, the share's rule holds for a while. One reads,
// others wait. Blocks for layoutTimeout at most.
func (s *spread) readLayout(ctx context.Context, r *session.Request) *layout.Layout {
	f := s.file
	f.mu.Lock()
	done := f.reads
	first := done == nil
	if first {
		done = make(chan struct{})
		f.reads = done
	}
	f.mu.Unlock()
	if first {
		name := s.diskName(ctx, r)
		// Nobody waits for its end: what hangs in the file system cannot be called off. There is one at most for each open file.
		go s.readNow(done, name)
	}
	timeout := time.NewTimer(layoutTimeout)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
		s.open.tree.demux.log.Warn("the file system does not say where a file lies", "share", s.open.tree.share.Name, "mount_point", s.how.mount.root)
		f.keep(s.how.rule.For(f.key.ID))
	case <-ctx.Done():
	}
	if l := f.layout.Load(); l != nil {
		return l
	}
	return s.how.rule.For(f.key.ID)
}

// readNow reads the layout and closes done.
func (s *spread) readNow(done chan struct{}, path string) {
	f := s.file
	l, err := s.how.mount.layout(path)
	if err != nil {
		l = s.how.rule.For(f.key.ID)
		var broken *layout.FormatError
		if errors.As(err, &broken) {
			s.open.tree.demux.log.Warn("a file's layout cannot be read", "share", s.open.tree.share.Name, "error", err)
		}
	}
	f.keep(l)
	f.mu.Lock()
	f.reads = nil
	f.mu.Unlock()
	close(done)
}

// diskName is the file's name as the file system spells it: clients need not have the case right.
func (s *spread) diskName(ctx context.Context, r *session.Request) string {
	held := s.open.held()
	h, reply, err := ask(ctx, r, held.at, newRequest(smb2.CommandQueryInfo, &smb2.QueryInfoRequest{
		InfoType: smb2.InfoFile, FileInfoClass: smb2.FileNormalizedNameInformation, OutputBufferLength: 4096, FileID: held.fid.Wire(),
	}, 64), 1)
	var m smb2.QueryInfoResponse
	var info smb2.FileNameInfo
	if decodeDone(h, reply, err, &m) != nil || info.Decode(m.OutputBuffer) != nil {
		return s.open.Name()
	}
	name, _ := splitStream(strings.TrimPrefix(info.FileName, `\`))
	return name
}
