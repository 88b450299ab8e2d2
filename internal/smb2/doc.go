// Package smb2 is the wire codec of [MS-SMB2], both directions, with the structures
// of [MS-FSCC], [MS-DTYP] and [MS-DFSC] that travel inside its messages. It does no
// I/O and keeps no state.
//
// One file per command holds its request and its response. Every message has
//
//	Decode(msg []byte) error      msg is the whole message, its 64-byte header first
//	Append(dst []byte) []byte     appends the body; the caller puts the header before it
//
// Offsets on the wire count from the header, so Decode needs the header and Append
// counts from 64 whatever dst holds already. Byte slices in a decoded message alias
// msg: they are valid as long as msg is, and must be copied to live longer. Names are
// Go strings, in WTF-8, so that an unpaired surrogate survives ([AppendUTF16]).
//
// Decoders trust nothing: StructureSize, every offset and every length is checked
// before slicing, and memory is taken by what is present, never by what a count
// field claims. A fault is a *[DecodeError] that names the field. Bytes between the
// parts (padding) and reserved fields are ignored and encoded as zero.
//
// Encoders choose the layout of Windows and Samba: buffers right behind the fixed
// part, contexts 8-byte aligned. A StructureSize that is odd counts one byte of a
// buffer; where the buffer is empty that byte is present or not as Windows does it.
// A field that is too long for its length field is a programming fault: the value
// is truncated on the wire, so callers bound names (65,534 bytes) and contexts.
//
// Decoding into a used struct overwrites all of it and may reuse its slices'
// memory: a pooled struct decodes READ, WRITE, CLOSE, QUERY_INFO without allocation.
package smb2
