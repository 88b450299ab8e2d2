package layout

import (
	"encoding/binary"
	"fmt"
)

// Magic numbers at the start of the attribute (lustre_user.h, LOV_USER_MAGIC_*).
const (
	magicV1        = 0x0BD10BD0
	magicV3        = 0x0BD30BD0
	magicSpecific  = 0x0BD50BD0 // v3 whose objects somebody has chosen
	magicComposite = 0x0BD60BD0
	magicForeign   = 0x0BD70BD0
	magicSEL       = 0x0BD80BD0 // composite with self-extending components
)

// Patterns (LOV_PATTERN_*).
const (
	patternRAID0      = 0x001
	patternMDT        = 0x100
	patternOverstripe = 0x200
	patternForeign    = 0x400
	patternCompress   = 0x800
	patternHole       = 0x40000000 // components were lost
	patternReleased   = 0x80000000 // the data are in an archive
)

// Lengths of the structures, bytes.
const (
	sizeV1      = 32 // lov_user_md_v1 without objects
	sizeV3      = 48 // lov_user_md_v3 without objects
	sizeObject  = 24 // lov_user_ost_data_v1
	sizeForeign = 16 // lov_foreign_md without its value
)

// Limits.
const (
	maxStripes = 2000    // LOV_MAX_STRIPE_COUNT
	maxOST     = 0xFFFF  // LOV_ALL_STRIPES: no OST has this index
	maxSize    = 1 << 16 // bytes of an attribute (XATTR_SIZE_MAX)
)

// FormatError is why an attribute is refused.
type FormatError struct {
	Offset int // in the attribute
	Reason string
}

// Error says what is wrong where.
func (e *FormatError) Error() string {
	return fmt.Sprintf("layout, at byte %d: %s", e.Offset, e.Reason)
}

// lov is an attribute, or the part of one that a component is.
type lov struct {
	b     []byte
	base  int // of b in the attribute, for errors
	order binary.ByteOrder
}

func (v lov) u16(off int) uint16 { return v.order.Uint16(v.b[off:]) }
func (v lov) u32(off int) uint32 { return v.order.Uint32(v.b[off:]) }
func (v lov) u64(off int) uint64 { return v.order.Uint64(v.b[off:]) }

// fault is an error about the byte at off of v.
func (v lov) fault(off int, format string, args ...any) error {
	return &FormatError{Offset: v.base + off, Reason: fmt.Sprintf(format, args...)}
}

// Decode reads the value of lustre.lov (or trusted.lov). The error is a *FormatError. Nothing of b is kept.
func Decode(b []byte) (*Layout, error) {
	v := lov{b: b, order: binary.LittleEndian}
	if len(b) < 4 {
		return nil, v.fault(0, "%d bytes are no layout", len(b))
	}
	if len(b) > maxSize {
		return nil, v.fault(maxSize, "%d bytes are more than an attribute can have", len(b))
	}
	if !known(v.u32(0)) {
		if v.order = binary.BigEndian; !known(v.u32(0)) {
			return nil, v.fault(0, "unknown magic %#x", binary.LittleEndian.Uint32(b))
		}
	}
	if m := v.u32(0); m == magicComposite || m == magicSEL {
		return v.composite()
	}
	s, err := v.plain(0, EOF, true)
	if err != nil {
		return nil, err
	}
	list := []segment{s}
	return &Layout{reads: list, writes: list}, nil
}

// known says whether a magic is one of those that have a documented structure.
func known(magic uint32) bool {
	switch magic {
	case magicV1, magicV3, magicSpecific, magicComposite, magicForeign, magicSEL:
		return true
	}
	return false
}

// plain reads a structure that is no composite: the layout of [start, end). Objects that are not instantiated need not be
// there, and what lies at no OST need have none.
func (v lov) plain(start, end uint64, instantiated bool) (segment, error) {
	mds := segment{start: start, end: end, targets: atMDS}
	if len(v.b) < 4 {
		return mds, v.fault(0, "%d bytes are no layout", len(v.b))
	}
	size := sizeV1
	switch magic := v.u32(0); magic {
	case magicV1:
	case magicV3, magicSpecific:
		size = sizeV3
	case magicForeign:
		return mds, v.foreign()
	default:
		return mds, v.fault(0, "a layout of magic %#x cannot stand here", magic)
	}
	if len(v.b) < size {
		return mds, v.fault(0, "cut off after %d of %d bytes", len(v.b), size)
	}
	pattern := v.u32(4)
	switch kind := pattern &^ (patternHole | patternReleased | patternOverstripe | patternCompress); {
	case kind == patternMDT, kind == patternForeign, kind == patternRAID0 && pattern&(patternHole|patternReleased) != 0:
		return mds, nil
	case kind != patternRAID0:
		return mds, v.fault(4, "unknown pattern %#x", pattern)
	case !instantiated:
		return mds, nil
	}
	return v.objects(start, end, size)
}

// objects reads the stripes of a RAID0 whose objects begin at off.
func (v lov) objects(start, end uint64, off int) (segment, error) {
	stripe, count := uint64(v.u32(24)), int(v.u16(28))
	switch {
	case stripe == 0:
		return segment{}, v.fault(24, "stripe size is 0")
	case count == 0:
		return segment{}, v.fault(28, "stripe count is 0")
	case count > maxStripes:
		return segment{}, v.fault(28, "stripe count %d is above %d", count, maxStripes)
	case len(v.b) < off+count*sizeObject:
		return segment{}, v.fault(28, "%d stripes need %d bytes, there are %d", count, off+count*sizeObject, len(v.b))
	}
	targets := make([]Target, count)
	for i := range targets {
		at := off + i*sizeObject + 20
		if targets[i] = Target(v.u32(at)); targets[i] >= maxOST {
			return segment{}, v.fault(at, "%#x is no index of an OST", uint32(targets[i]))
		}
	}
	return striped(start, end, stripe, targets), nil
}

// foreign checks a lov_foreign_md, whose value is for others.
func (v lov) foreign() error {
	if len(v.b) < sizeForeign {
		return v.fault(0, "cut off after %d of %d bytes", len(v.b), sizeForeign)
	}
	if n := uint64(v.u32(4)); n > uint64(len(v.b)-sizeForeign) {
		return v.fault(4, "foreign value of %d bytes, there are %d", n, len(v.b)-sizeForeign)
	}
	return nil
}
