package crypto

import "crypto/sha512"

// PreauthHash is Connection.PreauthIntegrityHashValue or the session's copy of
// it, [MS-SMB2] 3.1.4.4.1: it starts as zeros and is a value, so a session takes
// its copy by assignment. SHA-512 is the only algorithm there is.
type PreauthHash [64]byte

// Update chains one message: from its SMB2 header to its end, as it was on the
// wire, without the transport's length.
func (h *PreauthHash) Update(msg []byte) {
	d := sha512.New()
	d.Write(h[:])
	d.Write(msg)
	d.Sum(h[:0])
}
