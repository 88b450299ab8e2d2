package golden

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// payload writes the structure that a byte slice of the message in hand is, if it is one.
func (d *dumper) payload(depth int, name string, b []byte) {
	list, err := d.structures(name, b)
	if err != nil {
		d.line(depth, "malformed: %v", err)
		return
	}
	for i, s := range list {
		v := reflect.ValueOf(s)
		for v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		d.value(depth, fmt.Sprintf("%s[%d]", v.Type().Name(), i), v)
	}
}

// context writes a create or negotiate context; false if its data is no structure.
func (d *dumper) context(depth int, name string, v reflect.Value) bool {
	var s structure
	var what string
	var data []byte
	switch c := v.Interface().(type) {
	case smb2.CreateContext:
		s, what, data = createContext(d.msg, c.Name, c.Data), d.bytes("Name", c.Name), c.Data
	case smb2.NegotiateContext:
		s, what, data = negotiateContext(c.Type), number(reflect.ValueOf(c.Type)), c.Data
	}
	if s == nil {
		return false
	}
	d.line(depth, "%s: %s", name, what)
	if err := s.Decode(data); err != nil {
		d.line(depth+1, "malformed: %v", err)
		return true
	}
	d.value(depth+1, reflect.TypeOf(s).Elem().Name(), reflect.ValueOf(s).Elem())
	return true
}

// decodes says whether payload will show the bytes.
func (d *dumper) decodes(name string, b []byte) bool {
	list, err := d.structures(name, b)
	return err != nil || list != nil
}

// random says whether the message carries RPC over a pipe, which names the server and has padding that nobody cleared.
func (d *dumper) random() bool {
	h := &d.msg.Header
	if d.msg.Request != nil {
		h = &d.msg.Request.Header
	}
	return d.pipes[d.names.tree(h.SessionID, h.TreeID)]
}

// structure is a payload that decodes into itself.
type structure interface{ Decode(b []byte) error }

// structures decodes a payload: nil for bytes that are no structure.
func (d *dumper) structures(name string, b []byte) ([]any, error) {
	if len(b) == 0 {
		return nil, nil
	}
	request := d.msg
	if d.msg.Request != nil {
		request = d.msg.Request
	}
	switch m := request.Body.(type) {
	case *smb2.QueryDirectoryRequest:
		if name == "OutputBuffer" {
			return listing(m.FileInformationClass, b)
		}
	case *smb2.QueryInfoRequest:
		if name == "OutputBuffer" {
			return information(m.InfoType, m.FileInfoClass, b, d.msg.Header.Status)
		}
	case *smb2.SetInfoRequest:
		if name == "Buffer" {
			return information(m.InfoType, m.FileInfoClass, b, ntstatus.Success)
		}
	case *smb2.ChangeNotifyRequest:
		if name == "OutputBuffer" {
			list, err := smb2.DecodeNotifyInformation(b)
			return pointers(list), err
		}
	case *smb2.IoctlRequest:
		return control(m.CtlCode, d.msg.Response, name, b)
	}
	return nil, nil
}

// one decodes a single structure.
func one(s structure, b []byte) ([]any, error) {
	if err := s.Decode(b); err != nil {
		return nil, err
	}
	return []any{s}, nil
}

// pointers are those to the elements of a list.
func pointers[T any](list []T) []any {
	out := make([]any, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

// listing is a directory by name: the order in which it is read is the file system's, which hashes with a random seed.
func listing(class smb2.InfoClass, b []byte) ([]any, error) {
	list, err := smb2.DecodeDirectory(class, b)
	slices.SortFunc(list, func(a, b smb2.DirectoryEntry) int { return cmp.Compare(a.FileName, b.FileName) })
	return pointers(list), err
}

// information is a structure of QUERY_INFO or SET_INFO.
func information(typ smb2.InfoType, class smb2.InfoClass, b []byte, status ntstatus.Status) ([]any, error) {
	if status != ntstatus.Success {
		return nil, nil // cut off
	}
	var s structure
	switch typ {
	case smb2.InfoFile:
		switch class {
		case smb2.FileStreamInformation:
			list, err := smb2.DecodeFileStreamInfo(b)
			return pointers(list), err
		case smb2.FileFullEaInformation:
			list, err := smb2.DecodeFileFullEaInfo(b)
			return pointers(list), err
		default:
			s = fileStructure(class)
		}
	case smb2.InfoFilesystem:
		s = fsStructure(class)
	case smb2.InfoSecurity:
		s = new(smb2.SecurityDescriptor)
	case smb2.InfoQuota:
	}
	if s == nil {
		return nil, nil
	}
	return one(s, b)
}

// fileStructure is the structure of a class of files; nil if the codec has none.
func fileStructure(class smb2.InfoClass) structure {
	switch class {
	case smb2.FileBasicInformation:
		return new(smb2.FileBasicInfo)
	case smb2.FileStandardInformation:
		return new(smb2.FileStandardInfo)
	case smb2.FileInternalInformation:
		return new(smb2.FileInternalInfo)
	case smb2.FileEaInformation:
		return new(smb2.FileEaInfo)
	case smb2.FileAccessInformation:
		return new(smb2.FileAccessInfo)
	case smb2.FileAllInformation:
		return new(smb2.FileAllInfo)
	case smb2.FileNetworkOpenInformation:
		return new(smb2.FileNetworkOpenInfo)
	case smb2.FileNormalizedNameInformation, smb2.FileAlternateNameInformation, smb2.FileNameInformation:
		return new(smb2.FileNameInfo)
	case smb2.FileIdInformation:
		return new(smb2.FileIdInfo)
	case smb2.FileAttributeTagInformation:
		return new(smb2.FileAttributeTagInfo)
	case smb2.FileDispositionInformation:
		return new(smb2.FileDispositionInfo)
	case smb2.FileEndOfFileInformation:
		return new(smb2.FileEndOfFileInfo)
	case smb2.FileAllocationInformation:
		return new(smb2.FileAllocationInfo)
	case smb2.FileRenameInformation:
		return new(smb2.FileRenameInfo)
	case smb2.FileLinkInformation:
		return new(smb2.FileLinkInfo)
	default:
		return nil
	}
}

// fsStructure is the structure of a class of file systems; nil if the codec has none.
func fsStructure(class smb2.InfoClass) structure {
	switch class {
	case smb2.FileFsVolumeInformation:
		return new(smb2.FileFsVolumeInfo)
	case smb2.FileFsSizeInformation:
		return new(smb2.FileFsSizeInfo)
	case smb2.FileFsFullSizeInformation:
		return new(smb2.FileFsFullSizeInfo)
	case smb2.FileFsDeviceInformation:
		return new(smb2.FileFsDeviceInfo)
	case smb2.FileFsAttributeInformation:
		return new(smb2.FileFsAttributeInfo)
	case smb2.FileFsObjectIdInformation:
		return new(smb2.FileFsObjectIdInfo)
	case smb2.FileFsSectorSizeInformation:
		return new(smb2.FileFsSectorSizeInfo)
	default:
		return nil
	}
}

// control is the payload of an FSCTL.
func control(code smb2.FsctlCode, response bool, name string, b []byte) ([]any, error) {
	if (name == "Output") != response || (name != "Input" && name != "Output") {
		return nil, nil
	}
	var s structure
	switch code {
	case smb2.FsctlSrvRequestResumeKey:
		s = new(smb2.SrvRequestResumeKey)
	case smb2.FsctlSrvCopychunk, smb2.FsctlSrvCopychunkWrite:
		s = new(smb2.SrvCopychunkCopy)
		if response {
			s = new(smb2.SrvCopychunkResponse)
		}
	case smb2.FsctlValidateNegotiateInfo:
		s = new(smb2.ValidateNegotiateInfoRequest)
		if response {
			s = new(smb2.ValidateNegotiateInfoResponse)
		}
	case smb2.FsctlDfsGetReferrals:
		s = new(smb2.ReqGetDfsReferral)
		if response {
			s = new(smb2.RespGetDfsReferral)
		}
	case smb2.FsctlQueryNetworkInterfaceInfo:
		list, err := smb2.DecodeNetworkInterfaces(b)
		return pointers(list), err
	default:
		return nil, nil
	}
	return one(s, b)
}

// createContext is the structure of a create context; nil for one without, or whose bytes say as much.
func createContext(m *Message, name, data []byte) structure {
	pair := map[string][2]structure{
		smb2.CreateRequestLease:              {new(smb2.RequestLease), new(smb2.RequestLease)},
		smb2.CreateDurableHandleReconnect:    {new(smb2.DurableHandleReconnect), nil},
		smb2.CreateDurableHandleRequestV2:    {new(smb2.DurableHandleRequestV2), new(smb2.DurableHandleResponseV2)},
		smb2.CreateDurableHandleReconnectV2:  {new(smb2.DurableHandleReconnectV2), nil},
		smb2.CreateQueryMaximalAccessRequest: {nil, new(smb2.QueryMaximalAccessResponse)},
		smb2.CreateQueryOnDiskID:             {nil, new(smb2.QueryOnDiskIDResponse)},
		smb2.CreateTimewarpToken:             {new(smb2.TimewarpToken), nil},
		smb2.CreateSdBuffer:                  {new(smb2.SecurityDescriptor), nil},
	}[string(name)]
	s := pair[0]
	if m.Response {
		s = pair[1]
	}
	if len(data) == 0 {
		return nil
	}
	return s
}

// negotiateContext is the structure of a NEGOTIATE context; nil for one that the codec does not know.
func negotiateContext(t smb2.NegotiateContextType) structure {
	switch t {
	case smb2.ContextPreauthIntegrity:
		return new(smb2.PreauthIntegrityCapabilities)
	case smb2.ContextEncryption:
		return new(smb2.EncryptionCapabilities)
	case smb2.ContextCompression:
		return new(smb2.CompressionCapabilities)
	case smb2.ContextNetname:
		return new(smb2.NetnameNegotiateContextID)
	case smb2.ContextSigning:
		return new(smb2.SigningCapabilities)
	default:
		return nil
	}
}
