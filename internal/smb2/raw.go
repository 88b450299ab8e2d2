package smb2

import "smbproxy/internal/ntstatus"

// The functions of this file read and write header fields in place, for the road
// that rewrites a message instead of decoding it. They need the 64 bytes of a
// header at the start of msg and panic without: the transport checked them.

// RawCommand reads Command.
func RawCommand(msg []byte) Command { return Command(le.Uint16(msg[12:])) }

// SetRawCommand writes Command.
func SetRawCommand(msg []byte, c Command) { le.PutUint16(msg[12:], uint16(c)) }

// RawFlags reads Flags.
func RawFlags(msg []byte) Flags { return Flags(le.Uint32(msg[16:])) }

// SetRawFlags writes Flags.
func SetRawFlags(msg []byte, f Flags) { le.PutUint32(msg[16:], uint32(f)) }

// RawMessageID reads MessageId.
func RawMessageID(msg []byte) uint64 { return le.Uint64(msg[24:]) }

// SetRawMessageID writes MessageId.
func SetRawMessageID(msg []byte, id uint64) { le.PutUint64(msg[24:], id) }

// RawSessionID reads SessionId.
func RawSessionID(msg []byte) uint64 { return le.Uint64(msg[40:]) }

// SetRawSessionID writes SessionId.
func SetRawSessionID(msg []byte, id uint64) { le.PutUint64(msg[40:], id) }

// RawTreeID reads TreeId; the message must be in the synchronous form.
func RawTreeID(msg []byte) uint32 { return le.Uint32(msg[36:]) }

// SetRawTreeID writes TreeId; the message must be in the synchronous form.
func SetRawTreeID(msg []byte, id uint32) { le.PutUint32(msg[36:], id) }

// SetRawProcessID writes the field before TreeId in the synchronous form.
func SetRawProcessID(msg []byte, id uint32) { le.PutUint32(msg[32:], id) }

// RawAsyncID reads AsyncId; the message must have FlagAsync.
func RawAsyncID(msg []byte) uint64 { return le.Uint64(msg[32:]) }

// SetRawAsyncID writes AsyncId over Reserved and TreeId; the caller sets FlagAsync.
func SetRawAsyncID(msg []byte, id uint64) { le.PutUint64(msg[32:], id) }

// RawStatus reads Status (ChannelSequence in a request).
func RawStatus(msg []byte) ntstatus.Status { return ntstatus.Status(le.Uint32(msg[8:])) }

// SetRawStatus writes Status.
func SetRawStatus(msg []byte, st ntstatus.Status) { le.PutUint32(msg[8:], uint32(st)) }

// RawChannelSequence reads the channel sequence of a 3.x request.
func RawChannelSequence(msg []byte) uint16 { return le.Uint16(msg[8:]) }

// SetRawChannelSequence writes it and leaves the two bytes behind it alone.
func SetRawChannelSequence(msg []byte, n uint16) { le.PutUint16(msg[8:], n) }

// RawNextCommand reads NextCommand.
func RawNextCommand(msg []byte) uint32 { return le.Uint32(msg[20:]) }

// SetRawNextCommand writes NextCommand.
func SetRawNextCommand(msg []byte, n uint32) { le.PutUint32(msg[20:], n) }

// RawCredits reads CreditRequest or CreditResponse.
func RawCredits(msg []byte) uint16 { return le.Uint16(msg[14:]) }

// SetRawCredits writes CreditRequest or CreditResponse.
func SetRawCredits(msg []byte, n uint16) { le.PutUint16(msg[14:], n) }

// RawCreditCharge reads CreditCharge.
func RawCreditCharge(msg []byte) uint16 { return le.Uint16(msg[6:]) }

// SetRawCreditCharge writes CreditCharge.
func SetRawCreditCharge(msg []byte, n uint16) { le.PutUint16(msg[6:], n) }

// RawSignature is the 16 bytes of Signature inside msg.
func RawSignature(msg []byte) []byte { return msg[48:64:64] }

// RawFileID reads the FileId at off (see FileIDOffset). The caller has checked that
// msg is that long.
func RawFileID(msg []byte, off int) FileID { return fileIDAt(msg, off) }

// SetRawFileID writes the FileId at off.
func SetRawFileID(msg []byte, off int, id FileID) {
	le.PutUint64(msg[off:], id.Persistent)
	le.PutUint64(msg[off+8:], id.Volatile)
}

// RawCreateChanges tells whether a CREATE may create, destroy or delete a file.
// The caller has checked that msg is as long as a CREATE is at least.
func RawCreateChanges(msg []byte) bool {
	b := msg[HeaderSize:]
	return CreateDisposition(le.Uint32(b[36:])) != FileOpen || CreateOptions(le.Uint32(b[40:]))&FileDeleteOnClose != 0
}
