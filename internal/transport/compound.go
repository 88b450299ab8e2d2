package transport

import (
	"encoding/binary"
	"fmt"
)

// Offsets in the SMB2 header, [MS-SMB2] 2.2.1, that transport itself needs.
const (
	headerStructureSize = 4
	headerCommand       = 12
	headerFlags         = 16
	headerNextCommand   = 20
	headerMessageID     = 24
	headerSignature     = 48
)

// SplitCompound calls fn with each message of a frame, from its header to where
// the next one starts (padding included, as it was signed); last tells the final
// one. It checks what [MS-SMB2] 3.3.5.2.7 and 3.2.5.1.9 want of the chain before
// each call: a whole header of SMB2, and a NextCommand that is a multiple of 8,
// lies behind the header and leaves room for the next one. Samba 4.17: a broken
// chain ends the connection; the messages before the fault have been handed out
// by then. It stops at fn's first error and returns that.
func SplitCompound(frame []byte, fn func(msg []byte, last bool) error) error {
	for {
		if len(frame) < headerSize {
			return fmt.Errorf("%w: header of %d bytes", ErrProtocol, len(frame))
		}
		if id := binary.LittleEndian.Uint32(frame); id != protocolSMB2 {
			return fmt.Errorf("%w: protocol id 0x%08x in a compound", ErrProtocol, id)
		}
		if n := binary.LittleEndian.Uint16(frame[headerStructureSize:]); n != headerSize {
			return fmt.Errorf("%w: header of structure size %d", ErrProtocol, n)
		}
		next := uint64(binary.LittleEndian.Uint32(frame[headerNextCommand:]))
		if next == 0 {
			return fn(frame, true)
		}
		if next%8 != 0 || next < headerSize || next > uint64(len(frame)-headerSize) {
			return fmt.Errorf("%w: next command at %d of %d bytes", ErrProtocol, next, len(frame))
		}
		if err := fn(frame[:next:next], false); err != nil {
			return err
		}
		frame = frame[next:]
	}
}
