package smb2

// The structures of [MS-FSCC] have Decode and Append of their own bytes, which travel
// in the buffers of QUERY_INFO, SET_INFO, QUERY_DIRECTORY and IOCTL. Decode accepts
// bytes behind the structure.

// need checks that b holds the n bytes of the fixed part of a structure.
func need(name string, b []byte, n int) error {
	if len(b) < n {
		return &DecodeError{Command: CommandQueryInfo, Field: name, Offset: len(b), Reason: reasonShort}
	}
	return nil
}

// tail returns the n bytes behind the first at of b.
func tail(field string, b []byte, at int, n uint32) ([]byte, error) {
	if uint64(n) > uint64(len(b)-at) {
		return nil, &DecodeError{Command: CommandQueryInfo, Field: field, Offset: at, Reason: reasonBounds}
	}
	return b[at : at+int(n) : at+int(n)], nil
}

// tailText is tail for a UTF-16 string.
func tailText(field string, b []byte, at int, n uint32) (string, error) {
	b, err := tail(field, b, at, n)
	if err != nil {
		return "", err
	}
	s, err := DecodeUTF16(b)
	if err != nil {
		return "", &DecodeError{Command: CommandQueryInfo, Field: field, Offset: at, Reason: reasonOdd}
	}
	return s, nil
}

// appendText appends s with its length in bytes before it, as 32 bits.
func appendText(dst []byte, s string) []byte {
	at := len(dst)
	dst = AppendUTF16(le.AppendUint32(dst, 0), s)
	le.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// entries walks a list whose entries begin with NextEntryOffset and calls fn with each
// entry, up to the next one or the end. min is the length of an entry's fixed part.
// Offsets only go forward, so the number of calls is bounded by len(b)/min.
func entries(name string, b []byte, min int, fn func(e []byte) error) error {
	for at := 0; at < len(b); {
		rest := b[at:]
		if len(rest) < min {
			return &DecodeError{Command: CommandQueryInfo, Field: name, Offset: at, Reason: reasonShort}
		}
		next := le.Uint32(rest)
		e := rest
		if next != 0 {
			if next < uint32(min) || uint64(next) > uint64(len(rest)) {
				return &DecodeError{Command: CommandQueryInfo, Field: name + ".NextEntryOffset", Offset: at, Reason: reasonBounds}
			}
			e = rest[:next:next]
		}
		if err := fn(e); err != nil {
			return err
		}
		if next == 0 {
			return nil
		}
		at += int(next)
	}
	return nil
}

// link pads a list that began at start to align bytes and makes the entry at prev, if
// there is one (prev >= start), point to the end, where the next one goes.
func link(dst []byte, start, prev, align int) []byte {
	if prev < start {
		return dst
	}
	for (len(dst)-start)%align != 0 {
		dst = append(dst, 0)
	}
	le.PutUint32(dst[prev:], uint32(len(dst)-prev))
	return dst
}
