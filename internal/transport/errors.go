package transport

import "errors"

// Why Serve or Send end a connection; both wrap them with the peer's address.
// Beside these there are io.EOF (the peer closed between two frames),
// io.ErrUnexpectedEOF (within one), net.ErrClosed (Close was called),
// crypto.ErrOpen, and what the socket or the callback returned.
var (
	// ErrProtocol says that the bytes are not SMB2: a wrong NetBIOS packet
	// type, ProtocolId or TRANSFORM_HEADER.
	ErrProtocol = errors.New("not a frame of SMB2")
	// ErrFrameTooLarge says that the peer sent a frame longer than
	// Options.MaxFrame, or that one to be sent is empty or longer than the
	// stream protocol can say.
	ErrFrameTooLarge = errors.New("frame too large")
	// ErrNoKey says that a frame came encrypted for a session that has no key.
	ErrNoKey = errors.New("encrypted for an unknown session")
	// ErrQueueFull says that the peer is too slow: Options.QueueLimit.
	ErrQueueFull = errors.New("peer reads too slowly, its queue is full")
	// ErrWriteTimeout says that the peer took nothing for Options.WriteTimeout.
	ErrWriteTimeout = errors.New("peer has stopped reading")
)
