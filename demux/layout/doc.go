// Package layout says at which storage target each byte of a file lies: (file, offset) -> target. It is pure: bytes of
// an extended attribute in, a table out, no I/O.
//
//	bytes of lustre.lov ── Decode ──┐
//	                                ├──> Layout: two sorted lists of segments, for reads and for writes
//	rule of a share ──── Rule.For ──┘        segment: [start, end) striped over targets, or all at the MDS
//
//	Layout.Run    the target of an offset, and how far from there it stays the same
//	Layout.Pieces a range, cut where the target changes
//
// Every backend sees the same file system, so a layout only makes requests fast: whoever finds none, or one that is
// refused here, sends everything to the MDS and is right.
//
// # Lustre
//
// The structures are those of lustre_user.h (lov_user_md_v1, _v3, lov_comp_md_v1, lov_foreign_md); numbers are in the
// byte order of the host that wrote them, which the magic tells. Offsets and lengths are checked before they are used, and what contradicts itself (overlapping extents,
// structures that overlap or leave the attribute, stripes without size) is an error, never a guess.
//
//	plain      objects of one RAID0 over the whole file, with the absolute offset:
//	           stripe = offset % (size * count) / size
//	composite  components with extents; several mirrors may cover the same bytes
//	at the MDS data-on-MDT, released (HSM), foreign, not yet instantiated, self-extending components, gaps
//
// A mirrored file is read from its preferred mirror that is not stale. It is written through the MDS until that has
// chosen the mirror to write (state WRITE_PENDING), which is then the one that is not stale.
package layout
