package clusterfs

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// Values of Lustre's layout xattr, little-endian (include/uapi/linux/lustre/lustre_user.h).
const (
	MagicV1   = 0x0BD10BD0 // struct lov_mds_md_v1
	MagicV3   = 0x0BD30BD0 // struct lov_mds_md_v3: with a pool's name
	MagicComp = 0x0BD60BD0 // struct lov_comp_md_v1: components

	PatternRAID0    = 1          // striped
	PatternMDT      = 0x100      // the data lies on the MDT
	PatternReleased = 0x80000000 // the data lies in an archive

	ComponentStale = 1    // LCME_FL_STALE: a mirror behind the others
	ComponentInit  = 0x10 // LCME_FL_INIT: it has objects

	// EOF is the end of a component that has none.
	EOF = math.MaxUint64
)

// Stripes is the layout of a file, or of one component of it.
type Stripes struct {
	Pattern uint32   // 0: PatternRAID0
	Size    uint32   // of a stripe in bytes; 0: 1 MiB
	Count   int      // of stripes; 0: 1; of a directory, -1: every OST
	OSTs    []uint32 // which ones, in order; nil: the cluster chooses, as for Count
	Pool    string   // not "": the record is a v3
	V3      bool     // a v3 without a pool's name
}

// Component is a part of a composite layout.
type Component struct {
	ID         uint32 // 0: numbered from 1; mirrors have their number in bits 30:16
	Flags      uint32 // ComponentInit is added to those that begin at 0; the others get objects when they are first written
	Start, End uint64
	Stripes
}

// Layout is what lustre.lov of a file is built from. With Components Stripes does not count.
type Layout struct {
	Stripes
	Components []Component
	FLR        uint16 // state of a mirrored file, low bits of the composite's flags
	Mirrors    uint16 // how many mirrors there are, 0: none
}

// layouts are those of all files that have one, by inode number.
type layouts struct {
	any  atomic.Bool
	osts int

	mu     sync.RWMutex // guards what is below
	files  map[uint64]*fileLayout
	dirs   map[uint64]Layout
	nextID uint64 // of an object
	next   uint32 // the OST that the next file begins on
}

// fileLayout is a layout with its objects.
type fileLayout struct {
	Layout
	ino     uint64
	gen     uint32
	objects [][]object // by component; one element without components
}

// object is a stripe: an object of an OST.
type object struct {
	id  uint64
	ost uint32
}

func (l *layouts) init(osts int) {
	l.osts, l.files, l.dirs, l.nextID = osts, map[uint64]*fileLayout{}, map[uint64]Layout{}, 1000
}

// SetLayout gives a layout to the file at path, from the root of any node, or to a directory: for
// what is made in it from then on.
func (c *Cluster) SetLayout(path string, layout Layout) error {
	i, isDir, err := c.walk(path)
	if err != nil {
		return err
	}
	defer c.drop(i)
	c.layouts.mu.Lock()
	defer c.layouts.mu.Unlock()
	c.layouts.any.Store(true)
	if isDir {
		c.layouts.dirs[i.ino] = layout
		return nil
	}
	gen := uint32(0)
	if old := c.layouts.files[i.ino]; old != nil {
		gen = old.gen
	}
	c.layouts.allocateLocked(i.ino, layout, gen+1)
	return nil
}

// inherit gives a new file the layout of the directory it is made in, or none.
func (l *layouts) inherit(parent, child uint64, isDir bool) {
	if !l.any.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.files, child) // of a file that had this number before
	delete(l.dirs, child)
	layout, ok := l.dirs[parent]
	switch {
	case !ok:
	case isDir:
		l.dirs[child] = layout
	default:
		l.allocateLocked(child, layout, 1)
	}
}

// allocateLocked makes a file's layout with objects.
func (l *layouts) allocateLocked(ino uint64, layout Layout, gen uint32) {
	f := &fileLayout{Layout: layout, ino: ino, gen: gen, objects: make([][]object, max(1, len(layout.Components)))}
	f.Components = slices.Clone(layout.Components)
	l.files[ino] = f
	if len(f.Components) == 0 {
		f.objects[0] = l.objectsLocked(layout.Stripes)
		return
	}
	for n := range f.Components {
		part := &f.Components[n]
		if part.ID == 0 {
			part.ID = uint32(n + 1)
		}
		if part.Start == 0 {
			part.Flags |= ComponentInit
		}
		if part.Flags&ComponentInit != 0 {
			f.objects[n] = l.objectsLocked(part.Stripes)
		}
	}
}

// objectsLocked chooses OSTs and makes their objects.
func (l *layouts) objectsLocked(s Stripes) []object {
	if s.Pattern&PatternMDT != 0 {
		return nil
	}
	osts := s.OSTs
	if osts == nil {
		count := s.Count
		if count < 0 {
			count = l.osts
		}
		for n := range uint32(max(count, 1)) {
			osts = append(osts, (l.next+n)%uint32(l.osts))
		}
		l.next = (l.next + 1) % uint32(l.osts)
	}
	out := make([]object, len(osts))
	for n, ost := range osts {
		l.nextID++
		out[n] = object{l.nextID, ost}
	}
	return out
}

// instantiate gives objects to the components of a file that bytes from off up to end lie in, as
// a client's write does on Lustre. The layout's generation tells.
func (l *layouts) instantiate(ino uint64, off, end int64) {
	if !l.any.Load() {
		return
	}
	l.mu.RLock()
	f := l.files[ino]
	idle := f == nil || !slices.ContainsFunc(f.Components, func(p Component) bool { return p.Flags&ComponentInit == 0 })
	l.mu.RUnlock()
	if idle {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := range f.Components {
		p := &f.Components[n]
		if p.Flags&ComponentInit == 0 && p.Start < uint64(end) && uint64(off) < p.End {
			p.Flags |= ComponentInit
			f.objects[n] = l.objectsLocked(p.Stripes)
			f.gen++
		}
	}
}

// blob is lustre.lov of a file or directory, nil if it has none.
func (l *layouts) blob(ino uint64) []byte {
	if !l.any.Load() {
		return nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if f := l.files[ino]; f != nil {
		return f.encode()
	}
	if d, ok := l.dirs[ino]; ok {
		return (&fileLayout{Layout: d, objects: make([][]object, max(1, len(d.Components)))}).encode()
	}
	return nil
}

// Layouts of struct lov_comp_md_v1 and its entries, in bytes.
const (
	compHeader = 32
	compEntry  = 48
)

func (f *fileLayout) encode() []byte {
	if len(f.Components) == 0 {
		// getxattr clears a plain layout's generation: the field means another thing in setxattr.
		return f.Stripes.encode(f.ino, f.objects[0])
	}
	head := compHeader + compEntry*len(f.Components)
	out := make([]byte, head)
	le := binary.LittleEndian
	le.PutUint32(out[0:], MagicComp)
	le.PutUint32(out[8:], f.gen)
	le.PutUint16(out[12:], f.FLR)
	le.PutUint16(out[14:], uint16(len(f.Components)))
	if f.Mirrors > 0 {
		le.PutUint16(out[16:], f.Mirrors-1)
	}
	for n, p := range f.Components {
		e := out[compHeader+compEntry*n:]
		blob := p.encode(f.ino, f.objects[n])
		le.PutUint32(e[0:], p.ID)
		le.PutUint32(e[4:], p.Flags)
		le.PutUint64(e[8:], p.Start)
		le.PutUint64(e[16:], p.End)
		le.PutUint32(e[24:], uint32(len(out)))
		le.PutUint32(e[28:], uint32(len(blob)))
		out = append(out, blob...)
		for len(out)%8 != 0 {
			out = append(out, 0)
		}
	}
	le.PutUint32(out[4:], uint32(len(out)))
	return out
}

// encode is a v1 or v3 record: of a file with its objects, else of a plan.
func (s Stripes) encode(ino uint64, objects []object) []byte {
	le := binary.LittleEndian
	magic, head := uint32(MagicV1), 32
	if s.V3 || s.Pool != "" {
		magic, head = MagicV3, 48
	}
	out := make([]byte, head, head+24*len(objects))
	size, count, pattern := s.Size, s.Count, s.Pattern
	if size == 0 {
		size = 1 << 20
	}
	if pattern&0xFFFF == 0 {
		pattern |= PatternRAID0
	}
	if len(objects) > 0 {
		count = len(objects)
	} else if count == 0 && pattern&PatternMDT == 0 {
		count = max(1, len(s.OSTs))
	}
	le.PutUint32(out[0:], magic)
	le.PutUint32(out[4:], pattern)
	le.PutUint64(out[8:], ino)          // lmm_oi.oi_id: the file's own FID, its object number
	le.PutUint64(out[16:], 0x200000401) // and sequence
	le.PutUint32(out[24:], size)
	le.PutUint16(out[28:], uint16(count)) // 65535: every OST
	if head == 48 {
		copy(out[32:47], s.Pool)
	}
	for _, o := range objects {
		var e [24]byte
		le.PutUint64(e[0:], o.id) // l_ost_oi: an object of group 0
		le.PutUint32(e[20:], o.ost)
		out = append(out, e[:]...)
	}
	if len(objects) == 0 && ino == 0 {
		le.PutUint16(out[30:], 0xFFFF) // stripe_offset: the file system chooses
	}
	return out
}
