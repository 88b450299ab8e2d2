package smb2

// DuplicateExtentsData is the input of FSCTL_DUPLICATE_EXTENTS_TO_FILE, [MS-FSCC]
// 2.3.9.1 (SMB2_DUPLICATE_EXTENTS_DATA).
type DuplicateExtentsData struct {
	SourceFileID     FileID
	SourceFileOffset uint64
	TargetFileOffset uint64
	ByteCount        uint64
}

// Decode reads the structure.
func (d *DuplicateExtentsData) Decode(b []byte) error {
	if err := need("SMB2_DUPLICATE_EXTENTS_DATA", b, 40); err != nil {
		return err
	}
	d.SourceFileID = fileIDAt(b, 0)
	d.SourceFileOffset = le.Uint64(b[16:])
	d.TargetFileOffset = le.Uint64(b[24:])
	d.ByteCount = le.Uint64(b[32:])
	return nil
}

// Append appends the structure.
func (d *DuplicateExtentsData) Append(dst []byte) []byte {
	dst = d.SourceFileID.appendTo(dst)
	dst = le.AppendUint64(dst, d.SourceFileOffset)
	dst = le.AppendUint64(dst, d.TargetFileOffset)
	return le.AppendUint64(dst, d.ByteCount)
}

// DuplicateExtentsSourceAtomic in Flags of DuplicateExtentsDataEx: all or nothing.
const DuplicateExtentsSourceAtomic uint32 = 0x00000001

// duplicateExtentsExSize is the value of its StructureSize, which is not its length.
const duplicateExtentsExSize = 0x30

// DuplicateExtentsDataEx is the input of FSCTL_DUPLICATE_EXTENTS_TO_FILE_EX, [MS-FSCC]
// 2.3.9.2 (SMB2_DUPLICATE_EXTENTS_DATA_EX).
type DuplicateExtentsDataEx struct {
	DuplicateExtentsData
	Flags uint32
}

// Decode reads the structure.
func (d *DuplicateExtentsDataEx) Decode(b []byte) error {
	if err := need("SMB2_DUPLICATE_EXTENTS_DATA_EX", b, 56); err != nil {
		return err
	}
	if le.Uint64(b) != duplicateExtentsExSize {
		return &DecodeError{Command: CommandIoctl, Field: "SMB2_DUPLICATE_EXTENTS_DATA_EX.StructureSize", Reason: reasonSize}
	}
	d.Flags = le.Uint32(b[48:])
	return d.DuplicateExtentsData.Decode(b[8:])
}

// Append appends the structure.
func (d *DuplicateExtentsDataEx) Append(dst []byte) []byte {
	dst = d.DuplicateExtentsData.Append(le.AppendUint64(dst, duplicateExtentsExSize))
	return le.AppendUint64(dst, uint64(d.Flags))
}
