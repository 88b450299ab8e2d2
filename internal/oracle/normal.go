package oracle

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// le is the byte order of SMB2.
var le = binary.LittleEndian

// recent is a moment before any test runs and after every time that scripts set: what lies behind it is "now" and
// differs between the servers. 2020-01-01 in FILETIME.
const recent = 132223104000000000

// moment is a time as an observation shows it.
func moment(t uint64) string {
	if t > recent && t < 1<<62 {
		return "now"
	}
	return fmt.Sprint(t)
}

// body decodes a reply that has nothing to hide.
func body[T any, P interface {
	*T
	Decode([]byte) error
}](m rawsmb.Message) string {
	var v T
	if err := P(&v).Decode(m.Bytes); err != nil {
		return "undecodable: " + err.Error()
	}
	return fmt.Sprintf("%x", []any{v})
}

// opened describes a CREATE reply and keeps its FileId.
func (w *world) opened(l line, m rawsmb.Message) string {
	var r smb2.CreateResponse
	if err := r.Decode(m.Bytes); err != nil {
		return "undecodable: " + err.Error()
	}
	w.files[l.args["h"]] = r.FileID
	s := fmt.Sprintf("oplock %d flags %d action %d size %d alloc %d attr %#x times %s %s %s %s", r.OplockLevel, r.Flags, r.CreateAction,
		r.EndofFile, r.AllocationSize, uint32(r.FileAttributes), moment(uint64(r.CreationTime)), moment(uint64(r.LastAccessTime)),
		moment(uint64(r.LastWriteTime)), moment(uint64(r.ChangeTime)))
	for _, c := range r.CreateContexts {
		switch string(c.Name) {
		case "QFid":
			s += fmt.Sprintf(" QFid(%d bytes)", len(c.Data))
		default:
			s += fmt.Sprintf(" %s(%x)", c.Name, c.Data)
		}
	}
	return s
}

// closed describes a CLOSE reply.
func closed(m rawsmb.Message) string {
	var r smb2.CloseResponse
	if err := r.Decode(m.Bytes); err != nil {
		return "undecodable: " + err.Error()
	}
	return fmt.Sprintf("flags %d size %d alloc %d attr %#x times %s %s %s %s", r.Flags, r.EndofFile, r.AllocationSize, uint32(r.FileAttributes),
		moment(uint64(r.CreationTime)), moment(uint64(r.LastAccessTime)), moment(uint64(r.LastWriteTime)), moment(uint64(r.ChangeTime)))
}

// read describes a READ reply; long data by its ends.
func read(m rawsmb.Message) string {
	var r smb2.ReadResponse
	if err := r.Decode(m.Bytes); err != nil {
		return "undecodable: " + err.Error()
	}
	sum := uint32(0)
	for _, b := range r.Data {
		sum = sum*31 + uint32(b)
	}
	return fmt.Sprintf("%d bytes %x.. sum %08x remaining %d flags %d", len(r.Data), r.Data[:min(16, len(r.Data))], sum, r.DataRemaining, r.Flags)
}

// ioctl describes an IOCTL reply.
func ioctl(m rawsmb.Message) string {
	var r smb2.IoctlResponse
	if err := r.Decode(m.Bytes); err != nil {
		return "undecodable: " + err.Error()
	}
	out := fmt.Sprintf("%x", r.Output)
	switch r.CtlCode {
	case smb2.FsctlCreateOrGetObjectID, smb2.FsctlGetObjectID, smb2.FsctlQueryNetworkInterfaceInfo, smb2.FsctlValidateNegotiateInfo:
		out = fmt.Sprintf("(%d bytes)", len(r.Output))
	}
	return fmt.Sprintf("code %#x flags %#x output %s", uint32(r.CtlCode), r.Flags, out)
}

// hidden are the byte ranges of a QUERY_INFO answer that differ between servers: ids, serials, free space.
var hidden = map[[2]uint8][][2]int{
	{1, 6}:  {{0, 8}},   // FileInternalInformation.IndexNumber
	{1, 18}: {{64, 72}}, // the same in FileAllInformation
	{1, 59}: {{0, 24}},  // FileIdInformation
	{2, 1}:  {{0, 12}},  // FileFsVolumeInformation: creation time, serial
	{2, 3}:  {{8, 16}},  // FileFsSizeInformation.AvailableAllocationUnits
	{2, 7}:  {{8, 24}},  // FileFsFullSizeInformation, both free counts
	{2, 8}:  {{0, 64}},  // FileFsObjectIdInformation
}

// times are the offsets of FILETIMEs in QUERY_INFO answers.
var times = map[[2]uint8][]int{
	{1, 4}:  {0, 8, 16, 24},
	{1, 18}: {0, 8, 16, 24},
	{1, 34}: {0, 8, 16, 24},
}

// queried describes a QUERY_INFO reply.
func queried(req *smb2.QueryInfoRequest, m rawsmb.Message) string {
	var r smb2.QueryInfoResponse
	if err := r.Decode(m.Bytes); err != nil {
		return "undecodable: " + err.Error()
	}
	b := slices.Clone(r.OutputBuffer)
	if req.InfoType == smb2.InfoSecurity {
		return descriptor(b)
	}
	key := [2]uint8{uint8(req.InfoType), uint8(req.FileInfoClass)}
	s := fmt.Sprintf("%d bytes", len(b))
	for _, off := range times[key] {
		if off+8 <= len(b) {
			s += " " + moment(le.Uint64(b[off:]))
			clear(b[off : off+8])
		}
	}
	for _, span := range hidden[key] {
		if span[1] <= len(b) {
			clear(b[span[0]:span[1]])
		}
	}
	return fmt.Sprintf("%s %x", s, b)
}

// descriptor describes a security descriptor by its shape: control, and each SID by its kind, since the two servers
// know the users under other SIDs.
func descriptor(b []byte) string {
	if len(b) < 20 {
		return fmt.Sprintf("descriptor of %d bytes", len(b))
	}
	s := fmt.Sprintf("control %#x", le.Uint16(b[2:]))
	for i, name := range []string{"owner", "group"} {
		if off := int(le.Uint32(b[4+4*i:])); off != 0 {
			s += " " + name + " " + sid(b, off)
		}
	}
	for i, name := range []string{"sacl", "dacl"} {
		off := int(le.Uint32(b[12+4*i:]))
		if off == 0 || off+8 > len(b) {
			continue
		}
		s += " " + name
		at := off + 8
		for n := int(le.Uint16(b[off+4:])); n > 0 && at+8 <= len(b); n-- {
			s += fmt.Sprintf(" (%d,%#x,%#x,%s)", b[at], b[at+1], le.Uint32(b[at+4:]), sid(b, at+8))
			at += int(le.Uint16(b[at+2:]))
		}
	}
	return s
}

// sid names the SID at off: an account of this machine or of Unix is just "account".
func sid(b []byte, off int) string {
	if off+8 > len(b) || off+8+4*int(b[off+1]) > len(b) {
		return "truncated"
	}
	n := int(b[off+1])
	first := uint32(0)
	if n > 0 {
		first = le.Uint32(b[off+8:])
	}
	if b[off+7] == 5 && first == 21 || b[off+7] == 22 {
		return "account"
	}
	return fmt.Sprintf("%x", b[off:off+8+4*n])
}

// entryTimes, entryID, entryName are offsets in the entries of a directory listing: the first FILETIME, the 8-byte
// id, the name's length; -1 where the class has none ([MS-FSCC] 2.4).
type entryShape struct{ time, id, nameLen, name int }

var entries = map[smb2.InfoClass]entryShape{
	smb2.FileDirectoryInformation:       {8, -1, 60, 64},
	smb2.FileFullDirectoryInformation:   {8, -1, 60, 68},
	smb2.FileBothDirectoryInformation:   {8, -1, 60, 94},
	smb2.FileNamesInformation:           {-1, -1, 8, 12},
	smb2.FileIdBothDirectoryInformation: {8, 96, 60, 104},
	smb2.FileIdFullDirectoryInformation: {8, 72, 60, 80},
}

// listed describes a QUERY_DIRECTORY reply, entry by entry in the order of the names: a file system may order two
// directories with the same names differently.
func listed(class smb2.InfoClass, m rawsmb.Message) string {
	var r smb2.QueryDirectoryResponse
	if err := r.Decode(m.Bytes); err != nil {
		return "undecodable: " + err.Error()
	}
	shape, ok := entries[class]
	if !ok {
		return fmt.Sprintf("%d bytes of class %d", len(r.OutputBuffer), class)
	}
	var lines []string
	for b := slices.Clone(r.OutputBuffer); len(b) >= shape.name; {
		next := int(le.Uint32(b))
		n := int(le.Uint32(b[shape.nameLen:]))
		if shape.name+n > len(b) {
			return "entry's name is longer than the reply"
		}
		name, _ := smb2.DecodeUTF16(b[shape.name : shape.name+n])
		s := fmt.Sprintf("%q", name)
		if shape.time >= 0 {
			if name == ".." { // the parent of the share's root is another directory
				clear(b[shape.time:shape.nameLen])
			}
			for i := 0; i < 4; i++ {
				s += " " + moment(le.Uint64(b[shape.time+8*i:]))
				clear(b[shape.time+8*i : shape.time+8*i+8])
			}
		}
		if shape.id >= 0 {
			clear(b[shape.id : shape.id+8])
		}
		lines = append(lines, fmt.Sprintf("%s %x", s, b[8:shape.name]))
		if next == 0 || next > len(b) {
			break
		}
		b = b[next:]
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d entries\n  %s", len(lines), strings.Join(lines, "\n  "))
}
