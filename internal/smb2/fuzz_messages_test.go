package smb2

import "testing"

// One fuzz target for each message, as go test -fuzz wants them. They are all fuzz.

// FuzzCancelRequest is fuzz.
func FuzzCancelRequest(f *testing.F) { fuzz(f, new(CancelRequest)) }

// FuzzChangeNotifyRequest is fuzz.
func FuzzChangeNotifyRequest(f *testing.F) { fuzz(f, new(ChangeNotifyRequest)) }

// FuzzChangeNotifyResponse is fuzz.
func FuzzChangeNotifyResponse(f *testing.F) { fuzz(f, new(ChangeNotifyResponse)) }

// FuzzCloseRequest is fuzz.
func FuzzCloseRequest(f *testing.F) { fuzz(f, new(CloseRequest)) }

// FuzzCloseResponse is fuzz.
func FuzzCloseResponse(f *testing.F) { fuzz(f, new(CloseResponse)) }

// FuzzCreateRequest is fuzz.
func FuzzCreateRequest(f *testing.F) { fuzz(f, new(CreateRequest)) }

// FuzzCreateResponse is fuzz.
func FuzzCreateResponse(f *testing.F) { fuzz(f, new(CreateResponse)) }

// FuzzEchoRequest is fuzz.
func FuzzEchoRequest(f *testing.F) { fuzz(f, new(EchoRequest)) }

// FuzzEchoResponse is fuzz.
func FuzzEchoResponse(f *testing.F) { fuzz(f, new(EchoResponse)) }

// FuzzErrorResponse is fuzz.
func FuzzErrorResponse(f *testing.F) { fuzz(f, new(ErrorResponse)) }

// FuzzFlushRequest is fuzz.
func FuzzFlushRequest(f *testing.F) { fuzz(f, new(FlushRequest)) }

// FuzzFlushResponse is fuzz.
func FuzzFlushResponse(f *testing.F) { fuzz(f, new(FlushResponse)) }

// FuzzIoctlRequest is fuzz.
func FuzzIoctlRequest(f *testing.F) { fuzz(f, new(IoctlRequest)) }

// FuzzIoctlResponse is fuzz.
func FuzzIoctlResponse(f *testing.F) { fuzz(f, new(IoctlResponse)) }

// FuzzLeaseBreakNotification is fuzz.
func FuzzLeaseBreakNotification(f *testing.F) { fuzz(f, new(LeaseBreakNotification)) }

// FuzzLeaseBreakRequest is fuzz.
func FuzzLeaseBreakRequest(f *testing.F) { fuzz(f, new(LeaseBreakRequest)) }

// FuzzLeaseBreakResponse is fuzz.
func FuzzLeaseBreakResponse(f *testing.F) { fuzz(f, new(LeaseBreakResponse)) }

// FuzzLockRequest is fuzz.
func FuzzLockRequest(f *testing.F) { fuzz(f, new(LockRequest)) }

// FuzzLockResponse is fuzz.
func FuzzLockResponse(f *testing.F) { fuzz(f, new(LockResponse)) }

// FuzzLogoffRequest is fuzz.
func FuzzLogoffRequest(f *testing.F) { fuzz(f, new(LogoffRequest)) }

// FuzzLogoffResponse is fuzz.
func FuzzLogoffResponse(f *testing.F) { fuzz(f, new(LogoffResponse)) }

// FuzzNegotiateRequest is fuzz.
func FuzzNegotiateRequest(f *testing.F) { fuzz(f, new(NegotiateRequest)) }

// FuzzNegotiateResponse is fuzz.
func FuzzNegotiateResponse(f *testing.F) { fuzz(f, new(NegotiateResponse)) }

// FuzzOplockBreakNotification is fuzz.
func FuzzOplockBreakNotification(f *testing.F) { fuzz(f, new(OplockBreakNotification)) }

// FuzzOplockBreakRequest is fuzz.
func FuzzOplockBreakRequest(f *testing.F) { fuzz(f, new(OplockBreakRequest)) }

// FuzzOplockBreakResponse is fuzz.
func FuzzOplockBreakResponse(f *testing.F) { fuzz(f, new(OplockBreakResponse)) }

// FuzzQueryDirectoryRequest is fuzz.
func FuzzQueryDirectoryRequest(f *testing.F) { fuzz(f, new(QueryDirectoryRequest)) }

// FuzzQueryDirectoryResponse is fuzz.
func FuzzQueryDirectoryResponse(f *testing.F) { fuzz(f, new(QueryDirectoryResponse)) }

// FuzzQueryInfoRequest is fuzz.
func FuzzQueryInfoRequest(f *testing.F) { fuzz(f, new(QueryInfoRequest)) }

// FuzzQueryInfoResponse is fuzz.
func FuzzQueryInfoResponse(f *testing.F) { fuzz(f, new(QueryInfoResponse)) }

// FuzzReadRequest is fuzz.
func FuzzReadRequest(f *testing.F) { fuzz(f, new(ReadRequest)) }

// FuzzReadResponse is fuzz.
func FuzzReadResponse(f *testing.F) { fuzz(f, new(ReadResponse)) }

// FuzzSessionSetupRequest is fuzz.
func FuzzSessionSetupRequest(f *testing.F) { fuzz(f, new(SessionSetupRequest)) }

// FuzzSessionSetupResponse is fuzz.
func FuzzSessionSetupResponse(f *testing.F) { fuzz(f, new(SessionSetupResponse)) }

// FuzzSetInfoRequest is fuzz.
func FuzzSetInfoRequest(f *testing.F) { fuzz(f, new(SetInfoRequest)) }

// FuzzSetInfoResponse is fuzz.
func FuzzSetInfoResponse(f *testing.F) { fuzz(f, new(SetInfoResponse)) }

// FuzzTreeConnectRequest is fuzz.
func FuzzTreeConnectRequest(f *testing.F) { fuzz(f, new(TreeConnectRequest)) }

// FuzzTreeConnectResponse is fuzz.
func FuzzTreeConnectResponse(f *testing.F) { fuzz(f, new(TreeConnectResponse)) }

// FuzzTreeDisconnectRequest is fuzz.
func FuzzTreeDisconnectRequest(f *testing.F) { fuzz(f, new(TreeDisconnectRequest)) }

// FuzzTreeDisconnectResponse is fuzz.
func FuzzTreeDisconnectResponse(f *testing.F) { fuzz(f, new(TreeDisconnectResponse)) }

// FuzzWriteRequest is fuzz.
func FuzzWriteRequest(f *testing.F) { fuzz(f, new(WriteRequest)) }

// FuzzWriteResponse is fuzz.
func FuzzWriteResponse(f *testing.F) { fuzz(f, new(WriteResponse)) }
