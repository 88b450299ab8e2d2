package layout

import "encoding/binary"

// wire builds attributes field by field from the documented structures, in either byte order.
type wire struct {
	order binary.AppendByteOrder
	b     []byte
}

func (w *wire) u16(v uint16) *wire  { w.b = w.order.AppendUint16(w.b, v); return w }
func (w *wire) u32(v uint32) *wire  { w.b = w.order.AppendUint32(w.b, v); return w }
func (w *wire) u64(v uint64) *wire  { w.b = w.order.AppendUint64(w.b, v); return w }
func (w *wire) raw(b ...byte) *wire { w.b = append(w.b, b...); return w }

// plainSpec is a lov_user_md_v1 or _v3.
type plainSpec struct {
	magic, pattern, size uint32
	count                int // -1: as many as osts
	osts                 []uint32
}

// build is its bytes.
func (s plainSpec) build(order binary.AppendByteOrder) []byte {
	w := &wire{order: order}
	n := s.count
	if n < 0 {
		n = len(s.osts)
	}
	// lmm_magic, lmm_pattern, lmm_oi (FID of the object on the MDT), lmm_stripe_size, lmm_stripe_count, lmm_layout_gen
	w.u32(s.magic).u32(s.pattern).u64(0x2000013A1).u64(0x5).u32(s.size).u16(uint16(n)).u16(7)
	if s.magic != magicV1 {
		w.raw([]byte("flash\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")...) // lmm_pool_name
	}
	for i, ost := range s.osts {
		w.u64(uint64(0x1000 + i)).u64(uint64(ost) << 32).u32(0).u32(ost) // l_ost_oi, l_ost_gen, l_ost_idx
	}
	return w.b
}

// entrySpec is a component.
type entrySpec struct {
	id, flags  uint32
	start, end uint64
	blob       func(binary.AppendByteOrder) []byte
}

// compositeSpec is a lov_comp_md_v1.
type compositeSpec struct {
	magic   uint32
	flags   uint16
	mirrors int // as lcm_mirror_count: one less than there are
	entries []entrySpec
}

// build is its bytes: header, entries, structures, each at a multiple of 8.
func (s compositeSpec) build(order binary.AppendByteOrder) []byte {
	at := sizeHeader + sizeEntry*len(s.entries)
	table, blobs := &wire{order: order}, &wire{order: order}
	for _, e := range s.entries {
		b := e.blob(order)
		// lcme_id, _flags, lcme_extent, lcme_offset, _size, _layout_gen, _timestamp and _mirror_link_id, _dstripe_count, _cstripe_count, _compr_*
		table.u32(e.id).u32(e.flags).u64(e.start).u64(e.end).u32(uint32(at + len(blobs.b))).u32(uint32(len(b))).u32(1).u32(0).u32(0).u32(0)
		blobs.raw(b...).raw(make([]byte, -len(b)&7)...)
	}
	w := &wire{order: order}
	// lcm_magic, _size, _layout_gen, _flags, _entry_count, _mirror_count, _ec_count and padding
	w.u32(s.magic).u32(uint32(at + len(blobs.b))).u32(9).u16(s.flags).u16(uint16(len(s.entries))).u16(uint16(s.mirrors)).raw(make([]byte, 14)...)
	return append(append(w.b, table.b...), blobs.b...)
}

// raid0 is a component striped over OSTs, v1.
func raid0(size uint32, osts ...uint32) func(binary.AppendByteOrder) []byte {
	return plainSpec{magicV1, patternRAID0, size, -1, osts}.build
}

// empty is a component that has a stripe count but no objects yet.
func empty(size uint32, count int) func(binary.AppendByteOrder) []byte {
	return plainSpec{magicV3, patternRAID0, size, count, nil}.build
}

// foreign is a lov_foreign_md whose length says so.
func foreign(value string, length int) func(binary.AppendByteOrder) []byte {
	return func(order binary.AppendByteOrder) []byte {
		w := &wire{order: order}
		return w.u32(magicForeign).u32(uint32(length)).u32(1).u32(0).raw([]byte(value)...).b
	}
}

const mib = 1 << 20

// specs are one attribute of each format.
var specs = map[string]func(binary.AppendByteOrder) []byte{
	"v1":          raid0(mib, 3),
	"v1-wide":     raid0(64<<10, 2, 0, 1, 5),
	"v3":          plainSpec{magicV3, patternRAID0, 4 * mib, -1, []uint32{1, 0}}.build,
	"specific":    plainSpec{magicSpecific, patternRAID0, mib, -1, []uint32{4, 4}}.build,
	"overstriped": plainSpec{magicV1, patternRAID0 | patternOverstripe, mib, -1, []uint32{0, 1, 0, 1}}.build,
	"compressed":  plainSpec{magicV1, patternRAID0 | patternCompress, mib, -1, []uint32{0, 1}}.build,
	"released":    plainSpec{magicV1, patternRAID0 | patternReleased, mib, 2, nil}.build,
	"hole":        plainSpec{magicV1, patternRAID0 | patternHole, mib, -1, []uint32{0, 1}}.build,
	"dom-only":    plainSpec{magicV1, patternMDT, mib, 0, nil}.build,
	"foreign":     foreign("daos://pool/cont", 16),
	// Progressive: the first MiB on the MDT, then one stripe, then four, the rest not yet instantiated.
	"dom-pfl": compositeSpec{magicComposite, 0, 0, []entrySpec{
		{1, flagInit, 0, mib, plainSpec{magicV1, patternMDT, mib, 0, nil}.build},
		{2, flagInit, mib, 64 * mib, raid0(mib, 6)},
		{3, flagInit, 64 * mib, 1024 * mib, raid0(4*mib, 0, 1, 2, 3)},
		{4, 0, 1024 * mib, EOF, empty(4*mib, 8)},
	}}.build,
	"foreign-component": compositeSpec{magicComposite, 0, 0, []entrySpec{
		{1, flagInit, 0, mib, raid0(mib, 6)}, {2, flagInit, mib, EOF, foreign("posix:0-abc", 11)},
	}}.build,
	"self-extending": compositeSpec{magicSEL, 0, 0, []entrySpec{
		{1, flagInit, 0, 64 * mib, raid0(mib, 2)}, {2, flagExtension, 64 * mib, EOF, empty(64*mib, 1)},
	}}.build,
	"gap": compositeSpec{magicComposite, 0, 0, []entrySpec{
		{1, flagInit, 0, mib, raid0(mib, 2)}, {2, flagInit, 2 * mib, 3 * mib, raid0(mib, 3)},
	}}.build,
	// Two mirrors, the second preferred for reads; its second component is stale.
	"mirrors-read-only": compositeSpec{magicComposite, stateReadOnly, 1, []entrySpec{
		{1<<16 | 1, flagInit, 0, EOF, raid0(mib, 0, 1)},
		{2<<16 | 2, flagInit | flagPrefRead, 0, 8 * mib, raid0(2*mib, 4, 5)},
		{2<<16 | 3, flagInit | flagStale | flagPrefRead, 8 * mib, EOF, raid0(2*mib, 5, 4)},
	}}.build,
	"mirrors-write-pending": compositeSpec{magicComposite, stateWritePending, 1, []entrySpec{
		{1<<16 | 1, flagInit | flagStale, 0, EOF, raid0(mib, 0, 1)}, {2<<16 | 2, flagInit, 0, EOF, raid0(2*mib, 4, 5)},
	}}.build,
	"mirrors-sync-pending": compositeSpec{magicComposite, stateSyncPending, 1, []entrySpec{
		{1<<16 | 1, flagInit | flagOffline, 0, EOF, raid0(mib, 0)}, {2<<16 | 2, flagInit | flagPrefWrite, 0, EOF, raid0(2*mib, 4)},
	}}.build,
	"parity": compositeSpec{magicComposite, stateReadOnly, 0, []entrySpec{
		{1<<16 | 1, flagInit, 0, EOF, raid0(mib, 0, 1)}, {2<<16 | 2, flagInit | flagParity, 0, EOF, raid0(mib, 4)},
	}}.build,
}
