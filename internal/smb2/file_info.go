package smb2

// Information classes of files with a fixed length that tell about a file.

// FileBasicInfo is FileBasicInformation, [MS-FSCC] 2.4.7.
type FileBasicInfo struct {
	CreationTime   Filetime
	LastAccessTime Filetime
	LastWriteTime  Filetime
	ChangeTime     Filetime
	FileAttributes FileAttributes
}

// Decode reads the structure; the last four bytes are reserved.
func (f *FileBasicInfo) Decode(b []byte) error {
	if err := need("FileBasicInformation", b, 40); err != nil {
		return err
	}
	f.CreationTime = Filetime(le.Uint64(b))
	f.LastAccessTime = Filetime(le.Uint64(b[8:]))
	f.LastWriteTime = Filetime(le.Uint64(b[16:]))
	f.ChangeTime = Filetime(le.Uint64(b[24:]))
	f.FileAttributes = FileAttributes(le.Uint32(b[32:]))
	return nil
}

// Append appends the structure.
func (f *FileBasicInfo) Append(dst []byte) []byte {
	dst = le.AppendUint64(dst, uint64(f.CreationTime))
	dst = le.AppendUint64(dst, uint64(f.LastAccessTime))
	dst = le.AppendUint64(dst, uint64(f.LastWriteTime))
	dst = le.AppendUint64(dst, uint64(f.ChangeTime))
	return le.AppendUint64(dst, uint64(f.FileAttributes))
}

// FileStandardInfo is FileStandardInformation, [MS-FSCC] 2.4.47.
type FileStandardInfo struct {
	AllocationSize uint64
	EndOfFile      uint64
	NumberOfLinks  uint32
	DeletePending  bool
	Directory      bool
}

// Decode reads the structure.
func (f *FileStandardInfo) Decode(b []byte) error {
	if err := need("FileStandardInformation", b, 22); err != nil {
		return err
	}
	f.AllocationSize = le.Uint64(b)
	f.EndOfFile = le.Uint64(b[8:])
	f.NumberOfLinks = le.Uint32(b[16:])
	f.DeletePending = b[20] != 0
	f.Directory = b[21] != 0
	return nil
}

// Append appends the structure.
func (f *FileStandardInfo) Append(dst []byte) []byte {
	dst = le.AppendUint64(dst, f.AllocationSize)
	dst = le.AppendUint64(dst, f.EndOfFile)
	dst = le.AppendUint32(dst, f.NumberOfLinks)
	return append(dst, boolByte(f.DeletePending), boolByte(f.Directory), 0, 0)
}

// boolByte is a BOOLEAN.
func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// FileInternalInfo is FileInternalInformation, [MS-FSCC] 2.4.27: the 64-bit file id.
type FileInternalInfo struct {
	IndexNumber uint64
}

// Decode reads the structure.
func (f *FileInternalInfo) Decode(b []byte) error {
	if err := need("FileInternalInformation", b, 8); err != nil {
		return err
	}
	f.IndexNumber = le.Uint64(b)
	return nil
}

// Append appends the structure.
func (f *FileInternalInfo) Append(dst []byte) []byte { return le.AppendUint64(dst, f.IndexNumber) }

// FileEaInfo is FileEaInformation, [MS-FSCC] 2.4.13.
type FileEaInfo struct {
	EaSize uint32
}

// Decode reads the structure.
func (f *FileEaInfo) Decode(b []byte) error {
	if err := need("FileEaInformation", b, 4); err != nil {
		return err
	}
	f.EaSize = le.Uint32(b)
	return nil
}

// Append appends the structure.
func (f *FileEaInfo) Append(dst []byte) []byte { return le.AppendUint32(dst, f.EaSize) }

// FileAccessInfo is FileAccessInformation, [MS-FSCC] 2.4.1: what the open was granted.
type FileAccessInfo struct {
	AccessFlags AccessMask
}

// Decode reads the structure.
func (f *FileAccessInfo) Decode(b []byte) error {
	if err := need("FileAccessInformation", b, 4); err != nil {
		return err
	}
	f.AccessFlags = AccessMask(le.Uint32(b))
	return nil
}

// Append appends the structure.
func (f *FileAccessInfo) Append(dst []byte) []byte {
	return le.AppendUint32(dst, uint32(f.AccessFlags))
}

// FilePositionInfo is FilePositionInformation, [MS-FSCC] 2.4.40.
type FilePositionInfo struct {
	CurrentByteOffset uint64
}

// Decode reads the structure.
func (f *FilePositionInfo) Decode(b []byte) error {
	if err := need("FilePositionInformation", b, 8); err != nil {
		return err
	}
	f.CurrentByteOffset = le.Uint64(b)
	return nil
}

// Append appends the structure.
func (f *FilePositionInfo) Append(dst []byte) []byte {
	return le.AppendUint64(dst, f.CurrentByteOffset)
}

// FileModeInfo is FileModeInformation, [MS-FSCC] 2.4.31: some of the CreateOptions.
type FileModeInfo struct {
	Mode CreateOptions
}

// Decode reads the structure.
func (f *FileModeInfo) Decode(b []byte) error {
	if err := need("FileModeInformation", b, 4); err != nil {
		return err
	}
	f.Mode = CreateOptions(le.Uint32(b))
	return nil
}

// Append appends the structure.
func (f *FileModeInfo) Append(dst []byte) []byte { return le.AppendUint32(dst, uint32(f.Mode)) }

// FileAlignmentInfo is FileAlignmentInformation, [MS-FSCC] 2.4.3.
type FileAlignmentInfo struct {
	AlignmentRequirement uint32
}

// Decode reads the structure.
func (f *FileAlignmentInfo) Decode(b []byte) error {
	if err := need("FileAlignmentInformation", b, 4); err != nil {
		return err
	}
	f.AlignmentRequirement = le.Uint32(b)
	return nil
}

// Append appends the structure.
func (f *FileAlignmentInfo) Append(dst []byte) []byte {
	return le.AppendUint32(dst, f.AlignmentRequirement)
}

// FileNetworkOpenInfo is FileNetworkOpenInformation, [MS-FSCC] 2.4.34.
type FileNetworkOpenInfo struct {
	CreationTime   Filetime
	LastAccessTime Filetime
	LastWriteTime  Filetime
	ChangeTime     Filetime
	AllocationSize uint64
	EndOfFile      uint64
	FileAttributes FileAttributes
}

// Decode reads the structure.
func (f *FileNetworkOpenInfo) Decode(b []byte) error {
	if err := need("FileNetworkOpenInformation", b, 56); err != nil {
		return err
	}
	f.CreationTime = Filetime(le.Uint64(b))
	f.LastAccessTime = Filetime(le.Uint64(b[8:]))
	f.LastWriteTime = Filetime(le.Uint64(b[16:]))
	f.ChangeTime = Filetime(le.Uint64(b[24:]))
	f.AllocationSize = le.Uint64(b[32:])
	f.EndOfFile = le.Uint64(b[40:])
	f.FileAttributes = FileAttributes(le.Uint32(b[48:]))
	return nil
}

// Append appends the structure.
func (f *FileNetworkOpenInfo) Append(dst []byte) []byte {
	dst = le.AppendUint64(dst, uint64(f.CreationTime))
	dst = le.AppendUint64(dst, uint64(f.LastAccessTime))
	dst = le.AppendUint64(dst, uint64(f.LastWriteTime))
	dst = le.AppendUint64(dst, uint64(f.ChangeTime))
	dst = le.AppendUint64(dst, f.AllocationSize)
	dst = le.AppendUint64(dst, f.EndOfFile)
	return le.AppendUint64(dst, uint64(f.FileAttributes))
}

// FileAttributeTagInfo is FileAttributeTagInformation, [MS-FSCC] 2.4.6.
type FileAttributeTagInfo struct {
	FileAttributes FileAttributes
	ReparseTag     uint32
}

// Decode reads the structure.
func (f *FileAttributeTagInfo) Decode(b []byte) error {
	if err := need("FileAttributeTagInformation", b, 8); err != nil {
		return err
	}
	f.FileAttributes = FileAttributes(le.Uint32(b))
	f.ReparseTag = le.Uint32(b[4:])
	return nil
}

// Append appends the structure.
func (f *FileAttributeTagInfo) Append(dst []byte) []byte {
	return le.AppendUint32(le.AppendUint32(dst, uint32(f.FileAttributes)), f.ReparseTag)
}

// FileCompressionInfo is FileCompressionInformation, [MS-FSCC] 2.4.9.
type FileCompressionInfo struct {
	CompressedFileSize   uint64
	CompressionFormat    uint16
	CompressionUnitShift uint8
	ChunkShift           uint8
	ClusterShift         uint8
}

// Decode reads the structure.
func (f *FileCompressionInfo) Decode(b []byte) error {
	if err := need("FileCompressionInformation", b, 16); err != nil {
		return err
	}
	f.CompressedFileSize = le.Uint64(b)
	f.CompressionFormat = le.Uint16(b[8:])
	f.CompressionUnitShift, f.ChunkShift, f.ClusterShift = b[10], b[11], b[12]
	return nil
}

// Append appends the structure.
func (f *FileCompressionInfo) Append(dst []byte) []byte {
	dst = le.AppendUint64(dst, f.CompressedFileSize)
	dst = le.AppendUint16(dst, f.CompressionFormat)
	return append(dst, f.CompressionUnitShift, f.ChunkShift, f.ClusterShift, 0, 0, 0)
}

// FileIdInfo is FileIdInformation, [MS-FSCC] 2.4.26: the 128-bit file id.
type FileIdInfo struct {
	VolumeSerialNumber uint64
	FileId             [16]byte
}

// Decode reads the structure.
func (f *FileIdInfo) Decode(b []byte) error {
	if err := need("FileIdInformation", b, 24); err != nil {
		return err
	}
	f.VolumeSerialNumber = le.Uint64(b)
	copy(f.FileId[:], b[8:])
	return nil
}

// Append appends the structure.
func (f *FileIdInfo) Append(dst []byte) []byte {
	return append(le.AppendUint64(dst, f.VolumeSerialNumber), f.FileId[:]...)
}
