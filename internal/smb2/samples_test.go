package smb2

import (
	"fmt"
	"reflect"
	"testing"

	"smbproxy/internal/ntstatus"
)

// sample is a message with all its fields in use. response tells how the header is flagged.
type sample struct {
	name     string
	command  Command
	response bool
	status   ntstatus.Status
	message  Message
}

// encode makes the whole message.
func (s *sample) encode() []byte {
	h := Header{Command: s.command, MessageID: 7, SessionID: 9, TreeID: 5, Credits: 1, Status: s.status}
	if s.response {
		h.Flags |= FlagServerToRedir
	}
	return s.message.Append(h.Append(nil))
}

// fresh makes an empty message of the sample's type.
func (s *sample) fresh() Message {
	return reflect.New(reflect.TypeOf(s.message).Elem()).Interface().(Message)
}

// Parts of samples.
var (
	sampleID   = FileID{Persistent: 0x1122334455667788, Volatile: 0x99AABBCCDDEEFF00}
	sampleGUID = GUID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	sampleName = "dir\\Grüße \U0001F600 \xed\xa0\x80.txt" // with an unpaired surrogate
)

// sampleContexts are create contexts as Windows sends them.
func sampleContexts() []CreateContext {
	lease := RequestLease{V2: true, LeaseKey: sampleGUID, LeaseState: 7, Epoch: 3}
	durable := DurableHandleRequestV2{Timeout: 60000, Flags: DurableFlagPersistent, CreateGUID: sampleGUID}
	return []CreateContext{
		{Name: []byte(CreateDurableHandleRequestV2), Data: durable.Append(nil)},
		{Name: []byte(CreateQueryMaximalAccessRequest)},
		{Name: []byte(CreateQueryOnDiskID)},
		{Name: []byte(CreateAppInstanceID), Data: (&AppInstanceID{ID: sampleGUID}).Append(nil)},
		{Name: []byte(CreateRequestLease), Data: lease.Append(nil)},
	}
}

// sampleNegotiateContexts are the contexts of a Windows 11 client.
func sampleNegotiateContexts() []NegotiateContext {
	return []NegotiateContext{
		(&PreauthIntegrityCapabilities{HashAlgorithms: []uint16{PreauthSHA512}, Salt: []byte("0123456789abcdef0123456789abcdef")}).Context(),
		(&EncryptionCapabilities{Ciphers: []uint16{2, 1, 4, 3}}).Context(),
		(&CompressionCapabilities{Flags: 1, CompressionAlgorithms: []uint16{4, 2, 3, 1}}).Context(),
		(&NetnameNegotiateContextID{NetName: "files.example.com"}).Context(),
		(&TransportCapabilities{Flags: 1}).Context(),
		(&RDMATransformCapabilities{RDMATransformIDs: []uint16{1, 2}}).Context(),
		(&SigningCapabilities{SigningAlgorithms: []uint16{2, 1, 0}}).Context(),
	}
}

// requestSamples has each request.
func requestSamples() []sample {
	return []sample{
		{"NegotiateRequest", CommandNegotiate, false, 0, &NegotiateRequest{SecurityMode: 1, Capabilities: 0x7F, ClientGUID: sampleGUID, Dialects: []Dialect{0x0202, 0x0210, 0x0300, 0x0302, 0x0311}, NegotiateContexts: sampleNegotiateContexts()}},
		{"NegotiateRequest30", CommandNegotiate, false, 0, &NegotiateRequest{SecurityMode: 3, Capabilities: 1, ClientGUID: sampleGUID, ClientStartTime: 5, Dialects: []Dialect{0x0202, 0x0300}}},
		{"SessionSetupRequest", CommandSessionSetup, false, 0, &SessionSetupRequest{Flags: 1, SecurityMode: 2, Capabilities: 1, Channel: 3, PreviousSessionID: 4, SecurityBuffer: []byte("token")}},
		{"LogoffRequest", CommandLogoff, false, 0, &LogoffRequest{}},
		{"TreeConnectRequest", CommandTreeConnect, false, 0, &TreeConnectRequest{Path: `\\server\share`}},
		{"TreeConnectRequestExt", CommandTreeConnect, false, 0, &TreeConnectRequest{Flags: TreeConnectFlagExtensionPresent, Path: `\\server\share`, Contexts: []TreeConnectContext{{1, []byte("abc")}, {2, []byte("d")}}}},
		{"TreeDisconnectRequest", CommandTreeDisconnect, false, 0, &TreeDisconnectRequest{}},
		{"CreateRequest", CommandCreate, false, 0, &CreateRequest{RequestedOplockLevel: OplockLevelLease, ImpersonationLevel: 2, DesiredAccess: FileAllAccess, FileAttributes: 0x80, ShareAccess: 7, CreateDisposition: 3, CreateOptions: 0x60, Name: sampleName, CreateContexts: sampleContexts()}},
		{"CreateRequestRoot", CommandCreate, false, 0, &CreateRequest{RequestedOplockLevel: 9, ImpersonationLevel: 2, DesiredAccess: 1, FileAttributes: 0x10, ShareAccess: 7, CreateDisposition: 1, CreateOptions: 1}},
		{"CloseRequest", CommandClose, false, 0, &CloseRequest{Flags: 1, FileID: sampleID}},
		{"FlushRequest", CommandFlush, false, 0, &FlushRequest{Reserved1: 0xFFFF, FileID: sampleID}},
		{"ReadRequest", CommandRead, false, 0, &ReadRequest{Padding: 0x50, Flags: 1, Length: 65536, Offset: 1 << 40, FileID: sampleID, MinimumCount: 1, Channel: 2, RemainingBytes: 3, ReadChannelInfo: []byte("rdma descriptor!")}},
		{"WriteRequest", CommandWrite, false, 0, &WriteRequest{Offset: 1 << 40, FileID: sampleID, Channel: 1, RemainingBytes: 7, Flags: 1, Data: []byte("hello world"), WriteChannelInfo: []byte("rdma")}},
		{"LockRequest", CommandLock, false, 0, &LockRequest{LockSequence: 0x25, FileID: sampleID, Locks: []LockElement{{1, 2, 3}, {4, 5, 16}}}},
		{"IoctlRequest", CommandIoctl, false, 0, &IoctlRequest{CtlCode: FsctlPipeTransceive, FileID: sampleID, MaxInputResponse: 1, MaxOutputResponse: 1024, Flags: 1, Input: []byte("rpc"), Output: []byte("out")}},
		{"CancelRequest", CommandCancel, false, 0, &CancelRequest{}},
		{"EchoRequest", CommandEcho, false, 0, &EchoRequest{}},
		{"QueryDirectoryRequest", CommandQueryDirectory, false, 0, &QueryDirectoryRequest{FileInformationClass: FileIdBothDirectoryInformation, Flags: 1, FileIndex: 2, FileID: sampleID, FileName: "*.ü", OutputBufferLength: 65536}},
		{"ChangeNotifyRequest", CommandChangeNotify, false, 0, &ChangeNotifyRequest{Flags: 1, OutputBufferLength: 4096, FileID: sampleID, CompletionFilter: 0xFFF}},
		{"QueryInfoRequest", CommandQueryInfo, false, 0, &QueryInfoRequest{InfoType: InfoFile, FileInfoClass: FileAllInformation, OutputBufferLength: 4096, AdditionalInformation: 7, Flags: 1, FileID: sampleID, InputBuffer: []byte("ea list")}},
		{"SetInfoRequest", CommandSetInfo, false, 0, &SetInfoRequest{InfoType: InfoFile, FileInfoClass: FileEndOfFileInformation, AdditionalInformation: 7, FileID: sampleID, Buffer: []byte("12345678")}},
		{"OplockBreakRequest", CommandOplockBreak, false, 0, &OplockBreakRequest{OplockLevel: 1, FileID: sampleID}},
		{"LeaseBreakRequest", CommandOplockBreak, false, 0, &LeaseBreakRequest{Flags: 2, LeaseKey: sampleGUID, LeaseState: 1}},
	}
}

// responseSamples has each response and notification.
func responseSamples() []sample {
	return []sample{
		{"NegotiateResponse", CommandNegotiate, true, 0, &NegotiateResponse{SecurityMode: 3, DialectRevision: 0x0311, ServerGUID: sampleGUID, Capabilities: 0x47, MaxTransactSize: 1 << 23, MaxReadSize: 1 << 22, MaxWriteSize: 1 << 21, SystemTime: 132e15, ServerStartTime: 131e15, SecurityBuffer: []byte("spnego"), NegotiateContexts: sampleNegotiateContexts()[:2]}},
		{"SessionSetupResponse", CommandSessionSetup, true, ntstatus.MoreProcessingRequired, &SessionSetupResponse{SessionFlags: 4, SecurityBuffer: []byte("token")}},
		{"LogoffResponse", CommandLogoff, true, 0, &LogoffResponse{}},
		{"TreeConnectResponse", CommandTreeConnect, true, 0, &TreeConnectResponse{ShareType: 1, ShareFlags: 0x800, Capabilities: 0x10, MaximalAccess: 0x1F01FF}},
		{"TreeDisconnectResponse", CommandTreeDisconnect, true, 0, &TreeDisconnectResponse{}},
		{"CreateResponse", CommandCreate, true, 0, &CreateResponse{OplockLevel: 0xFF, Flags: 1, CreateAction: 1, CreationTime: 1, LastAccessTime: 2, LastWriteTime: 3, ChangeTime: 4, AllocationSize: 5, EndofFile: 6, FileAttributes: 0x20, FileID: sampleID, CreateContexts: sampleContexts()}},
		{"CloseResponse", CommandClose, true, 0, &CloseResponse{Flags: 1, CreationTime: 1, LastAccessTime: 2, LastWriteTime: 3, ChangeTime: 4, AllocationSize: 5, EndofFile: 6, FileAttributes: 0x20}},
		{"FlushResponse", CommandFlush, true, 0, &FlushResponse{}},
		{"ReadResponse", CommandRead, true, 0, &ReadResponse{Data: []byte("hello world"), DataRemaining: 3, Flags: 1}},
		{"WriteResponse", CommandWrite, true, 0, &WriteResponse{Count: 11}},
		{"LockResponse", CommandLock, true, 0, &LockResponse{}},
		{"IoctlResponse", CommandIoctl, true, 0, &IoctlResponse{CtlCode: FsctlPipeTransceive, FileID: sampleID, Flags: 1, Input: []byte("rpc"), Output: []byte("out")}},
		{"EchoResponse", CommandEcho, true, 0, &EchoResponse{}},
		{"QueryDirectoryResponse", CommandQueryDirectory, true, 0, &QueryDirectoryResponse{OutputBuffer: []byte("entries")}},
		{"ChangeNotifyResponse", CommandChangeNotify, true, 0, &ChangeNotifyResponse{OutputBuffer: []byte("changes")}},
		{"QueryInfoResponse", CommandQueryInfo, true, 0, &QueryInfoResponse{OutputBuffer: []byte("info")}},
		{"SetInfoResponse", CommandSetInfo, true, 0, &SetInfoResponse{}},
		{"OplockBreakResponse", CommandOplockBreak, true, 0, &OplockBreakResponse{OplockLevel: 1, FileID: sampleID}},
		{"OplockBreakNotification", CommandOplockBreak, true, 0, &OplockBreakNotification{OplockLevel: 1, FileID: sampleID}},
		{"LeaseBreakResponse", CommandOplockBreak, true, 0, &LeaseBreakResponse{Flags: 2, LeaseKey: sampleGUID, LeaseState: 1}},
		{"LeaseBreakNotification", CommandOplockBreak, true, 0, &LeaseBreakNotification{NewEpoch: 4, Flags: 1, LeaseKey: sampleGUID, CurrentLeaseState: 7, NewLeaseState: 3}},
		{"ErrorResponse", CommandCreate, true, ntstatus.StoppedOnSymlink, &ErrorResponse{ErrorData: (&SymbolicLinkErrorResponse{UnparsedPathLength: 4, Flags: 1, SubstituteName: "t", PrintName: "t"}).Append(nil)}},
		{"ErrorResponseEmpty", CommandRead, true, ntstatus.EndOfFile, &ErrorResponse{}},
		{"ErrorResponseContexts", CommandCreate, true, ntstatus.StoppedOnSymlink, &ErrorResponse{ErrorContexts: []ErrorContext{{0, []byte("abc")}, {ErrorIDShareRedirect, []byte("d")}}}},
	}
}

// samples are all of them.
func samples() []sample { return append(requestSamples(), responseSamples()...) }

// TestSamplesAreComplete checks that every command has its samples, so that a test over all samples is one over all
// messages, and that no field of a sample is zero unless another sample of the type sets it: a field that is neither
// encoded nor decoded would go unseen.
func TestSamplesAreComplete(t *testing.T) {
	set := map[string]bool{}
	types := map[reflect.Type]bool{}
	for _, s := range samples() {
		typ := reflect.TypeOf(s.message).Elem()
		types[typ] = true
		v := reflect.ValueOf(s.message).Elem()
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				set[fmt.Sprint(typ, i)] = true
			}
		}
	}
	for typ := range types {
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() && !set[fmt.Sprint(typ, i)] {
				t.Errorf("%v.%s is not set in any sample", typ, f.Name)
			}
		}
	}
	for c := range Command(CommandCount) {
		if m := NewRequest(c); !types[reflect.TypeOf(m).Elem()] {
			t.Errorf("%v request has no sample", c)
		}
		if m := NewResponse(c); m != nil && !types[reflect.TypeOf(m).Elem()] {
			t.Errorf("%v response has no sample", c)
		} else if m == nil && c != CommandCancel {
			t.Errorf("%v has no response", c)
		}
	}
}
