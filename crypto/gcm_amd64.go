package crypto

import (
	"encoding/binary"
	"math/bits"

	"golang.org/x/sys/cpu"
)

// wideGCM is AES-GCM and GMAC on processors with 512-bit VPCLMULQDQ and VAES, which the standard library does not use:
// GHASH, which is all that signing a payload takes, runs 2.5 times as fast (25 GB/s where the library has 10), and half
// of the processor time that a READ or WRITE of 1 MiB cost smbproxy was spent there. Tests hold it against the library.
//
// Nothing depends on secrets but data in registers: no table look-ups, no branches.
type wideGCM struct {
	keys   [240]byte // round keys, the schedule of FIPS 197 5.2
	rounds int
	powers [powersSize]byte // H^64 to H, as ghashGroups wants them
}

const (
	groupSize  = 256     // bytes; what ghashGroups and ctrGroups count in
	powersSize = 64 * 16 // bytes of wideGCM.powers
)

// hasWide tells whether the processor can.
var hasWide = cpu.X86.HasAES && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL &&
	cpu.X86.HasAVX512VPCLMULQDQ && cpu.X86.HasAVX512VAES

// ghashGroups is in gcm_amd64.s. groups must not be 0.
//
//go:noescape
func ghashGroups(acc *[16]byte, powers *[powersSize]byte, data *byte, groups int)

// ctrGroups is in gcm_amd64.s. groups must not be 0.
//
//go:noescape
func ctrGroups(keys *[240]byte, rounds int, counter *[16]byte, buf *byte, groups int)

// subWord is in gcm_amd64.s: SubWord of FIPS 197 5.2.
func subWord(w uint32) uint32

// newWideGCM makes a key of 16 or 32 bytes ready; nil if the processor cannot.
func newWideGCM(key []byte) *wideGCM {
	if !hasWide || len(key) != 16 && len(key) != 32 {
		return nil
	}
	w := &wideGCM{rounds: len(key)/4 + 6}
	w.expand(key)
	var zero, h [16]byte
	w.encrypt(&h, &zero)
	w.setPowers(h)
	return w
}

// expand is AES's key schedule, FIPS 197 5.2. Words are little-endian here, so RotWord turns the other way.
func (w *wideGCM) expand(key []byte) {
	copy(w.keys[:], key)
	n := len(key) / 4
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(w.keys[4*i:]) }
	rcon := uint32(1)
	for i := n; i < 4*(w.rounds+1); i++ {
		t := word(i - 1)
		switch {
		case i%n == 0:
			t = subWord(bits.RotateLeft32(t, -8)) ^ rcon
			rcon = rcon<<1 ^ rcon>>7*0x11B
		case n == 8 && i%n == 4:
			t = subWord(t)
		}
		binary.LittleEndian.PutUint32(w.keys[4*i:], word(i-n)^t)
	}
}

// encrypt is AES of one block.
func (w *wideGCM) encrypt(out, in *[16]byte) {
	var buf [groupSize]byte
	ctrGroups(&w.keys, w.rounds, in, &buf[0], 1)
	*out = [16]byte(buf[:])
}

// setPowers computes the powers of H in the form of the loop: bytes reversed and multiplied by x, so that a product of
// reflected numbers needs no shift. The loop itself multiplies, as soon as H stands at the end.
func (w *wideGCM) setPowers(h [16]byte) {
	p := h
	for i := powersSize - 16; ; i -= 16 {
		hi, lo := binary.BigEndian.Uint64(p[:8]), binary.BigEndian.Uint64(p[8:])
		carry := hi >> 63
		binary.LittleEndian.PutUint64(w.powers[i:], lo<<1^carry)
		binary.LittleEndian.PutUint64(w.powers[i+8:], hi<<1^lo>>63^carry*0xC2<<56)
		if i == 0 {
			return
		}
		var group [groupSize]byte
		copy(group[groupSize-16:], p[:])
		p = [16]byte{}
		ghashGroups(&p, &w.powers, &group[0], 1)
	}
}

// ghash adds to acc the data, padded with zeros to a block, and what more says, of 16 bytes or none.
func (w *wideGCM) ghash(acc *[16]byte, data, more []byte) {
	if n := len(data) / groupSize; n > 0 {
		ghashGroups(acc, &w.powers, &data[0], n)
		data = data[n*groupSize:]
	}
	size := (len(data)+15)&^15 + len(more)
	if size == 0 {
		return
	}
	// The rest goes to the end of one or two groups. Zeros before it do not count, but acc must stand where it begins.
	var rest [2 * groupSize]byte
	start := 2*groupSize - size
	copy(rest[start:], data)
	copy(rest[2*groupSize-len(more):], more)
	for i := range acc {
		rest[start+i] ^= acc[i]
	}
	*acc = [16]byte{}
	first := start &^ (groupSize - 1)
	ghashGroups(acc, &w.powers, &rest[first], len(rest[first:])/groupSize)
}

// tag computes GCM's tag.
func (w *wideGCM) tag(tag *[TagSize]byte, nonce, aad, text []byte) {
	var acc [16]byte
	var lengths [16]byte
	binary.BigEndian.PutUint64(lengths[:8], uint64(len(aad))*8)
	binary.BigEndian.PutUint64(lengths[8:], uint64(len(text))*8)
	if len(text) == 0 {
		w.ghash(&acc, aad, lengths[:])
	} else {
		w.ghash(&acc, aad, nil)
		w.ghash(&acc, text, lengths[:])
	}
	counter := gcmCounter(nonce, 1)
	var mask [16]byte
	w.encrypt(&mask, &counter)
	for i := range tag {
		tag[i] = acc[i] ^ mask[i]
	}
}

// gcmCounter is the counter block with a nonce of 12 bytes, SP 800-38D 7.1.
func gcmCounter(nonce []byte, n uint32) (c [16]byte) {
	copy(c[:12], nonce)
	binary.BigEndian.PutUint32(c[12:], n)
	return c
}

// crypt encrypts or decrypts in place.
func (w *wideGCM) crypt(nonce, buf []byte) {
	n := len(buf) / groupSize
	counter := gcmCounter(nonce, 2)
	if n > 0 {
		ctrGroups(&w.keys, w.rounds, &counter, &buf[0], n)
		buf = buf[n*groupSize:]
	}
	if len(buf) > 0 {
		counter = gcmCounter(nonce, 2+uint32(n)*groupSize/16)
		var rest [groupSize]byte
		copy(rest[:], buf)
		ctrGroups(&w.keys, w.rounds, &counter, &rest[0], 1)
		copy(buf, rest[:])
	}
}
