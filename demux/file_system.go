package demux

import (
	"context"
	"slices"
	"strings"
	"sync"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// fileSystems knows which of the numbers that backends have for file systems (st_dev, of which QFid gives
// 32 bits) are one file system: the root of a share is on the same one whichever backend is asked, and so is
// what is mounted below it at one path. The number that clients and the state of open files get is ours.
type fileSystems struct {
	mu    sync.Mutex // guards what follows
	known map[device]uint64
	roots map[string]uint64 // by Share.space and border
}

// device is a file system as a backend names it. A pool is one life of a backend's configuration.
type device struct {
	pool *backend.Pool
	dev  uint64
}

// find is the number of a device, if it has one.
func (f *fileSystems) find(d device) (uint64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, ok := f.known[d]
	return n, ok
}

// enter gives a device that holds the root of space, or what is mounted at path in it, its number.
// Two shares of one backend may have one root device: then it is one file system for both.
func (f *fileSystems) enter(d device, space, path string) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil {
		f.known, f.roots = map[device]uint64{}, map[string]uint64{}
	}
	key := space + "\x00" + foldName(path)
	n, rooted := f.roots[key]
	if seen, ok := f.known[d]; ok {
		n = seen
	} else if !rooted {
		n = hashed(key, 0)
	}
	f.known[d], f.roots[key] = n, n
	return n
}

// seed gives a device the number that it had before a restart.
func (f *fileSystems) seed(d device, n uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil {
		f.known, f.roots = map[device]uint64{}, map[string]uint64{}
	}
	f.known[d] = n
}

// forget drops what is known of a backend: after its node has started again the numbers may be others.
func (f *fileSystems) forget(pool *backend.Pool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for d := range f.known {
		if d.pool == pool {
			delete(f.known, d)
		}
	}
}

// space names the tree that the share's backends export, the same for shares that name the same one.
func (s *Share) space() string {
	if len(s.Backends) == 0 {
		return ""
	}
	return slices.Min(s.Backends) + "\x00" + foldName(s.BackendShare)
}

// fileSystem is the number of the file system that step 2 has found the file on. It asks the backend only
// when it names a file system that it has not named before: where in the share that begins.
func (c *creation) fileSystem(ctx context.Context, dev uint64) (uint64, error) {
	d := device{c.at.pool, dev}
	if n, ok := c.d.volumes.find(d); ok {
		return n, nil
	}
	path, _ := splitStream(c.name)
	border := c.t.share.border(path)
	space := c.t.share.space()
	if border != "" {
		space += "\x00" + foldName(border)
	}
	for end := 0; end <= len(path); end++ {
		if end > 0 && end < len(path) && path[end] != separator {
			continue
		}
		if end < len(border) && end < len(path) {
			continue
		}
		found, err := askDevice(ctx, c.r, c.at, path[:end])
		if err != nil {
			return 0, err
		}
		if found == dev {
			if strings.EqualFold(path[:end], border) {
				return c.d.volumes.enter(d, space, ""), nil
			}
			return c.d.volumes.enter(d, space, path[:end]), nil
		}
	}
	return c.d.volumes.enter(d, space, path), nil
}

// askDevice asks the backend for the file system that path is on; 0 where the user may not know.
func askDevice(ctx context.Context, r *session.Request, at *attachment, path string) (uint64, error) {
	h, reply, err := ask(ctx, r, at, newRequest(smb2.CommandCreate, &smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: smb2.FileReadAttributes, ShareAccess: shareAll,
		CreateDisposition: smb2.FileOpen, Name: path, CreateContexts: []smb2.CreateContext{{Name: []byte(smb2.CreateQueryOnDiskID)}},
	}, 256), 1)
	if err != nil {
		return 0, err
	}
	defer reply.Release()
	if h.Status != ntstatus.Success {
		return 0, nil
	}
	m, fid, err := backendReply(reply)
	if err != nil {
		return 0, ntstatus.UnexpectedNetworkError
	}
	at.refs.Add(1)
	closeAtBackend(at, fid)
	disk, _ := onDiskID(&m)
	return disk.VolumeID, nil
}

// onDiskID takes the QFid context out of a CREATE's reply; false: there is none that can be read.
func onDiskID(m *smb2.CreateResponse) (disk smb2.QueryOnDiskIDResponse, ok bool) {
	i := slices.IndexFunc(m.CreateContexts, func(x smb2.CreateContext) bool { return string(x.Name) == smb2.CreateQueryOnDiskID })
	return disk, i >= 0 && disk.Decode(m.CreateContexts[i].Data) == nil
}
