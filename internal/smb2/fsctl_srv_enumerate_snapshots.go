package smb2

// SrvSnapshotArray is the output of FSCTL_SRV_ENUMERATE_SNAPSHOTS, [MS-SMB2] 2.2.32.2.
// With too small a buffer the server names no snapshot but SnapShotArraySize.
type SrvSnapshotArray struct {
	NumberOfSnapShots uint32   // that the volume has
	SnapShotArraySize uint32   // bytes all their names need
	SnapShots         []string // "@GMT-2024.01.31-23.59.59"
}

// Decode reads the structure.
func (s *SrvSnapshotArray) Decode(b []byte) error {
	if err := need("SRV_SNAPSHOT_ARRAY", b, 12); err != nil {
		return err
	}
	s.NumberOfSnapShots = le.Uint32(b)
	s.SnapShotArraySize = le.Uint32(b[8:])
	s.SnapShots = nil
	returned := le.Uint32(b[4:])
	b = b[12:]
	for ; returned > 0; returned-- {
		n := 0
		for n+2 <= len(b) && le.Uint16(b[n:]) != 0 {
			n += 2
		}
		if n+2 > len(b) {
			return &DecodeError{Command: CommandIoctl, Field: "SRV_SNAPSHOT_ARRAY.NumberOfSnapShotsReturned", Offset: 4, Reason: reasonCount}
		}
		name, err := DecodeUTF16(b[:n])
		if err != nil {
			return err
		}
		s.SnapShots = append(s.SnapShots, name)
		b = b[n+2:]
	}
	return nil
}

// Append appends the structure. Samba: two NULs follow the list.
func (s *SrvSnapshotArray) Append(dst []byte) []byte {
	dst = le.AppendUint32(dst, s.NumberOfSnapShots)
	dst = le.AppendUint32(dst, uint32(len(s.SnapShots)))
	dst = le.AppendUint32(dst, s.SnapShotArraySize)
	for _, name := range s.SnapShots {
		dst = append(AppendUTF16(dst, name), 0, 0)
	}
	return append(dst, 0, 0)
}
