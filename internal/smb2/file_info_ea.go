package smb2

// FileFullEaNeedEa in Flags: who does not understand the attribute may not use the
// file ([MS-FSCC] 2.4.16).
const FileFullEaNeedEa uint8 = 0x80

// FileFullEaInfo is one entry of FileFullEaInformation, [MS-FSCC] 2.4.16, which is also
// the data of an ExtA create context.
type FileFullEaInfo struct {
	Flags   uint8
	EaName  string // 8-bit characters, without the NUL
	EaValue []byte
}

// DecodeFileFullEaInfo reads the list. Values alias b.
func DecodeFileFullEaInfo(b []byte) (list []FileFullEaInfo, err error) {
	err = entries("FileFullEaInformation", b, 8, func(e []byte) error {
		n, v := int(e[5]), int(le.Uint16(e[6:]))
		if 8+n+1+v > len(e) {
			return &DecodeError{Command: CommandQueryInfo, Field: "FileFullEaInformation.EaValueLength", Offset: 6, Reason: reasonBounds}
		}
		if e[8+n] != 0 {
			return &DecodeError{Command: CommandQueryInfo, Field: "FileFullEaInformation.EaName", Offset: 8 + n, Reason: reasonValue}
		}
		at := 8 + n + 1
		list = append(list, FileFullEaInfo{Flags: e[4], EaName: string(e[8 : 8+n]), EaValue: e[at : at+v : at+v]})
		return nil
	})
	return list, err
}

// AppendFileFullEaInfo appends the list; entries are 4-byte aligned. Names have at
// most 255 bytes and values 65,535.
func AppendFileFullEaInfo(dst []byte, list []FileFullEaInfo) []byte {
	start, prev := len(dst), -1
	for _, ea := range list {
		dst = link(dst, start, prev, 4)
		prev = len(dst)
		dst = le.AppendUint32(dst, 0)
		dst = append(dst, ea.Flags, uint8(len(ea.EaName)))
		dst = le.AppendUint16(dst, uint16(len(ea.EaValue)))
		dst = append(dst, ea.EaName...)
		dst = append(dst, 0)
		dst = append(dst, ea.EaValue...)
	}
	return dst
}

// DecodeFileGetEaInfo reads the names that a query asks for, [MS-FSCC] 2.4.16.1.
func DecodeFileGetEaInfo(b []byte) (list []string, err error) {
	err = entries("FILE_GET_EA_INFORMATION", b, 5, func(e []byte) error {
		n := int(e[4])
		if 5+n > len(e) {
			return &DecodeError{Command: CommandQueryInfo, Field: "FILE_GET_EA_INFORMATION.EaNameLength", Offset: 4, Reason: reasonBounds}
		}
		list = append(list, string(e[5:5+n]))
		return nil
	})
	return list, err
}

// AppendFileGetEaInfo appends the list; entries are 4-byte aligned.
func AppendFileGetEaInfo(dst []byte, list []string) []byte {
	start, prev := len(dst), -1
	for _, name := range list {
		dst = link(dst, start, prev, 4)
		prev = len(dst)
		dst = le.AppendUint32(dst, 0)
		dst = append(dst, uint8(len(name)))
		dst = append(dst, name...)
		dst = append(dst, 0)
	}
	return dst
}
