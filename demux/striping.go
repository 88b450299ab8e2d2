package demux

import (
	"fmt"

	"smbproxy/demux/layout"
	"smbproxy/internal/smb2"
)

// DataBackend is a backend that serves data of a share's files.
type DataBackend struct {
	Name  string // key of Config.Backends
	Index uint32 // of the OST that is near to it; where there are no layouts only the order counts
	// User may read and write every file there: as him a handle is opened that the client's user is granted
	// but could not open again (DESIGN 7). Empty: such files are served by the backend of their name.
	User string
}

// Striping says which backends serve the data of a share's files (DESIGN 9). Any mapping is correct, since
// all backends see one file system.
type Striping struct {
	Backends []DataBackend // none: the backend of a file's name serves its data
	// Share is the share's name there; empty: as at the backends of names.
	Share string
	// Size and Count are the rule for files of which no layout is known: stripes of Size bytes (0: 1 MiB) over
	// Count of the backends (0: all).
	Size  uint64
	Count int
	// MountPoint is the directory of this host where the root of the share is mounted; layouts are read from there. Empty: the
	// rule holds for all files.
	MountPoint string
}

// defaultStripeSize is Striping.Size where it is not set, bytes.
const defaultStripeSize = 1 << 20

// rule makes the rule for files without layout.
func (s *Striping) rule() (*layout.Rule, error) {
	size := s.Size
	if size == 0 {
		size = defaultStripeSize
	}
	targets := make([]layout.Target, len(s.Backends))
	for i := range targets {
		targets[i] = layout.Target(s.Backends[i].Index)
	}
	return layout.NewRule(size, s.Count, targets)
}

// check reports what is wrong with it.
func (s *Striping) check(known func(name string) bool) []error {
	if len(s.Backends) == 0 {
		return nil
	}
	var faults []error
	index := map[uint32]bool{}
	for _, b := range s.Backends {
		if !known(b.Name) {
			faults = append(faults, fmt.Errorf("no backend %q for data", b.Name))
		}
		if index[b.Index] {
			faults = append(faults, fmt.Errorf("two backends for OST %d", b.Index))
		}
		index[b.Index] = true
	}
	if _, err := s.rule(); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// stripes is a Striping in use. It is immutable.
type stripes struct {
	backends []DataBackend
	places   map[layout.Target]int // of an OST in backends
	rule     *layout.Rule
	mount    *mount // nil: no layouts
	share    string
}

// atName is the place of what the backend of the file's name serves.
const atName = -1

// newStripes is s in use, nil where there is nothing to stripe over. It has been checked.
func newStripes(s *Share) *stripes {
	if len(s.Striping.Backends) == 0 {
		return nil
	}
	out := &stripes{backends: s.Striping.Backends, places: map[layout.Target]int{}, share: s.Striping.Share}
	for i, b := range out.backends {
		out.places[layout.Target(b.Index)] = i
	}
	out.rule, _ = s.Striping.rule()
	if out.share == "" {
		out.share = s.BackendShare
	}
	if s.Striping.MountPoint != "" {
		out.mount = &mount{root: s.Striping.MountPoint}
	}
	return out
}

// place is which of the backends serves a target. An OST that none is near to is served by any, always the same.
func (s *stripes) place(t layout.Target) int {
	if t == layout.MDS {
		return atName
	}
	if i, ok := s.places[t]; ok {
		return i
	}
	return int(t) % len(s.backends)
}

// dataAccess are the rights that have to do with data.
const dataAccess = smb2.FileReadData | smb2.FileWriteData | smb2.FileAppendData | smb2.FileExecute
