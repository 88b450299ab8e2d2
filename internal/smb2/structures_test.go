package smb2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"smbproxy/internal/ntstatus"
)

// structure is what travels inside a message: a payload, a context, an information class.
type structure interface {
	Append(dst []byte) []byte
	Decode(b []byte) error
}

// list makes a structure of functions for a list of entries.
type list[T any] struct {
	Entries []T
	decode  func([]byte) ([]T, error)
	encode  func([]byte, []T) []byte
}

// Decode reads the list.
func (l *list[T]) Decode(b []byte) (err error) {
	l.Entries, err = l.decode(b)
	return err
}

// Append appends the list.
func (l *list[T]) Append(dst []byte) []byte { return l.encode(dst, l.Entries) }

// empty makes one of the same functions.
func (l *list[T]) empty() structure { return &list[T]{decode: l.decode, encode: l.encode} }

// String leaves the functions out.
func (l *list[T]) String() string { return show(l.Entries) }

// listing is a list of directory entries of one class.
func listing(class InfoClass, entries ...DirectoryEntry) *list[DirectoryEntry] {
	return &list[DirectoryEntry]{
		Entries: entries,
		decode:  func(b []byte) ([]DirectoryEntry, error) { return DecodeDirectory(class, b) },
		encode: func(dst []byte, list []DirectoryEntry) []byte {
			w := DirectoryWriter{Class: class}
			for i := range list {
				w.Add(&list[i])
			}
			return append(dst, w.Bytes()...)
		},
	}
}

// freshStructure makes an empty one like s.
func freshStructure(s structure) structure {
	switch s := s.(type) {
	case interface{ empty() structure }:
		return s.empty()
	case *SymbolicLinkReparseData:
		return &SymbolicLinkReparseData{MountPoint: s.MountPoint}
	}
	return reflect.New(reflect.TypeOf(s).Elem()).Interface().(structure)
}

// ptr is a pointer to a value.
func ptr[T any](v T) *T { return &v }

// sampleSID is the SID of a domain user.
var sampleSID = SID{IdentifierAuthority: 5, SubAuthority: []uint32{21, 1, 2, 3, 1001}}

// contextStructures are those of CREATE, NEGOTIATE and ERROR.
func contextStructures() map[string]structure {
	return map[string]structure{
		"PreauthIntegrity":       &PreauthIntegrityCapabilities{HashAlgorithms: []uint16{1, 2}, Salt: []byte("salt")},
		"Encryption":             &EncryptionCapabilities{Ciphers: []uint16{1, 2, 3}},
		"Compression":            &CompressionCapabilities{Flags: 1, CompressionAlgorithms: []uint16{1, 2}},
		"Netname":                &NetnameNegotiateContextID{NetName: "server"},
		"Transport":              &TransportCapabilities{Flags: 1},
		"RDMATransform":          &RDMATransformCapabilities{RDMATransformIDs: []uint16{1, 2}},
		"Signing":                &SigningCapabilities{SigningAlgorithms: []uint16{2, 1}},
		"LeaseV1":                &RequestLease{LeaseKey: sampleGUID, LeaseState: 7, LeaseFlags: 2},
		"LeaseV2":                &RequestLease{V2: true, LeaseKey: sampleGUID, LeaseState: 7, LeaseFlags: 4, ParentLeaseKey: sampleGUID, Epoch: 9},
		"DurableRequest":         &DurableHandleRequest{},
		"DurableResponse":        &DurableHandleResponse{},
		"DurableReconnect":       &DurableHandleReconnect{FileID: sampleID},
		"DurableRequestV2":       &DurableHandleRequestV2{Timeout: 1, Flags: 2, CreateGUID: sampleGUID},
		"DurableResponseV2":      &DurableHandleResponseV2{Timeout: 1, Flags: 2},
		"DurableReconnectV2":     &DurableHandleReconnectV2{FileID: sampleID, CreateGUID: sampleGUID, Flags: 2},
		"AppInstanceID":          &AppInstanceID{ID: sampleGUID},
		"AppInstanceVersion":     &AppInstanceVersion{High: 1, Low: 2},
		"AllocationSize":         ptr(AllocationSize(5)),
		"TimewarpToken":          &TimewarpToken{Timestamp: 6},
		"MaximalAccessRequest":   &QueryMaximalAccessRequest{HasTimestamp: true, Timestamp: 7},
		"MaximalAccessResponse":  &QueryMaximalAccessResponse{QueryStatus: ntstatus.AccessDenied, MaximalAccess: 3},
		"QueryOnDiskIDResponse":  &QueryOnDiskIDResponse{DiskFileID: 1, VolumeID: 2},
		"AAPLRequest":            &AAPLRequest{CommandCode: 1, RequestBitmap: 7, ClientCapabilities: 7},
		"AAPLResponse":           &AAPLResponse{CommandCode: 1, ReplyBitmap: 7, ServerCaps: 5, VolumeCaps: 2, Model: "MacSamba"},
		"AAPLResolveRequest":     &AAPLRequest{CommandCode: AAPLResolveID, FileID: 5},
		"AAPLResolveResponse":    &AAPLResponse{CommandCode: AAPLResolveID, Status: ntstatus.NoSuchFile, Name: "name"},
		"SymbolicLinkError":      &SymbolicLinkErrorResponse{UnparsedPathLength: 8, Flags: 1, SubstituteName: "target", PrintName: "print"},
		"SMB1Negotiate":          &SMB1NegotiateRequest{Header: [32]byte{0xFF, 'S', 'M', 'B', 0x72, 31: 9}, Dialects: []string{"NT LM 0.12", "SMB 2.???"}},
		"CompressionTransform":   &CompressionTransformHeader{OriginalCompressedSegmentSize: 1, CompressionAlgorithm: 2, Flags: 1, Offset: 3},
		"TransformHeader":        &TransformHeader{Signature: sampleGUID, Nonce: sampleGUID, OriginalMessageSize: 5, Flags: 1, SessionID: 6},
		"Header":                 &Header{CreditCharge: 1, Status: 2, Command: 3, Credits: 4, Flags: FlagDFS, NextCommand: 8, MessageID: 9, ProcessID: 10, TreeID: 11, SessionID: 12, Signature: sampleGUID},
		"HeaderAsync":            &Header{CreditCharge: 1, Status: 2, Command: 3, Credits: 4, Flags: FlagAsync, NextCommand: 8, MessageID: 9, AsyncID: 10, SessionID: 12, Signature: sampleGUID},
		"SID":                    &sampleSID,
		"SecurityDescriptor":     sampleSecurityDescriptor(),
		"SecurityDescriptorNull": &SecurityDescriptor{Control: SEDaclPresent | SESelfRelative},
	}
}

// sampleSecurityDescriptor has an ACE of each form.
func sampleSecurityDescriptor() *SecurityDescriptor {
	everyone := SID{IdentifierAuthority: 1, SubAuthority: []uint32{0}}
	return &SecurityDescriptor{
		Sbz1: 1, Control: SEDaclPresent | SESaclPresent | SEDaclProtected | SESelfRelative, Owner: &sampleSID, Group: &everyone,
		Sacl: &ACL{Revision: 2, ACEs: []ACE{{Type: SystemAuditACE, Flags: SuccessfulAccessACEFlag, Mask: 1, SID: everyone}}},
		Dacl: &ACL{Revision: 4, ACEs: []ACE{
			{Type: AccessAllowedACE, Flags: InheritedACE, Mask: FileAllAccess, SID: sampleSID},
			{Type: AccessDeniedObjectACE, Mask: 1, Object: append([]byte{1, 0, 0, 0}, sampleGUID[:]...), SID: everyone},
			{Type: AccessAllowedCallbackACE, Mask: 1, SID: everyone, Data: []byte("artx")},
			{Type: 0x7F, Data: []byte("unknown!")},
		}},
	}
}

// fileStructures are those of QUERY_INFO and SET_INFO.
func fileStructures() map[string]structure {
	entry := DirectoryEntry{FileIndex: 1, FileName: "ü name.txt"}
	full := DirectoryEntry{
		FileIndex: 1, CreationTime: 2, LastAccessTime: 3, LastWriteTime: 4, ChangeTime: 5, EndOfFile: 6, AllocationSize: 7,
		FileAttributes: 8, FileName: "name",
	}
	ea, both := full, full
	ea.EaSize = 9
	both.EaSize, both.ShortNameLength, both.ShortName = 9, 4, [24]byte{'A', 0, 'B', 0}
	idBoth := both
	idBoth.Reserved2, idBoth.FileId = 3, 10
	extd := ea
	extd.ReparsePointTag = 11
	id64 := extd
	id64.FileId = 10
	id64both := id64
	id64both.ShortNameLength, id64both.ShortName = both.ShortNameLength, both.ShortName
	all, allBoth, idExtd, idFull := id64, id64both, extd, ea
	all.FileId128, allBoth.FileId128, idExtd.FileId128, idFull.FileId = sampleGUID, sampleGUID, sampleGUID, 10
	return map[string]structure{
		"FileBasic":           &FileBasicInfo{1, 2, 3, 4, 5},
		"FileStandard":        &FileStandardInfo{1, 2, 3, true, true},
		"FileInternal":        &FileInternalInfo{1},
		"FileEa":              &FileEaInfo{1},
		"FileAccess":          &FileAccessInfo{1},
		"FilePosition":        &FilePositionInfo{1},
		"FileMode":            &FileModeInfo{1},
		"FileAlignment":       &FileAlignmentInfo{1},
		"FileNetworkOpen":     &FileNetworkOpenInfo{1, 2, 3, 4, 5, 6, 7},
		"FileAttributeTag":    &FileAttributeTagInfo{1, 2},
		"FileCompression":     &FileCompressionInfo{1, 2, 3, 4, 5},
		"FileId":              &FileIdInfo{1, sampleGUID},
		"FileEndOfFile":       &FileEndOfFileInfo{1},
		"FileAllocation":      &FileAllocationInfo{1},
		"FileValidDataLength": &FileValidDataLengthInfo{1},
		"FileDisposition":     &FileDispositionInfo{true},
		"FileDispositionEx":   &FileDispositionInfoEx{1},
		"FileRename":          &FileRenameInfo{true, 1, "dir\\name"},
		"FileRenameEx":        &FileRenameInfoEx{3, 1, "n"},
		"FileLink":            &FileLinkInfo{true, 1, "dir\\name"},
		"FileName":            &FileNameInfo{sampleName},
		"FileAll":             &FileAllInfo{FileBasicInfo{1, 2, 3, 4, 5}, FileStandardInfo{1, 2, 3, true, true}, FileInternalInfo{1}, FileEaInfo{2}, FileAccessInfo{3}, FilePositionInfo{4}, FileModeInfo{5}, FileAlignmentInfo{6}, FileNameInfo{"name"}},
		"FilePipe":            &FilePipeInfo{1, 2},
		"FilePipeLocal":       &FilePipeLocalInfo{1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
		"FileStream":          &list[FileStreamInfo]{[]FileStreamInfo{{1, 2, "::$DATA"}, {3, 4, ":s:$DATA"}}, DecodeFileStreamInfo, AppendFileStreamInfo},
		"FileHardLink":        &list[FileLinkEntryInfo]{[]FileLinkEntryInfo{{1, "one"}, {2, "two"}}, DecodeFileHardLinkInfo, AppendFileHardLinkInfo},
		"FileFullEa":          &list[FileFullEaInfo]{[]FileFullEaInfo{{0, "A", []byte("value")}, {0x80, "NAME", nil}}, DecodeFileFullEaInfo, AppendFileFullEaInfo},
		"FileGetEa":           &list[string]{[]string{"A", "NAME"}, DecodeFileGetEaInfo, AppendFileGetEaInfo},
		"FileQuota":           &list[FileQuotaInfo]{[]FileQuotaInfo{{1, 2, 3, 4, sampleSID}, {5, 6, 7, 8, sampleSID}}, DecodeFileQuotaInfo, AppendFileQuotaInfo},
		"QueryQuota":          &QueryQuotaInfo{true, true, 4, 2, 2, []byte("sids")},
		"NotifyInformation":   &list[NotifyInformation]{[]NotifyInformation{{1, "odd"}, {4, "x\\y"}, {5, "z"}}, DecodeNotifyInformation, AppendNotifyInformation},
		"FileFsVolume":        &FileFsVolumeInfo{1, 2, true, "label"},
		"FileFsLabel":         &FileFsLabelInfo{"label"},
		"FileFsSize":          &FileFsSizeInfo{1, 2, 3, 4},
		"FileFsFullSize":      &FileFsFullSizeInfo{1, 2, 3, 4, 5},
		"FileFsDevice":        &FileFsDeviceInfo{1, 2},
		"FileFsAttribute":     &FileFsAttributeInfo{1, 255, "NTFS"},
		"FileFsControl":       &FileFsControlInfo{1, 2, 3, 4, 5, 6},
		"FileFsObjectId":      &FileFsObjectIdInfo{sampleGUID, [48]byte{1, 47: 2}},
		"FileFsSectorSize":    &FileFsSectorSizeInfo{1, 2, 3, 4, 5, 6, 7},
		"DirNames":            listing(FileNamesInformation, entry, entry),
		"Dir":                 listing(FileDirectoryInformation, full, full),
		"DirFull":             listing(FileFullDirectoryInformation, ea, ea),
		"DirBoth":             listing(FileBothDirectoryInformation, both, both),
		"DirIdBoth":           listing(FileIdBothDirectoryInformation, idBoth, idBoth),
		"DirIdFull":           listing(FileIdFullDirectoryInformation, idFull, idFull),
		"DirIdExtd":           listing(FileIdExtdDirectoryInformation, idExtd, idExtd),
		"DirId64Extd":         listing(FileId64ExtdDirectoryInformation, id64, id64),
		"DirId64ExtdBoth":     listing(FileId64ExtdBothDirectoryInfo, id64both, id64both),
		"DirIdAllExtd":        listing(FileIdAllExtdDirectoryInformation, all, all),
		"DirIdAllExtdBoth":    listing(FileIdAllExtdBothDirectoryInfo, allBoth, allBoth),
	}
}

// fsctlStructures are those of IOCTL.
func fsctlStructures() map[string]structure {
	return map[string]structure{
		"ValidateNegotiateRequest":  &ValidateNegotiateInfoRequest{1, sampleGUID, 2, []Dialect{Dialect202, Dialect311}},
		"ValidateNegotiateResponse": &ValidateNegotiateInfoResponse{1, sampleGUID, 2, Dialect302},
		"NetworkInterfaces": &list[NetworkInterfaceInfo]{[]NetworkInterfaceInfo{
			{1, NetworkInterfaceRSS, 1e10, netip.MustParseAddr("10.1.2.3")}, {2, 0, 1e9, netip.MustParseAddr("fd00::5")},
		}, DecodeNetworkInterfaces, AppendNetworkInterfaces},
		"SrvRequestResumeKey": &SrvRequestResumeKey{[24]byte{1, 23: 2}},
		"SrvCopychunkCopy":    &SrvCopychunkCopy{[24]byte{1, 23: 2}, []SrvCopychunk{{1, 2, 3}, {4, 5, 6}}},
		"SrvCopychunkResp":    &SrvCopychunkResponse{1, 2, 3},
		"SrvSnapshotArray":    &SrvSnapshotArray{2, 100, []string{"@GMT-2024.01.31-23.59.59", "@GMT-2024.02.01-23.59.59"}},
		"DfsReferral":         &ReqGetDfsReferral{4, `\server\dfs`},
		"DfsReferralEx":       &ReqGetDfsReferralEx{4, DfsReferralSiteName, `\server\dfs`, "site"},
		"DfsReferralResp": &RespGetDfsReferral{22, DfsStorageServers, []DfsReferral{
			{3, 1, 0, 300, `\server\dfs`, `\server\dfs`, `\a\share`}, {4, 0, 4, 300, `\server\dfs`, `\server\dfs`, `\b\share`},
		}},
		"Ranges":            &list[FileRange]{[]FileRange{{1, 2}, {3, 4}}, DecodeFileRanges, AppendFileRanges},
		"SetSparse":         &FileSetSparseBuffer{true},
		"ZeroData":          &FileZeroDataInformation{1, 2},
		"Trim":              &FileLevelTrim{1, []FileRange{{1, 2}, {3, 4}}},
		"TrimOutput":        &FileLevelTrimOutput{2},
		"RegionInput":       &FileRegionInput{1, 2, 3},
		"RegionOutput":      &FileRegionOutput{1, 2, []FileRegionInfo{{1, 2, 3}, {4, 5, 6}}},
		"DuplicateExtents":  &DuplicateExtentsData{sampleID, 1, 2, 3},
		"DuplicateExtentEx": &DuplicateExtentsDataEx{DuplicateExtentsData{sampleID, 1, 2, 3}, 1},
		"GetIntegrity":      &GetIntegrityInformation{1, 2, 3, 4},
		"SetIntegrity":      &SetIntegrityInformation{1, 2},
		"CompressionState":  ptr(CompressionFormatLZNT1),
		"PipeWait":          &PipeWait{5, true, "srvsvc"},
		"PipePeek":          &PipePeek{3, 4, 1, 4, []byte("data")},
		"Resiliency":        &NetworkResiliencyRequest{1000},
		"ReparseSymlink":    &ReparseDataBuffer{ReparseTag: ReparseTagSymlink, Data: []byte("data")},
		"ReparseGUID":       &ReparseDataBuffer{ReparseTag: 5, GUID: sampleGUID, Data: []byte("data")},
		"Symlink":           &SymbolicLinkReparseData{SubstituteName: `\??\C:\x`, PrintName: `C:\x`, Flags: 1},
		"MountPoint":        &SymbolicLinkReparseData{MountPoint: true, SubstituteName: `\??\C:\x`, PrintName: `C:\x`},
		"ObjectId":          &FileObjectIdBuffer{sampleGUID, GUID{1}, GUID{2}, GUID{3}},
	}
}

// structures are all of them.
func structures() map[string]structure {
	all := contextStructures()
	for _, more := range []map[string]structure{fileStructures(), fsctlStructures()} {
		for name, s := range more {
			all[name] = s
		}
	}
	return all
}

// shown prints a structure with what its pointers point to.
func shown(s structure) string {
	if d, ok := s.(*SecurityDescriptor); ok {
		b, err := json.Marshal(d)
		return fmt.Sprint(strings.ReplaceAll(string(b), `"Data":null`, `"Data":""`), err)
	}
	if _, ok := s.(fmt.Stringer); ok {
		return show(s)
	}
	return show(reflect.ValueOf(s).Elem().Interface())
}

// TestStructures decodes, encodes and decodes, behind other bytes too.
func TestStructures(t *testing.T) {
	for name, s := range structures() {
		b := s.Append(nil)
		got := freshStructure(s)
		if err := got.Decode(b); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if shown(got) != shown(s) {
			t.Errorf("%s: got %s, want %s", name, shown(got), shown(s))
		}
		for _, n := range []int{0, 3} {
			if again := got.Append(make([]byte, n))[n:]; !bytes.Equal(again, b) {
				t.Errorf("%s: encoded again behind %d bytes: got %x, want %x", name, n, again, b)
			}
		}
	}
}

// optionalTail are the structures of which a prefix is valid too, and how long it is at least.
var optionalTail = map[string]int{
	"Netname": 0, "MaximalAccessRequest": 0, "SetSparse": 0, "Ranges": 0, "PipePeek": 16, "DfsReferral": 2,
	"FileStandard": 22, "SrvRequestResumeKey": 28, "SrvSnapshotArray": 110, "FileCompression": 16,
	// Lists may be empty.
	"FileStream": 0, "FileFullEa": 0, "FileGetEa": 0, "FileQuota": 0, "NotifyInformation": 0, "NetworkInterfaces": 0,
	"FileRenameEx": 22, "LeaseV2": 32, "FileFsControl": 48, "MountPoint": 34, "DfsReferralResp": 76,
	"DirNames": 0, "Dir": 0, "DirFull": 0, "DirBoth": 0, "DirIdBoth": 0, "DirIdFull": 0, "DirIdExtd": 0,
	"DirId64Extd": 0, "DirId64ExtdBoth": 0, "DirIdAllExtd": 0, "DirIdAllExtdBoth": 0,
}

// TestStructureTruncations decodes each prefix: an error that maps to InvalidParameter, or nothing lost that must be
// there.
func TestStructureTruncations(t *testing.T) {
	for name, s := range structures() {
		b := s.Append(nil)
		least, some := optionalTail[name]
		if !some {
			least = len(b)
		}
		for n := range len(b) {
			got := freshStructure(s)
			err := got.Decode(b[:n:n])
			if err == nil && n < least {
				t.Errorf("%s: %d of %d bytes decoded", name, n, len(b))
			}
			if err == nil {
				got.Append(nil)
				continue
			}
			var de *DecodeError
			if !errors.As(err, &de) || de.Field == "" || de.Reason == "" || ntstatus.From(err) != ntstatus.InvalidParameter {
				t.Errorf("%s: got error %#v", name, err)
			}
		}
	}
}

// TestStructureHostileFields puts large numbers at each place: no panic, no memory by what a field claims.
func TestStructureHostileFields(t *testing.T) {
	for name, s := range structures() {
		b := s.Append(nil)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		count := 0
		for at := range b {
			for _, v := range []string{"\xff", "\xff\xff", "\xff\xff\xff\xff", "\xff\xff\xff\x7f", "\x00\x00\x00\x80", "\x00\x00\x00\x00", "\x01\x00", "\x08\x00\x00\x00", "\xf8\xff\xff\xff"} {
				bad := append([]byte(nil), b...)
				copy(bad[at:], v)
				got := freshStructure(s)
				if err := got.Decode(bad); err == nil {
					got.Append(nil)
				}
				count++
			}
		}
		runtime.ReadMemStats(&after)
		if per := (after.TotalAlloc - before.TotalAlloc) / uint64(count); per > 64<<10 {
			t.Errorf("%s: %d bytes of memory for one decoding", name, per)
		}
	}
}
