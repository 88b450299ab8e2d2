package smb2

// DirectoryEntry is one entry of a directory listing in any of the classes. Fields
// that the class does not have are zero.
type DirectoryEntry struct {
	FileIndex       uint32
	CreationTime    Filetime
	LastAccessTime  Filetime
	LastWriteTime   Filetime
	ChangeTime      Filetime
	EndOfFile       uint64
	AllocationSize  uint64
	FileAttributes  FileAttributes
	EaSize          uint32   // for a reparse point its tag; for macOS (AAPL) the maximal access
	ShortNameLength uint8    // bytes of ShortName in use
	ShortName       [24]byte // UTF-16; for macOS resource fork size and Finder info
	Reserved2       uint16   // of FileIdBothDirectoryInformation; for macOS the Unix mode
	ReparsePointTag uint32
	FileId          uint64
	FileId128       [16]byte
	FileName        string
}

// directoryLayout says where a class has which field; 0: not at all.
type directoryLayout struct {
	brief                                bool // neither times, sizes nor attributes
	ea, short, reserved2, tag, id, id128 int
	nameLength, name                     int
}

// directoryLayouts are the classes of [MS-FSCC] 2.4 that QUERY_DIRECTORY knows.
var directoryLayouts = map[InfoClass]directoryLayout{
	FileDirectoryInformation:          {nameLength: 60, name: 64},
	FileFullDirectoryInformation:      {nameLength: 60, ea: 64, name: 68},
	FileBothDirectoryInformation:      {nameLength: 60, ea: 64, short: 68, name: 94},
	FileIdBothDirectoryInformation:    {nameLength: 60, ea: 64, short: 68, reserved2: 94, id: 96, name: 104},
	FileIdFullDirectoryInformation:    {nameLength: 60, ea: 64, id: 72, name: 80},
	FileNamesInformation:              {brief: true, nameLength: 8, name: 12},
	FileIdExtdDirectoryInformation:    {nameLength: 60, ea: 64, tag: 68, id128: 72, name: 88},
	FileId64ExtdDirectoryInformation:  {nameLength: 60, ea: 64, tag: 68, id: 72, name: 80},
	FileId64ExtdBothDirectoryInfo:     {nameLength: 60, ea: 64, tag: 68, id: 72, short: 80, name: 106},
	FileIdAllExtdDirectoryInformation: {nameLength: 60, ea: 64, tag: 68, id: 72, id128: 80, name: 96},
	FileIdAllExtdBothDirectoryInfo:    {nameLength: 60, ea: 64, tag: 68, id: 72, id128: 80, short: 96, name: 122},
}

// IsDirectoryClass says whether QUERY_DIRECTORY knows the class.
func IsDirectoryClass(c InfoClass) bool {
	_, ok := directoryLayouts[c]
	return ok
}

// WalkDirectory calls fn with each entry of a listing until it returns an error. The
// entry is used again for the next.
func WalkDirectory(class InfoClass, b []byte, fn func(e *DirectoryEntry) error) error {
	l, ok := directoryLayouts[class]
	if !ok {
		return &DecodeError{Command: CommandQueryDirectory, Field: "FileInformationClass", Reason: reasonValue}
	}
	var e DirectoryEntry
	return entries("DirectoryEntry", b, l.name, func(b []byte) error {
		if err := e.decode(&l, b); err != nil {
			return err
		}
		return fn(&e)
	})
}

// RawDirectory calls fn with the bytes of each entry of a listing, and with those of its name (UTF-16), until it
// returns false. It does not allocate.
func RawDirectory(class InfoClass, b []byte, fn func(entry, name []byte) bool) error {
	l, ok := directoryLayouts[class]
	if !ok {
		return &DecodeError{Command: CommandQueryDirectory, Field: "FileInformationClass", Reason: reasonValue}
	}
	for more := len(b) > 0; more; {
		if len(b) < l.name {
			return &DecodeError{Command: CommandQueryDirectory, Field: "DirectoryEntry", Reason: reasonShort}
		}
		next, entry := le.Uint32(b), b
		if more = next != 0; more {
			if uint64(next) < uint64(l.name) || uint64(next) > uint64(len(b)) {
				return &DecodeError{Command: CommandQueryDirectory, Field: "NextEntryOffset", Reason: reasonBounds}
			}
			entry = b[:next:next]
		}
		n := le.Uint32(b[l.nameLength:])
		if uint64(l.name)+uint64(n) > uint64(len(entry)) {
			return &DecodeError{Command: CommandQueryDirectory, Field: "FileNameLength", Reason: reasonBounds}
		}
		if !fn(entry, entry[l.name:l.name+int(n)]) {
			return nil
		}
		b = b[len(entry):]
	}
	return nil
}

// DecodeDirectory reads a whole listing.
func DecodeDirectory(class InfoClass, b []byte) (list []DirectoryEntry, err error) {
	err = WalkDirectory(class, b, func(e *DirectoryEntry) error {
		list = append(list, *e)
		return nil
	})
	return list, err
}

// decode reads an entry whose fixed part is known to be there.
func (e *DirectoryEntry) decode(l *directoryLayout, b []byte) (err error) {
	*e = DirectoryEntry{FileIndex: le.Uint32(b[4:])}
	if !l.brief {
		e.CreationTime = Filetime(le.Uint64(b[8:]))
		e.LastAccessTime = Filetime(le.Uint64(b[16:]))
		e.LastWriteTime = Filetime(le.Uint64(b[24:]))
		e.ChangeTime = Filetime(le.Uint64(b[32:]))
		e.EndOfFile = le.Uint64(b[40:])
		e.AllocationSize = le.Uint64(b[48:])
		e.FileAttributes = FileAttributes(le.Uint32(b[56:]))
	}
	if l.ea != 0 {
		e.EaSize = le.Uint32(b[l.ea:])
	}
	if l.short != 0 {
		e.ShortNameLength = b[l.short]
		copy(e.ShortName[:], b[l.short+2:])
		if e.ShortNameLength > uint8(len(e.ShortName)) {
			return &DecodeError{Command: CommandQueryDirectory, Field: "ShortNameLength", Offset: l.short, Reason: reasonBounds}
		}
	}
	if l.reserved2 != 0 {
		e.Reserved2 = le.Uint16(b[l.reserved2:])
	}
	if l.tag != 0 {
		e.ReparsePointTag = le.Uint32(b[l.tag:])
	}
	if l.id != 0 {
		e.FileId = le.Uint64(b[l.id:])
	}
	if l.id128 != 0 {
		copy(e.FileId128[:], b[l.id128:])
	}
	e.FileName, err = tailText("DirectoryEntry.FileName", b, l.name, le.Uint32(b[l.nameLength:]))
	return err
}

// DirectoryWriter builds a listing of one class entry by entry. The zero value with
// Class set is ready. It is how a server fills OutputBufferLength: stop at the entry
// that no longer fits.
type DirectoryWriter struct {
	Class InfoClass
	Limit int // bytes; 0: none
	buf   []byte
	last  int
	some  bool
}

// Bytes is the listing so far.
func (w *DirectoryWriter) Bytes() []byte { return w.buf }

// Add appends the entry, or leaves the listing as it is and returns false if it does
// not fit. A class that is none panics: it was checked with IsDirectoryClass.
func (w *DirectoryWriter) Add(e *DirectoryEntry) bool {
	l, ok := directoryLayouts[w.Class]
	if !ok {
		panic("smb2: not a directory class")
	}
	at := (len(w.buf) + 7) &^ 7
	if w.Limit != 0 && at+l.name+UTF16Len(e.FileName) > w.Limit {
		return false
	}
	if w.some {
		w.buf = link(w.buf, 0, w.last, 8)
	}
	w.last, w.some = len(w.buf), true
	w.buf = e.append(w.buf, &l)
	return true
}

// append appends one entry with NextEntryOffset 0.
func (e *DirectoryEntry) append(dst []byte, l *directoryLayout) []byte {
	start := len(dst)
	dst, b := grow(dst, l.name)
	le.PutUint32(b[4:], e.FileIndex)
	if !l.brief {
		le.PutUint64(b[8:], uint64(e.CreationTime))
		le.PutUint64(b[16:], uint64(e.LastAccessTime))
		le.PutUint64(b[24:], uint64(e.LastWriteTime))
		le.PutUint64(b[32:], uint64(e.ChangeTime))
		le.PutUint64(b[40:], e.EndOfFile)
		le.PutUint64(b[48:], e.AllocationSize)
		le.PutUint32(b[56:], uint32(e.FileAttributes))
	}
	if l.ea != 0 {
		le.PutUint32(b[l.ea:], e.EaSize)
	}
	if l.short != 0 {
		b[l.short] = e.ShortNameLength
		copy(b[l.short+2:], e.ShortName[:])
	}
	if l.reserved2 != 0 {
		le.PutUint16(b[l.reserved2:], e.Reserved2)
	}
	if l.tag != 0 {
		le.PutUint32(b[l.tag:], e.ReparsePointTag)
	}
	if l.id != 0 {
		le.PutUint64(b[l.id:], e.FileId)
	}
	if l.id128 != 0 {
		copy(b[l.id128:], e.FileId128[:])
	}
	dst = AppendUTF16(dst, e.FileName)
	le.PutUint32(dst[start+l.nameLength:], uint32(len(dst)-start-l.name))
	return dst
}
