package smb2

import (
	"smbproxy/internal/ntstatus"
)

// HeaderSize is the length of the packet header and the value of its StructureSize.
const HeaderSize = 64

// Protocol ids: the first four bytes of a message tell what it is.
const (
	ProtocolSMB2        = "\xfeSMB" // [MS-SMB2] 2.2.1
	ProtocolTransform   = "\xfdSMB" // 2.2.41
	ProtocolCompression = "\xfcSMB" // 2.2.42
	ProtocolSMB1        = "\xffSMB" // [MS-CIFS] 2.2.3.1
)

// Flags is the Flags field of the header, [MS-SMB2] 2.2.1.
type Flags uint32

// Header flags.
const (
	FlagServerToRedir Flags = 0x00000001 // a response
	FlagAsync         Flags = 0x00000002 // AsyncId stands in place of Reserved and TreeId
	FlagRelated       Flags = 0x00000004 // inherits ids from the message before it in the compound
	FlagSigned        Flags = 0x00000008
	FlagPriorityMask  Flags = 0x00000070 // 3.1.1 only
	FlagDFS           Flags = 0x10000000
	FlagReplay        Flags = 0x20000000 // 3.x only
)

// FileID is SMB2_FILEID, [MS-SMB2] 2.2.14.1.
type FileID struct {
	Persistent uint64
	Volatile   uint64
}

// RelatedFileID stands in a related request for the FileId of the chain
// ([MS-SMB2] 3.3.5.2.7.2).
var RelatedFileID = FileID{Persistent: ^uint64(0), Volatile: ^uint64(0)}

// appendTo encodes the id.
func (id FileID) appendTo(dst []byte) []byte {
	dst = le.AppendUint64(dst, id.Persistent)
	return le.AppendUint64(dst, id.Volatile)
}

// fileIDAt reads an id that the caller has checked to be there.
func fileIDAt(b []byte, off int) FileID {
	return FileID{Persistent: le.Uint64(b[off:]), Volatile: le.Uint64(b[off+8:])}
}

// Header is the packet header in both forms. TreeID is valid without FlagAsync,
// AsyncID with it.
type Header struct {
	CreditCharge uint16
	Status       ntstatus.Status // in requests of 3.x: ChannelSequence and Reserved
	Command      Command
	Credits      uint16 // CreditRequest of a request, CreditResponse of a response
	Flags        Flags
	NextCommand  uint32 // offset of the next message of the compound, 0 in the last
	MessageID    uint64
	ProcessID    uint32 // the Reserved field of the synchronous form, which SMB 2 clients fill with a process id
	TreeID       uint32
	AsyncID      uint64
	SessionID    uint64
	Signature    [16]byte
}

// ChannelSequence reads the field that requests of 3.x carry in place of Status.
func (h *Header) ChannelSequence() uint16 { return uint16(h.Status) }

// SetChannelSequence puts it there.
func (h *Header) SetChannelSequence(n uint16) {
	h.Status = h.Status&0xFFFF0000 | ntstatus.Status(n)
}

// Decode reads the header of msg and checks ProtocolId and StructureSize. The command
// may be one that does not exist: what to answer is the caller's to decide.
func (h *Header) Decode(msg []byte) error {
	if len(msg) < HeaderSize {
		return &DecodeError{Field: "Header", Offset: len(msg), Reason: reasonShort}
	}
	if string(msg[:4]) != ProtocolSMB2 {
		return &DecodeError{Field: "ProtocolId", Offset: 0, Reason: reasonProtocol}
	}
	if le.Uint16(msg[4:]) != HeaderSize {
		return &DecodeError{Command: RawCommand(msg), Field: "Header.StructureSize", Offset: 4, Reason: reasonSize}
	}
	h.CreditCharge = le.Uint16(msg[6:])
	h.Status = ntstatus.Status(le.Uint32(msg[8:]))
	h.Command = Command(le.Uint16(msg[12:]))
	h.Credits = le.Uint16(msg[14:])
	h.Flags = Flags(le.Uint32(msg[16:]))
	h.NextCommand = le.Uint32(msg[20:])
	h.MessageID = le.Uint64(msg[24:])
	h.ProcessID, h.TreeID, h.AsyncID = 0, 0, 0
	if h.Flags&FlagAsync != 0 {
		h.AsyncID = le.Uint64(msg[32:])
	} else {
		h.ProcessID = le.Uint32(msg[32:])
		h.TreeID = le.Uint32(msg[36:])
	}
	h.SessionID = le.Uint64(msg[40:])
	copy(h.Signature[:], msg[48:64])
	return nil
}

// Put writes the header into the first 64 bytes of msg, which must be there.
func (h *Header) Put(msg []byte) {
	_ = msg[HeaderSize-1]
	copy(msg, ProtocolSMB2)
	le.PutUint16(msg[4:], HeaderSize)
	le.PutUint16(msg[6:], h.CreditCharge)
	le.PutUint32(msg[8:], uint32(h.Status))
	le.PutUint16(msg[12:], uint16(h.Command))
	le.PutUint16(msg[14:], h.Credits)
	le.PutUint32(msg[16:], uint32(h.Flags))
	le.PutUint32(msg[20:], h.NextCommand)
	le.PutUint64(msg[24:], h.MessageID)
	if h.Flags&FlagAsync != 0 {
		le.PutUint64(msg[32:], h.AsyncID)
	} else {
		le.PutUint32(msg[32:], h.ProcessID)
		le.PutUint32(msg[36:], h.TreeID)
	}
	le.PutUint64(msg[40:], h.SessionID)
	copy(msg[48:64], h.Signature[:])
}

// Append appends the 64 bytes of the header.
func (h *Header) Append(dst []byte) []byte {
	n := len(dst)
	dst = append(dst, zeros[:HeaderSize]...)
	h.Put(dst[n:])
	return dst
}
