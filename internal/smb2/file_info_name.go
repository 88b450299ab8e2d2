package smb2

// FileNameInfo is FileNameInformation, FileAlternateNameInformation,
// FileNormalizedNameInformation and FileShortNameInformation, [MS-FSCC] 2.4.5, 2.4.32,
// 2.4.36, 2.4.46: a name and its length.
type FileNameInfo struct {
	FileName string
}

// Decode reads the structure.
func (f *FileNameInfo) Decode(b []byte) (err error) {
	if err = need("FileNameInformation", b, 4); err != nil {
		return err
	}
	f.FileName, err = tailText("FileNameInformation.FileName", b, 4, le.Uint32(b))
	return err
}

// Append appends the structure.
func (f *FileNameInfo) Append(dst []byte) []byte { return appendText(dst, f.FileName) }

// FileAllInfo is FileAllInformation, [MS-FSCC] 2.4.2.
type FileAllInfo struct {
	Basic     FileBasicInfo
	Standard  FileStandardInfo
	Internal  FileInternalInfo
	Ea        FileEaInfo
	Access    FileAccessInfo
	Position  FilePositionInfo
	Mode      FileModeInfo
	Alignment FileAlignmentInfo
	Name      FileNameInfo
}

// Decode reads the structure.
func (f *FileAllInfo) Decode(b []byte) error {
	if err := need("FileAllInformation", b, 100); err != nil {
		return err
	}
	for _, part := range []struct {
		at int
		to interface{ Decode([]byte) error }
	}{
		{0, &f.Basic}, {40, &f.Standard}, {64, &f.Internal}, {72, &f.Ea}, {76, &f.Access},
		{80, &f.Position}, {88, &f.Mode}, {92, &f.Alignment}, {96, &f.Name},
	} {
		if err := part.to.Decode(b[part.at:]); err != nil {
			return err
		}
	}
	return nil
}

// Append appends the structure.
func (f *FileAllInfo) Append(dst []byte) []byte {
	dst = f.Standard.Append(f.Basic.Append(dst))
	dst = f.Access.Append(f.Ea.Append(f.Internal.Append(dst)))
	dst = f.Alignment.Append(f.Mode.Append(f.Position.Append(dst)))
	return f.Name.Append(dst)
}

// FileStreamInfo is one entry of FileStreamInformation, [MS-FSCC] 2.4.48.
type FileStreamInfo struct {
	StreamSize           uint64
	StreamAllocationSize uint64
	StreamName           string // ":name:$DATA"
}

// DecodeFileStreamInfo reads the list.
func DecodeFileStreamInfo(b []byte) (list []FileStreamInfo, err error) {
	err = entries("FileStreamInformation", b, 24, func(e []byte) error {
		name, err := tailText("FileStreamInformation.StreamName", e, 24, le.Uint32(e[4:]))
		list = append(list, FileStreamInfo{StreamSize: le.Uint64(e[8:]), StreamAllocationSize: le.Uint64(e[16:]), StreamName: name})
		return err
	})
	return list, err
}

// AppendFileStreamInfo appends the list; entries are 8-byte aligned.
func AppendFileStreamInfo(dst []byte, list []FileStreamInfo) []byte {
	start, prev := len(dst), -1
	for _, s := range list {
		dst = link(dst, start, prev, 8)
		prev = len(dst)
		dst = le.AppendUint32(dst, 0)
		dst = le.AppendUint32(dst, uint32(UTF16Len(s.StreamName)))
		dst = le.AppendUint64(dst, s.StreamSize)
		dst = le.AppendUint64(dst, s.StreamAllocationSize)
		dst = AppendUTF16(dst, s.StreamName)
	}
	return dst
}

// FileLinkEntryInfo is one name of a file in FileHardLinkInformation, [MS-FSCC]
// 2.4.25.
type FileLinkEntryInfo struct {
	ParentFileID uint64
	FileName     string
}

// DecodeFileHardLinkInfo reads the list.
func DecodeFileHardLinkInfo(b []byte) (list []FileLinkEntryInfo, err error) {
	if err = need("FileHardLinkInformation", b, 8); err != nil {
		return nil, err
	}
	count := le.Uint32(b[4:])
	if count == 0 {
		return nil, nil
	}
	err = entries("FileHardLinkInformation", b[8:], 16, func(e []byte) error {
		chars := le.Uint32(e[12:])
		if uint64(chars)*2 > uint64(len(e)) {
			chars = uint32(len(e)) // too long: refused by tailText
		}
		name, err := tailText("FileHardLinkInformation.FileName", e, 16, chars*2)
		list = append(list, FileLinkEntryInfo{ParentFileID: le.Uint64(e[4:]), FileName: name})
		return err
	})
	if err == nil && uint64(len(list)) != uint64(count) {
		err = &DecodeError{Command: CommandQueryInfo, Field: "FileHardLinkInformation.EntriesReturned", Offset: 4, Reason: reasonCount}
	}
	return list, err
}

// AppendFileHardLinkInfo appends the list; entries are 8-byte aligned.
func AppendFileHardLinkInfo(dst []byte, list []FileLinkEntryInfo) []byte {
	head := len(dst)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint32(dst, uint32(len(list)))
	start, prev := len(dst), -1
	for _, l := range list {
		dst = link(dst, start, prev, 8)
		prev = len(dst)
		dst = le.AppendUint32(dst, 0)
		dst = le.AppendUint64(dst, l.ParentFileID)
		dst = le.AppendUint32(dst, uint32(UTF16Len(l.FileName)/2))
		dst = AppendUTF16(dst, l.FileName)
	}
	le.PutUint32(dst[head:], uint32(len(dst)-head))
	return dst
}
