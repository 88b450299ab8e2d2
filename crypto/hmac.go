package crypto

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// hmacSHA256 signs for dialects 2.0.2 and 2.1: the first 16 bytes of
// HMAC-SHA256, [MS-SMB2] 3.1.4.1.
type hmacSHA256 struct {
	states sync.Pool // of *hmacState, keyed
}

// hmacState is one computation: the keyed hash and the room for its result,
// which would escape were it on a stack.
type hmacState struct {
	hash hash.Hash
	out  [sha256.Size]byte
}

func newHMACSHA256(key []byte) *hmacSHA256 {
	key = append([]byte(nil), key...)
	m := &hmacSHA256{}
	m.states.New = func() any { return &hmacState{hash: hmac.New(sha256.New, key)} }
	return m
}

// sum puts msg's signature into sig. It skips the field in msg and only reads.
func (m *hmacSHA256) sum(sig *[16]byte, msg []byte) {
	st := m.states.Get().(*hmacState)
	st.hash.Reset()
	st.hash.Write(msg[:signatureOffset])
	st.hash.Write(zeros[:])
	st.hash.Write(msg[signatureEnd:])
	st.hash.Sum(st.out[:0])
	copy(sig[:], st.out[:])
	m.states.Put(st)
}
