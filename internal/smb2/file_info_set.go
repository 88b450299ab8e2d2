package smb2

// Information classes that SET_INFO carries and that change a file.

// FileEndOfFileInfo is FileEndOfFileInformation, [MS-FSCC] 2.4.14.
type FileEndOfFileInfo struct {
	EndOfFile uint64
}

// Decode reads the structure.
func (f *FileEndOfFileInfo) Decode(b []byte) error {
	if err := need("FileEndOfFileInformation", b, 8); err != nil {
		return err
	}
	f.EndOfFile = le.Uint64(b)
	return nil
}

// Append appends the structure.
func (f *FileEndOfFileInfo) Append(dst []byte) []byte { return le.AppendUint64(dst, f.EndOfFile) }

// FileAllocationInfo is FileAllocationInformation, [MS-FSCC] 2.4.4.
type FileAllocationInfo struct {
	AllocationSize uint64
}

// Decode reads the structure.
func (f *FileAllocationInfo) Decode(b []byte) error {
	if err := need("FileAllocationInformation", b, 8); err != nil {
		return err
	}
	f.AllocationSize = le.Uint64(b)
	return nil
}

// Append appends the structure.
func (f *FileAllocationInfo) Append(dst []byte) []byte { return le.AppendUint64(dst, f.AllocationSize) }

// FileValidDataLengthInfo is FileValidDataLengthInformation, [MS-FSCC] 2.4.49.
type FileValidDataLengthInfo struct {
	ValidDataLength uint64
}

// Decode reads the structure.
func (f *FileValidDataLengthInfo) Decode(b []byte) error {
	if err := need("FileValidDataLengthInformation", b, 8); err != nil {
		return err
	}
	f.ValidDataLength = le.Uint64(b)
	return nil
}

// Append appends the structure.
func (f *FileValidDataLengthInfo) Append(dst []byte) []byte {
	return le.AppendUint64(dst, f.ValidDataLength)
}

// FileDispositionInfo is FileDispositionInformation, [MS-FSCC] 2.4.11.
type FileDispositionInfo struct {
	DeletePending bool
}

// Decode reads the structure.
func (f *FileDispositionInfo) Decode(b []byte) error {
	if err := need("FileDispositionInformation", b, 1); err != nil {
		return err
	}
	f.DeletePending = b[0] != 0
	return nil
}

// Append appends the structure.
func (f *FileDispositionInfo) Append(dst []byte) []byte {
	return append(dst, boolByte(f.DeletePending))
}

// Flags of FileDispositionInfoEx.
const (
	FileDispositionDelete                  uint32 = 0x00000001
	FileDispositionPosixSemantics          uint32 = 0x00000002
	FileDispositionForceImageSectionCheck  uint32 = 0x00000004
	FileDispositionOnClose                 uint32 = 0x00000008
	FileDispositionIgnoreReadonlyAttribute uint32 = 0x00000010
)

// FileDispositionInfoEx is FileDispositionInformationEx, [MS-FSCC] 2.4.12.
type FileDispositionInfoEx struct {
	Flags uint32
}

// Decode reads the structure.
func (f *FileDispositionInfoEx) Decode(b []byte) error {
	if err := need("FileDispositionInformationEx", b, 4); err != nil {
		return err
	}
	f.Flags = le.Uint32(b)
	return nil
}

// Append appends the structure.
func (f *FileDispositionInfoEx) Append(dst []byte) []byte { return le.AppendUint32(dst, f.Flags) }

// renameTarget is the layout of the four classes that name a target. The first four
// bytes are a BOOLEAN and reserved bytes, or Flags.
type renameTarget struct {
	flags         uint32
	rootDirectory uint64
	fileName      string
}

// renameFixed is the length before FileName; renameMin what the whole has at least
// ([MS-FSCC] 2.4.42.2).
const (
	renameFixed = 20
	renameMin   = 24
)

// decode reads the structure.
func (r *renameTarget) decode(name string, b []byte) (err error) {
	if err = need(name, b, renameFixed); err != nil {
		return err
	}
	r.flags = le.Uint32(b)
	r.rootDirectory = le.Uint64(b[8:])
	r.fileName, err = tailText(name+".FileName", b, renameFixed, le.Uint32(b[16:]))
	return err
}

// append appends the structure.
func (r *renameTarget) append(dst []byte) []byte {
	start := len(dst)
	dst = le.AppendUint64(dst, uint64(r.flags))
	dst = le.AppendUint64(dst, r.rootDirectory)
	dst = appendText(dst, r.fileName)
	for len(dst)-start < renameMin {
		dst = append(dst, 0)
	}
	return dst
}

// FileRenameInfo is FileRenameInformation as SMB2 has it, [MS-FSCC] 2.4.42.2.
type FileRenameInfo struct {
	ReplaceIfExists bool
	RootDirectory   uint64 // 0 over the network
	FileName        string // relative to the share
}

// Decode reads the structure.
func (f *FileRenameInfo) Decode(b []byte) error {
	var r renameTarget
	err := r.decode("FileRenameInformation", b)
	*f = FileRenameInfo{ReplaceIfExists: r.flags&0xFF != 0, RootDirectory: r.rootDirectory, FileName: r.fileName}
	return err
}

// Append appends the structure.
func (f *FileRenameInfo) Append(dst []byte) []byte {
	return (&renameTarget{uint32(boolByte(f.ReplaceIfExists)), f.RootDirectory, f.FileName}).append(dst)
}

// FileLinkInfo is FileLinkInformation as SMB2 has it, [MS-FSCC] 2.4.27.2.
type FileLinkInfo struct {
	ReplaceIfExists bool
	RootDirectory   uint64 // 0 over the network
	FileName        string // relative to the share
}

// Decode reads the structure.
func (f *FileLinkInfo) Decode(b []byte) error {
	var r renameTarget
	err := r.decode("FileLinkInformation", b)
	*f = FileLinkInfo{ReplaceIfExists: r.flags&0xFF != 0, RootDirectory: r.rootDirectory, FileName: r.fileName}
	return err
}

// Append appends the structure.
func (f *FileLinkInfo) Append(dst []byte) []byte {
	return (&renameTarget{uint32(boolByte(f.ReplaceIfExists)), f.RootDirectory, f.FileName}).append(dst)
}

// Flags of FileRenameInfoEx.
const (
	FileRenameReplaceIfExists         uint32 = 0x00000001
	FileRenamePosixSemantics          uint32 = 0x00000002
	FileRenameSuppressPinInheritance  uint32 = 0x00000004
	FileRenameIgnoreReadonlyAttribute uint32 = 0x00000040
)

// FileRenameInfoEx is FileRenameInformationEx, [MS-FSCC] 2.4.43.
type FileRenameInfoEx struct {
	Flags         uint32
	RootDirectory uint64
	FileName      string
}

// Decode reads the structure.
func (f *FileRenameInfoEx) Decode(b []byte) error {
	var r renameTarget
	err := r.decode("FileRenameInformationEx", b)
	*f = FileRenameInfoEx{Flags: r.flags, RootDirectory: r.rootDirectory, FileName: r.fileName}
	return err
}

// Append appends the structure.
func (f *FileRenameInfoEx) Append(dst []byte) []byte {
	return (&renameTarget{f.Flags, f.RootDirectory, f.FileName}).append(dst)
}
