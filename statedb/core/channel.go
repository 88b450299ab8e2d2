package core

import "smbproxy/internal/ntstatus"

// Channel is the channel sequence of one open ([MS-SMB2] 3.3.5.2.10, 3.3.1.10). It is kept
// where the requests arrive, not in the shard. Not safe for concurrent use; the zero
// value is a new open's.
type Channel struct {
	sequence    uint16
	outstanding uint32 // requests under way with this sequence
	previous    uint32 // ... with earlier ones
}

// ChannelToken is given back at the end of the request.
type ChannelToken struct {
	sequence uint16
	counted  bool
}

// Begin takes a request in. modifies: it is a WRITE, SET_INFO or IOCTL. A request from
// before the last channel failure, or a replay while such requests are still under way,
// is refused with FileNotAvailable.
func (c *Channel) Begin(sequence uint16, modifies, replay bool) (ChannelToken, ntstatus.Status) {
	switch d := sequence - c.sequence; {
	case d == 0:
	case d <= 0x7FFF:
		c.previous += c.outstanding
		c.outstanding, c.sequence = 0, sequence
	case modifies:
		return ChannelToken{}, ntstatus.FileNotAvailable
	default:
		return ChannelToken{}, ntstatus.Success
	}
	if modifies && replay && c.previous > 0 {
		return ChannelToken{}, ntstatus.FileNotAvailable
	}
	c.outstanding++
	return ChannelToken{sequence, true}, ntstatus.Success
}

// Idle says whether no request is under way.
func (c *Channel) Idle() bool { return c.outstanding == 0 && c.previous == 0 }

// End takes a request out, whatever became of it.
func (c *Channel) End(t ChannelToken) {
	switch {
	case !t.counted:
	case t.sequence == c.sequence:
		c.outstanding--
	default:
		c.previous--
	}
}
