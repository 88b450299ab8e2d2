package crypto

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestWideGCM holds the 512-bit road against the standard library, for all lengths around its groups.
func TestWideGCM(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	fill := func(n int) []byte {
		b := make([]byte, n)
		random.Read(b)
		return b
	}
	for _, keySize := range []int{16, 32} {
		key := fill(keySize)
		w := newWideGCM(key)
		if w == nil {
			t.Skip("the processor has no 512-bit VPCLMULQDQ and VAES")
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		std, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 1100 {
			for _, aadSize := range []int{0, 1, 16, 32, 64, 240, 256, 257, 1000} {
				nonce, aad, text := fill(12), fill(aadSize), fill(n)
				want := std.Seal(nil, nonce, text, aad)
				got := append([]byte(nil), text...)
				w.crypt(nonce, got)
				var tag [16]byte
				w.tag(&tag, nonce, aad, got)
				if !bytes.Equal(got, want[:n]) || !bytes.Equal(tag[:], want[n:]) {
					t.Fatalf("key of %d, aad of %d, text of %d bytes: got %x %x, want %x", keySize, aadSize, n, got, tag, want)
				}
			}
		}
	}
}

// TestWideSameAsLibrary holds the two roads of signing and sealing against one another, as their callers take them.
func TestWideSameAsLibrary(t *testing.T) {
	key := pattern(16)
	w := newWideGCM(key)
	if w == nil {
		t.Skip("the processor has no 512-bit VPCLMULQDQ and VAES")
	}
	m, err := newLibraryGMAC(key)
	if err != nil {
		t.Fatal(err)
	}
	g := newGCM(m.aead)
	nonce := [12]byte{1, 2, 3}
	for _, n := range []int{64, 100, 112, 120, 300, 1 << 20} {
		msg := pattern(n)
		var a, b [16]byte
		m.sum(&a, &nonce, msg)
		(&gmac{wide: w}).sum(&b, &nonce, msg)
		if a != b || !bytes.Equal(msg, pattern(n)) {
			t.Errorf("signature of %d bytes: got %x, want %x", n, b, a)
		}
		x, y := pattern(n + TagSize)[:n], pattern(n + TagSize)[:n]
		g.seal(&a, nonce[:], key, x)
		gcmWide{w}.seal(&b, nonce[:], key, y)
		if a != b || !bytes.Equal(x[:n+TagSize], y[:n+TagSize]) {
			t.Errorf("sealing of %d bytes: the tag is %x, want %x", n, b, a)
		}
		b[15]++
		if (gcmWide{w}).open(&b, nonce[:], key, y) {
			t.Errorf("%d bytes are opened with a wrong tag", n)
		}
		if !(gcmWide{w}).open(&a, nonce[:], key, y) || !bytes.Equal(y[:n+TagSize], pattern(n+TagSize)) {
			t.Errorf("%d bytes are not opened", n)
		}
	}
}

// BenchmarkWideGCM compares with BenchmarkSealer and BenchmarkSigner.
func BenchmarkWideGCM(b *testing.B) {
	w := newWideGCM(make([]byte, 16))
	if w == nil {
		b.Skip("the processor has no 512-bit VPCLMULQDQ and VAES")
	}
	nonce := make([]byte, 12)
	for _, n := range []int{128, 4 << 10, 64 << 10, 1 << 20} {
		buf := make([]byte, n)
		var tag [16]byte
		b.Run(fmt.Sprintf("gmac-%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				w.tag(&tag, nonce, buf, nil)
			}
		})
		b.Run(fmt.Sprintf("seal-%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				w.crypt(nonce, buf)
				w.tag(&tag, nonce, nil, buf)
			}
		})
	}
}
