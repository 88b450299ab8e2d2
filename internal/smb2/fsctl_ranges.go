package smb2

// FSCTLs about ranges of a file's data.

// FileRange is a range of bytes, FILE_ALLOCATED_RANGE_BUFFER and
// FILE_LEVEL_TRIM_RANGE of [MS-FSCC] 2.3.52, 2.3.13.1.
type FileRange struct {
	Offset uint64
	Length uint64
}

// DecodeFileRanges reads the input (one range) or output (any number) of
// FSCTL_QUERY_ALLOCATED_RANGES.
func DecodeFileRanges(b []byte) ([]FileRange, error) {
	if len(b)%16 != 0 {
		return nil, &DecodeError{Command: CommandIoctl, Field: "FILE_ALLOCATED_RANGE_BUFFER", Offset: len(b), Reason: reasonShort}
	}
	list := make([]FileRange, 0, len(b)/16)
	for ; len(b) > 0; b = b[16:] {
		list = append(list, FileRange{Offset: le.Uint64(b), Length: le.Uint64(b[8:])})
	}
	return list, nil
}

// AppendFileRanges appends the list.
func AppendFileRanges(dst []byte, list []FileRange) []byte {
	for _, r := range list {
		dst = le.AppendUint64(le.AppendUint64(dst, r.Offset), r.Length)
	}
	return dst
}

// FileSetSparseBuffer is the input of FSCTL_SET_SPARSE, [MS-FSCC] 2.3.81.
type FileSetSparseBuffer struct {
	SetSparse bool
}

// Decode reads the structure; no input at all means true.
func (f *FileSetSparseBuffer) Decode(b []byte) error {
	f.SetSparse = len(b) == 0 || b[0] != 0
	return nil
}

// Append appends the structure.
func (f *FileSetSparseBuffer) Append(dst []byte) []byte { return append(dst, boolByte(f.SetSparse)) }

// FileZeroDataInformation is the input of FSCTL_SET_ZERO_DATA, [MS-FSCC] 2.3.85.
type FileZeroDataInformation struct {
	FileOffset      uint64
	BeyondFinalZero uint64
}

// Decode reads the structure.
func (f *FileZeroDataInformation) Decode(b []byte) error {
	if err := need("FILE_ZERO_DATA_INFORMATION", b, 16); err != nil {
		return err
	}
	f.FileOffset = le.Uint64(b)
	f.BeyondFinalZero = le.Uint64(b[8:])
	return nil
}

// Append appends the structure.
func (f *FileZeroDataInformation) Append(dst []byte) []byte {
	return le.AppendUint64(le.AppendUint64(dst, f.FileOffset), f.BeyondFinalZero)
}

// FileLevelTrim is the input of FSCTL_FILE_LEVEL_TRIM, [MS-FSCC] 2.3.13.
type FileLevelTrim struct {
	Key    uint32
	Ranges []FileRange
}

// Decode reads the structure.
func (f *FileLevelTrim) Decode(b []byte) (err error) {
	if err = need("FILE_LEVEL_TRIM", b, 8); err != nil {
		return err
	}
	n := uint64(le.Uint32(b[4:])) * 16
	if n > uint64(len(b)-8) {
		return &DecodeError{Command: CommandIoctl, Field: "FILE_LEVEL_TRIM.NumRanges", Offset: 4, Reason: reasonCount}
	}
	f.Key = le.Uint32(b)
	f.Ranges, err = DecodeFileRanges(b[8 : 8+n])
	return err
}

// Append appends the structure.
func (f *FileLevelTrim) Append(dst []byte) []byte {
	dst = le.AppendUint32(le.AppendUint32(dst, f.Key), uint32(len(f.Ranges)))
	return AppendFileRanges(dst, f.Ranges)
}

// FileLevelTrimOutput is its output, [MS-FSCC] 2.3.14.
type FileLevelTrimOutput struct {
	NumRangesProcessed uint32
}

// Decode reads the structure.
func (f *FileLevelTrimOutput) Decode(b []byte) error {
	if err := need("FILE_LEVEL_TRIM_OUTPUT", b, 4); err != nil {
		return err
	}
	f.NumRangesProcessed = le.Uint32(b)
	return nil
}

// Append appends the structure.
func (f *FileLevelTrimOutput) Append(dst []byte) []byte {
	return le.AppendUint32(dst, f.NumRangesProcessed)
}

// FileRegionInput is the optional input of FSCTL_QUERY_FILE_REGIONS, [MS-FSCC] 2.3.55.
type FileRegionInput struct {
	FileOffset   uint64
	Length       uint64
	DesiredUsage uint32
}

// Decode reads the structure.
func (f *FileRegionInput) Decode(b []byte) error {
	if err := need("FILE_REGION_INPUT", b, 24); err != nil {
		return err
	}
	f.FileOffset = le.Uint64(b)
	f.Length = le.Uint64(b[8:])
	f.DesiredUsage = le.Uint32(b[16:])
	return nil
}

// Append appends the structure.
func (f *FileRegionInput) Append(dst []byte) []byte {
	dst = le.AppendUint64(le.AppendUint64(dst, f.FileOffset), f.Length)
	return le.AppendUint64(dst, uint64(f.DesiredUsage))
}

// FileRegionInfo is one region, [MS-FSCC] 2.3.56.1.
type FileRegionInfo struct {
	FileOffset uint64
	Length     uint64
	Usage      uint32
}

// FileRegionOutput is the output of FSCTL_QUERY_FILE_REGIONS, [MS-FSCC] 2.3.56.
type FileRegionOutput struct {
	Flags                 uint32
	TotalRegionEntryCount uint32
	Regions               []FileRegionInfo
}

// Decode reads the structure.
func (f *FileRegionOutput) Decode(b []byte) error {
	if err := need("FILE_REGION_OUTPUT", b, 16); err != nil {
		return err
	}
	*f = FileRegionOutput{Flags: le.Uint32(b), TotalRegionEntryCount: le.Uint32(b[4:])}
	n := le.Uint32(b[8:])
	b = b[16:]
	if uint64(n)*24 > uint64(len(b)) {
		return &DecodeError{Command: CommandIoctl, Field: "FILE_REGION_OUTPUT.RegionEntryCount", Offset: 8, Reason: reasonCount}
	}
	for ; n > 0; n-- {
		f.Regions = append(f.Regions, FileRegionInfo{FileOffset: le.Uint64(b), Length: le.Uint64(b[8:]), Usage: le.Uint32(b[16:])})
		b = b[24:]
	}
	return nil
}

// Append appends the structure.
func (f *FileRegionOutput) Append(dst []byte) []byte {
	dst = le.AppendUint32(le.AppendUint32(dst, f.Flags), f.TotalRegionEntryCount)
	dst = le.AppendUint64(dst, uint64(uint32(len(f.Regions))))
	for _, r := range f.Regions {
		dst = le.AppendUint64(le.AppendUint64(dst, r.FileOffset), r.Length)
		dst = le.AppendUint64(dst, uint64(r.Usage))
	}
	return dst
}
