package crypto

import (
	"crypto/cipher"
	"sync"
)

// cbcChunk is how many bytes one CryptBlocks call takes: its output, of which
// only the last block counts, then stays in the first-level cache. Larger was
// not faster.
const cbcChunk = 4096

// cbcScratches are the outputs nobody reads, shared by all keys and live only
// during one call.
var cbcScratches = sync.Pool{New: func() any { return new([cbcChunk]byte) }}

// cbcMode is what cipher.NewCBCEncrypter really returns: SetIV restarts the
// chain without a new mode (crypto/tls relies on it too).
type cbcMode interface {
	cipher.BlockMode
	SetIV(iv []byte)
}

// cbcMAC is one CBC-MAC computation over AES in a stream of pieces. Whole runs
// of blocks go through CryptBlocks, which is a third faster than single
// Encrypt calls.
type cbcMAC struct {
	mode    cbcMode
	scratch *[cbcChunk]byte
	x       [aesBlock]byte // the chain's value
	in      [aesBlock]byte // a block in the making
	n       int            // bytes in it
}

// aesBlock is AES's block size.
const aesBlock = 16

// newCBCMAC makes a computation for block's key; reset starts it.
func newCBCMAC(block cipher.Block) *cbcMAC {
	return &cbcMAC{mode: cipher.NewCBCEncrypter(block, zeros[:]).(cbcMode)}
}

// start begins a computation with a chain value of zero.
func (m *cbcMAC) start() {
	m.scratch = cbcScratches.Get().(*[cbcChunk]byte)
	m.mode.SetIV(zeros[:])
	m.x = zeros
	m.n = 0
}

// done gives the scratch back; x is the result.
func (m *cbcMAC) done() {
	cbcScratches.Put(m.scratch)
	m.scratch = nil
}

// write adds p. The last block, also a full one, stays in m.in: CMAC treats it
// apart.
func (m *cbcMAC) write(p []byte) {
	if m.n > 0 || len(p) <= aesBlock {
		k := copy(m.in[m.n:], p)
		m.n += k
		p = p[k:]
		if len(p) == 0 {
			return
		}
		m.flush()
	}
	whole := (len(p) - 1) / aesBlock * aesBlock
	m.blocks(p[:whole])
	m.n = copy(m.in[:], p[whole:])
}

// flush encrypts the block in m.in, which is full.
func (m *cbcMAC) flush() {
	m.mode.CryptBlocks(m.x[:], m.in[:])
	m.n = 0
}

// pad fills the block in the making with zeros and encrypts it, as CCM wants it
// after the additional data and after the payload.
func (m *cbcMAC) pad() {
	if m.n == 0 {
		return
	}
	clear(m.in[m.n:])
	m.flush()
}

// blocks encrypts whole blocks.
func (m *cbcMAC) blocks(p []byte) {
	for len(p) > 0 {
		k := min(len(p), cbcChunk)
		m.mode.CryptBlocks(m.scratch[:k], p[:k])
		if p = p[k:]; len(p) == 0 {
			copy(m.x[:], m.scratch[k-aesBlock:k])
		}
	}
}
