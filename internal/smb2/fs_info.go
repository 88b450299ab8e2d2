package smb2

// FileFsVolumeInfo is FileFsVolumeInformation, [MS-FSCC] 2.5.9.
type FileFsVolumeInfo struct {
	VolumeCreationTime Filetime
	VolumeSerialNumber uint32
	SupportsObjects    bool
	VolumeLabel        string
}

// Decode reads the structure.
func (f *FileFsVolumeInfo) Decode(b []byte) (err error) {
	if err = need("FileFsVolumeInformation", b, 18); err != nil {
		return err
	}
	f.VolumeCreationTime = Filetime(le.Uint64(b))
	f.VolumeSerialNumber = le.Uint32(b[8:])
	f.SupportsObjects = b[16] != 0
	f.VolumeLabel, err = tailText("FileFsVolumeInformation.VolumeLabel", b, 18, le.Uint32(b[12:]))
	return err
}

// Append appends the structure.
func (f *FileFsVolumeInfo) Append(dst []byte) []byte {
	dst = le.AppendUint64(dst, uint64(f.VolumeCreationTime))
	dst = le.AppendUint32(dst, f.VolumeSerialNumber)
	dst = le.AppendUint32(dst, uint32(UTF16Len(f.VolumeLabel)))
	dst = append(dst, boolByte(f.SupportsObjects), 0)
	return AppendUTF16(dst, f.VolumeLabel)
}

// FileFsLabelInfo is FileFsLabelInformation, [MS-FSCC] 2.5.5.
type FileFsLabelInfo struct {
	VolumeLabel string
}

// Decode reads the structure.
func (f *FileFsLabelInfo) Decode(b []byte) (err error) {
	if err = need("FileFsLabelInformation", b, 4); err != nil {
		return err
	}
	f.VolumeLabel, err = tailText("FileFsLabelInformation.VolumeLabel", b, 4, le.Uint32(b))
	return err
}

// Append appends the structure.
func (f *FileFsLabelInfo) Append(dst []byte) []byte { return appendText(dst, f.VolumeLabel) }

// FileFsSizeInfo is FileFsSizeInformation, [MS-FSCC] 2.5.8. Counts are in allocation
// units.
type FileFsSizeInfo struct {
	TotalAllocationUnits     uint64
	AvailableAllocationUnits uint64
	SectorsPerAllocationUnit uint32
	BytesPerSector           uint32
}

// Decode reads the structure.
func (f *FileFsSizeInfo) Decode(b []byte) error {
	if err := need("FileFsSizeInformation", b, 24); err != nil {
		return err
	}
	f.TotalAllocationUnits = le.Uint64(b)
	f.AvailableAllocationUnits = le.Uint64(b[8:])
	f.SectorsPerAllocationUnit = le.Uint32(b[16:])
	f.BytesPerSector = le.Uint32(b[20:])
	return nil
}

// Append appends the structure.
func (f *FileFsSizeInfo) Append(dst []byte) []byte {
	dst = le.AppendUint64(dst, f.TotalAllocationUnits)
	dst = le.AppendUint64(dst, f.AvailableAllocationUnits)
	dst = le.AppendUint32(dst, f.SectorsPerAllocationUnit)
	return le.AppendUint32(dst, f.BytesPerSector)
}

// FileFsFullSizeInfo is FileFsFullSizeInformation, [MS-FSCC] 2.5.4.
type FileFsFullSizeInfo struct {
	TotalAllocationUnits           uint64
	CallerAvailableAllocationUnits uint64
	ActualAvailableAllocationUnits uint64
	SectorsPerAllocationUnit       uint32
	BytesPerSector                 uint32
}

// Decode reads the structure.
func (f *FileFsFullSizeInfo) Decode(b []byte) error {
	if err := need("FileFsFullSizeInformation", b, 32); err != nil {
		return err
	}
	f.TotalAllocationUnits = le.Uint64(b)
	f.CallerAvailableAllocationUnits = le.Uint64(b[8:])
	f.ActualAvailableAllocationUnits = le.Uint64(b[16:])
	f.SectorsPerAllocationUnit = le.Uint32(b[24:])
	f.BytesPerSector = le.Uint32(b[28:])
	return nil
}

// Append appends the structure.
func (f *FileFsFullSizeInfo) Append(dst []byte) []byte {
	dst = le.AppendUint64(dst, f.TotalAllocationUnits)
	dst = le.AppendUint64(dst, f.CallerAvailableAllocationUnits)
	dst = le.AppendUint64(dst, f.ActualAvailableAllocationUnits)
	dst = le.AppendUint32(dst, f.SectorsPerAllocationUnit)
	return le.AppendUint32(dst, f.BytesPerSector)
}

// FileFsDeviceInfo is FileFsDeviceInformation, [MS-FSCC] 2.5.10.
type FileFsDeviceInfo struct {
	DeviceType      uint32
	Characteristics uint32
}

// Decode reads the structure.
func (f *FileFsDeviceInfo) Decode(b []byte) error {
	if err := need("FileFsDeviceInformation", b, 8); err != nil {
		return err
	}
	f.DeviceType = le.Uint32(b)
	f.Characteristics = le.Uint32(b[4:])
	return nil
}

// Append appends the structure.
func (f *FileFsDeviceInfo) Append(dst []byte) []byte {
	return le.AppendUint32(le.AppendUint32(dst, f.DeviceType), f.Characteristics)
}

// FileFsAttributeInfo is FileFsAttributeInformation, [MS-FSCC] 2.5.1.
type FileFsAttributeInfo struct {
	FileSystemAttributes       uint32
	MaximumComponentNameLength uint32
	FileSystemName             string
}

// Decode reads the structure.
func (f *FileFsAttributeInfo) Decode(b []byte) (err error) {
	if err = need("FileFsAttributeInformation", b, 12); err != nil {
		return err
	}
	f.FileSystemAttributes = le.Uint32(b)
	f.MaximumComponentNameLength = le.Uint32(b[4:])
	f.FileSystemName, err = tailText("FileFsAttributeInformation.FileSystemName", b, 12, le.Uint32(b[8:]))
	return err
}

// Append appends the structure.
func (f *FileFsAttributeInfo) Append(dst []byte) []byte {
	dst = le.AppendUint32(dst, f.FileSystemAttributes)
	dst = le.AppendUint32(dst, f.MaximumComponentNameLength)
	return appendText(dst, f.FileSystemName)
}

// FileFsControlInfo is FileFsControlInformation, [MS-FSCC] 2.5.2: quota settings.
type FileFsControlInfo struct {
	FreeSpaceStartFiltering uint64
	FreeSpaceThreshold      uint64
	FreeSpaceStopFiltering  uint64
	DefaultQuotaThreshold   uint64
	DefaultQuotaLimit       uint64
	FileSystemControlFlags  uint32
}

// Decode reads the structure; the last four bytes are reserved.
func (f *FileFsControlInfo) Decode(b []byte) error {
	if err := need("FileFsControlInformation", b, 48); err != nil {
		return err
	}
	f.FreeSpaceStartFiltering = le.Uint64(b)
	f.FreeSpaceThreshold = le.Uint64(b[8:])
	f.FreeSpaceStopFiltering = le.Uint64(b[16:])
	f.DefaultQuotaThreshold = le.Uint64(b[24:])
	f.DefaultQuotaLimit = le.Uint64(b[32:])
	f.FileSystemControlFlags = le.Uint32(b[40:])
	return nil
}

// Append appends the structure.
func (f *FileFsControlInfo) Append(dst []byte) []byte {
	dst = le.AppendUint64(dst, f.FreeSpaceStartFiltering)
	dst = le.AppendUint64(dst, f.FreeSpaceThreshold)
	dst = le.AppendUint64(dst, f.FreeSpaceStopFiltering)
	dst = le.AppendUint64(dst, f.DefaultQuotaThreshold)
	dst = le.AppendUint64(dst, f.DefaultQuotaLimit)
	return le.AppendUint64(dst, uint64(f.FileSystemControlFlags))
}

// FileFsObjectIdInfo is FileFsObjectIdInformation, [MS-FSCC] 2.5.6.
type FileFsObjectIdInfo struct {
	ObjectId     GUID
	ExtendedInfo [48]byte
}

// Decode reads the structure.
func (f *FileFsObjectIdInfo) Decode(b []byte) error {
	if err := need("FileFsObjectIdInformation", b, 64); err != nil {
		return err
	}
	copy(f.ObjectId[:], b)
	copy(f.ExtendedInfo[:], b[16:])
	return nil
}

// Append appends the structure.
func (f *FileFsObjectIdInfo) Append(dst []byte) []byte {
	return append(append(dst, f.ObjectId[:]...), f.ExtendedInfo[:]...)
}

// FileFsSectorSizeInfo is FileFsSectorSizeInformation, [MS-FSCC] 2.5.7.
type FileFsSectorSizeInfo struct {
	LogicalBytesPerSector                  uint32
	PhysicalBytesPerSectorForAtomicity     uint32
	PhysicalBytesPerSectorForPerformance   uint32
	EffectivePhysicalBytesPerSectorForAtom uint32 // FileSystemEffectivePhysicalBytesPerSectorForAtomicity
	Flags                                  uint32
	ByteOffsetForSectorAlignment           uint32
	ByteOffsetForPartitionAlignment        uint32
}

// fields lists them in wire order.
func (f *FileFsSectorSizeInfo) fields() [7]*uint32 {
	return [7]*uint32{
		&f.LogicalBytesPerSector, &f.PhysicalBytesPerSectorForAtomicity, &f.PhysicalBytesPerSectorForPerformance,
		&f.EffectivePhysicalBytesPerSectorForAtom, &f.Flags, &f.ByteOffsetForSectorAlignment, &f.ByteOffsetForPartitionAlignment,
	}
}

// Decode reads the structure.
func (f *FileFsSectorSizeInfo) Decode(b []byte) error {
	if err := need("FileFsSectorSizeInformation", b, 28); err != nil {
		return err
	}
	for i, p := range f.fields() {
		*p = le.Uint32(b[4*i:])
	}
	return nil
}

// Append appends the structure.
func (f *FileFsSectorSizeInfo) Append(dst []byte) []byte {
	for _, p := range f.fields() {
		dst = le.AppendUint32(dst, *p)
	}
	return dst
}
