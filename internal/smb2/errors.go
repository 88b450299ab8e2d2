package smb2

import (
	"fmt"

	"smbproxy/internal/ntstatus"
)

// DecodeError says which field of which message is at fault. It maps to
// STATUS_INVALID_PARAMETER, the answer of [MS-SMB2] 3.3.5.2.6 to malformed requests.
type DecodeError struct {
	Command Command // of the message; meaningless for structures used by several
	Field   string  // MS-SMB2's name, with the structure before it where that is not the message's body
	Offset  int     // of the field, from the start of what was decoded
	Reason  string
}

// Error is one line for the log. It holds no bytes of the message.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("smb2: decode %v: %s at offset %d: %s", e.Command, e.Field, e.Offset, e.Reason)
}

// Status makes ntstatus.From answer InvalidParameter.
func (e *DecodeError) Status() ntstatus.Status { return ntstatus.InvalidParameter }

// Reasons of a DecodeError that many decoders share.
const (
	reasonShort     = "message too short"
	reasonSize      = "wrong StructureSize"
	reasonBounds    = "offset or length outside the message"
	reasonAlignment = "not aligned"
	reasonOdd       = "odd number of bytes of UTF-16"
	reasonCount     = "count exceeds the message"
	reasonValue     = "value not allowed"
	reasonProtocol  = "wrong ProtocolId"
)
