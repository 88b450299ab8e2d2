package smb2

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"

	"smbproxy/internal/ntstatus"
)

// question names a request of a capture.
type question struct {
	client netip.AddrPort
	id     uint64
}

// payloads counts what was checked, by kind.
type payloads map[string]int

// TestCapturePayloads decodes what messages carry: create and negotiate contexts, information classes, listings,
// FSCTL payloads, change notifications, security descriptors; and encodes it again
// to equal bytes, or to another layout that says the same.
func TestCapturePayloads(t *testing.T) {
	for _, s := range sources(t)[1:] {
		t.Run(s.name, func(t *testing.T) {
			n := payloads{}
			asked := map[question]Message{}
			for _, response := range []bool{false, true} {
				for _, f := range s.frames {
					list, err := messages(f.data)
					if err != nil {
						continue // TestCaptures reports it
					}
					for _, msg := range list {
						var h Header
						if h.Decode(msg) == nil && (h.Flags&FlagServerToRedir != 0) == response {
							n.message(t, question{f.client, h.MessageID}, &h, msg, asked)
						}
					}
				}
			}
			t.Log(n)
		})
	}
}

// message checks one; requests are kept for their responses.
func (n payloads) message(t *testing.T, key question, h *Header, msg []byte, asked map[question]Message) {
	m := bodyOf(h, msg)
	if m.Decode(msg) != nil {
		return
	}
	switch m := m.(type) {
	case *NegotiateRequest:
		n.negotiateContexts(t, m.NegotiateContexts)
	case *NegotiateResponse:
		n.negotiateContexts(t, m.NegotiateContexts)
	case *CreateRequest:
		n.createContexts(t, m.CreateContexts, false)
	case *CreateResponse:
		n.createContexts(t, m.CreateContexts, true)
	case *QueryInfoRequest, *QueryDirectoryRequest:
		asked[key] = m
	case *SetInfoRequest:
		n.info(t, m.InfoType, m.FileInfoClass, m.Buffer)
	case *QueryInfoResponse:
		if q, ok := asked[key].(*QueryInfoRequest); ok && h.Status == ntstatus.Success {
			n.info(t, q.InfoType, q.FileInfoClass, m.OutputBuffer)
		}
	case *QueryDirectoryResponse:
		if q, ok := asked[key].(*QueryDirectoryRequest); ok {
			n.equal(t, "listing", listing(q.FileInformationClass), m.OutputBuffer)
		}
	case *ChangeNotifyResponse:
		n.equal(t, "notify", &list[NotifyInformation]{nil, DecodeNotifyInformation, AppendNotifyInformation}, m.OutputBuffer)
	case *IoctlRequest:
		switch m.CtlCode {
		case FsctlValidateNegotiateInfo:
			n.equal(t, "validate", new(ValidateNegotiateInfoRequest), m.Input)
		case FsctlDfsGetReferrals:
			n.equal(t, "referral", new(ReqGetDfsReferral), m.Input)
		default:
		}
	case *IoctlResponse:
		switch m.CtlCode {
		case FsctlValidateNegotiateInfo:
			n.equal(t, "validate", new(ValidateNegotiateInfoResponse), m.Output)
		case FsctlQueryNetworkInterfaceInfo:
			n.equal(t, "interfaces", &list[NetworkInterfaceInfo]{nil, DecodeNetworkInterfaces, AppendNetworkInterfaces}, m.Output)
		default:
		}
	}
}

// negotiateContexts checks each of the known types.
func (n payloads) negotiateContexts(t *testing.T, list []NegotiateContext) {
	types := map[NegotiateContextType]structure{
		ContextPreauthIntegrity: new(PreauthIntegrityCapabilities), ContextEncryption: new(EncryptionCapabilities),
		ContextCompression: new(CompressionCapabilities), ContextNetname: new(NetnameNegotiateContextID), ContextSigning: new(SigningCapabilities),
	}
	for _, c := range list {
		if s, ok := types[c.Type]; ok {
			n.equal(t, "negotiate context", s, c.Data)
		}
	}
}

// createContexts checks each of the known names.
func (n payloads) createContexts(t *testing.T, list []CreateContext, response bool) {
	types := map[string][2]structure{
		CreateRequestLease:              {new(RequestLease), new(RequestLease)},
		CreateDurableHandleRequest:      {new(DurableHandleRequest), new(DurableHandleResponse)},
		CreateDurableHandleRequestV2:    {new(DurableHandleRequestV2), new(DurableHandleResponseV2)},
		CreateQueryMaximalAccessRequest: {new(QueryMaximalAccessRequest), new(QueryMaximalAccessResponse)},
		CreateQueryOnDiskID:             {nil, new(QueryOnDiskIDResponse)},
		CreateAAPL:                      {new(AAPLRequest), new(AAPLResponse)},
	}
	side := 0
	if response {
		side = 1
	}
	for _, c := range list {
		if s := types[string(c.Name)][side]; s != nil {
			n.equal(t, string(c.Name), s, c.Data)
		}
	}
}

// info checks one information class.
func (n payloads) info(t *testing.T, typ InfoType, class InfoClass, b []byte) {
	var s structure
	switch typ {
	case InfoFile:
		s = map[InfoClass]structure{
			FileBasicInformation: new(FileBasicInfo), FileStandardInformation: new(FileStandardInfo), FileInternalInformation: new(FileInternalInfo),
			FileNetworkOpenInformation: new(FileNetworkOpenInfo), FileAllInformation: new(FileAllInfo), FileRenameInformation: new(FileRenameInfo),
			FileDispositionInformation: new(FileDispositionInfo), FileEndOfFileInformation: new(FileEndOfFileInfo), FileAllocationInformation: new(FileAllocationInfo),
			FileNormalizedNameInformation: new(FileNameInfo), FileIdInformation: new(FileIdInfo), FileAttributeTagInformation: new(FileAttributeTagInfo),
			FileStreamInformation: &list[FileStreamInfo]{nil, DecodeFileStreamInfo, AppendFileStreamInfo},
		}[class]
	case InfoFilesystem:
		s = map[InfoClass]structure{
			FileFsVolumeInformation: new(FileFsVolumeInfo), FileFsAttributeInformation: new(FileFsAttributeInfo), FileFsSizeInformation: new(FileFsSizeInfo),
			FileFsFullSizeInformation: new(FileFsFullSizeInfo), FileFsSectorSizeInformation: new(FileFsSectorSizeInfo), FileFsObjectIdInformation: new(FileFsObjectIdInfo),
		}[class]
	case InfoSecurity:
		s = new(SecurityDescriptor)
	case InfoQuota:
	}
	if s == nil {
		n["info not checked"]++
		return
	}
	n.equal(t, "info", s, b)
}

// equal decodes b and encodes it again.
func (n payloads) equal(t *testing.T, what string, s structure, b []byte) {
	n[what]++
	if err := s.Decode(b); err != nil {
		t.Errorf("%s: %v\n%s", what, err, hex.Dump(b))
		return
	}
	got := s.Append(nil)
	if bytes.Equal(got, b) {
		return
	}
	// macOS aligns by the header and not by the list, leaves gaps, pads the end; Windows and macOS put owner and group
	// before the ACLs or behind; IPv6 scopes are dropped. What is said must be the same.
	n["laid out otherwise: "+what]++
	before := shown(s)
	if err := s.Decode(got); err != nil || shown(s) != before {
		t.Errorf("%s %T: %v: encoded again\n%s\nwas\n%s", what, s, err, hex.Dump(got), hex.Dump(b))
	}
}
