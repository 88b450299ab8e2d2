package transport

import (
	"fmt"

	"smbproxy/internal/smb2"
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
		var h smb2.Header
		if err := h.Decode(frame); err != nil {
			return fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		next := uint64(h.NextCommand)
		if next == 0 {
			return fn(frame, true)
		}
		if next%8 != 0 || next < smb2.HeaderSize || next > uint64(len(frame)-smb2.HeaderSize) {
			return fmt.Errorf("%w: next command at %d of %d bytes", ErrProtocol, next, len(frame))
		}
		if err := fn(frame[:next:next], false); err != nil {
			return err
		}
		frame = frame[next:]
	}
}
