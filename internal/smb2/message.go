package smb2

// Body is what can be sent: Append appends the body of a message, whose 64-byte
// header the caller puts right before it.
type Body interface {
	Append(dst []byte) []byte
}

// Message is a body that can also be received: Decode reads the whole message, its
// header first. The header itself is the caller's (Header.Decode).
type Message interface {
	Body
	Decode(msg []byte) error
}

// requests and responses make empty messages, for code that is driven by the command.
var requests, responses = [CommandCount]func() Message{
	CommandNegotiate:      func() Message { return new(NegotiateRequest) },
	CommandSessionSetup:   func() Message { return new(SessionSetupRequest) },
	CommandLogoff:         func() Message { return new(LogoffRequest) },
	CommandTreeConnect:    func() Message { return new(TreeConnectRequest) },
	CommandTreeDisconnect: func() Message { return new(TreeDisconnectRequest) },
	CommandCreate:         func() Message { return new(CreateRequest) },
	CommandClose:          func() Message { return new(CloseRequest) },
	CommandFlush:          func() Message { return new(FlushRequest) },
	CommandRead:           func() Message { return new(ReadRequest) },
	CommandWrite:          func() Message { return new(WriteRequest) },
	CommandLock:           func() Message { return new(LockRequest) },
	CommandIoctl:          func() Message { return new(IoctlRequest) },
	CommandCancel:         func() Message { return new(CancelRequest) },
	CommandEcho:           func() Message { return new(EchoRequest) },
	CommandQueryDirectory: func() Message { return new(QueryDirectoryRequest) },
	CommandChangeNotify:   func() Message { return new(ChangeNotifyRequest) },
	CommandQueryInfo:      func() Message { return new(QueryInfoRequest) },
	CommandSetInfo:        func() Message { return new(SetInfoRequest) },
	CommandOplockBreak:    func() Message { return new(OplockBreakRequest) },
}, [CommandCount]func() Message{
	CommandNegotiate:      func() Message { return new(NegotiateResponse) },
	CommandSessionSetup:   func() Message { return new(SessionSetupResponse) },
	CommandLogoff:         func() Message { return new(LogoffResponse) },
	CommandTreeConnect:    func() Message { return new(TreeConnectResponse) },
	CommandTreeDisconnect: func() Message { return new(TreeDisconnectResponse) },
	CommandCreate:         func() Message { return new(CreateResponse) },
	CommandClose:          func() Message { return new(CloseResponse) },
	CommandFlush:          func() Message { return new(FlushResponse) },
	CommandRead:           func() Message { return new(ReadResponse) },
	CommandWrite:          func() Message { return new(WriteResponse) },
	CommandLock:           func() Message { return new(LockResponse) },
	CommandIoctl:          func() Message { return new(IoctlResponse) },
	CommandCancel:         nil, // CANCEL has no response
	CommandEcho:           func() Message { return new(EchoResponse) },
	CommandQueryDirectory: func() Message { return new(QueryDirectoryResponse) },
	CommandChangeNotify:   func() Message { return new(ChangeNotifyResponse) },
	CommandQueryInfo:      func() Message { return new(QueryInfoResponse) },
	CommandSetInfo:        func() Message { return new(SetInfoResponse) },
	CommandOplockBreak:    func() Message { return new(OplockBreakResponse) },
}

// NewRequest returns an empty request of the command, nil for one that does not
// exist. A lease break acknowledgement (IsLeaseBreak) is a LeaseBreakRequest instead.
func NewRequest(c Command) Message {
	if c >= CommandCount {
		return nil
	}
	return requests[c]()
}

// NewResponse returns an empty successful response of the command, nil for CANCEL and
// for a command that does not exist. An error is an ErrorResponse instead.
func NewResponse(c Command) Message {
	if c >= CommandCount || responses[c] == nil {
		return nil
	}
	return responses[c]()
}

// empty is the body of the messages that are StructureSize 4 and two reserved bytes.
type empty struct{}

// Append appends the four bytes.
func (empty) Append(dst []byte) []byte { return append(dst, 4, 0, 0, 0) }
