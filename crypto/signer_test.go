package crypto

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
)

// pattern is n bytes that are not all alike.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// TestHMACVectors is RFC 4231, cases 1, 2, 3 and 7 (the key of the last is
// longer than a block).
func TestHMACVectors(t *testing.T) {
	tests := []struct{ name, key, data, mac string }{
		{"case 1", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
			"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{"case 2", "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{"case 3", fmt.Sprintf("%x", bytes.Repeat([]byte{0xaa}, 20)), fmt.Sprintf("%x", bytes.Repeat([]byte{0xdd}, 50)),
			"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
		{"case 6", fmt.Sprintf("%x", bytes.Repeat([]byte{0xaa}, 131)),
			fmt.Sprintf("%x", "Test Using Larger Than Block-Size Key - Hash Key First"),
			"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := newHMACSHA256(unhex(t, tt.key)).states.Get().(*hmacState)
			for range 2 { // the second time after a Reset
				st.hash.Reset()
				st.hash.Write(unhex(t, tt.data))
				want(t, "MAC", st.hash.Sum(st.out[:0]), tt.mac)
			}
		})
	}
}

// TestCMACVectors is RFC 4493 section 4: subkeys and the four examples; and
// NIST SP800-38B's examples for AES-256, which the code serves as well.
func TestCMACVectors(t *testing.T) {
	message := unhex(t, `6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
		30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710`)
	tests := []struct {
		name, key string
		n         int
		mac       string
	}{
		{"128 empty", "2b7e151628aed2a6abf7158809cf4f3c", 0, "bb1d6929e95937287fa37d129b756746"},
		{"128 one block", "2b7e151628aed2a6abf7158809cf4f3c", 16, "070a16b46b4d4144f79bdd9dd04a287c"},
		{"128 padded", "2b7e151628aed2a6abf7158809cf4f3c", 40, "dfa66747de9ae63030ca32611497c827"},
		{"128 four blocks", "2b7e151628aed2a6abf7158809cf4f3c", 64, "51f0bebf7e3b9d92fc49741779363cfe"},
		{"256 empty", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 0, "028962f61b7bf89efc6b551f4667d983"},
		{"256 four blocks", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 64, "e1992190549f6ed5696a2c056c315410"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			block, err := aes.NewCipher(unhex(t, tt.key))
			if err != nil {
				t.Fatal(err)
			}
			m := newCMACBlock(block)
			if len(tt.key) == 32 {
				want(t, "K1", m.k1[:], "fbeed618357133667c85e08f7236a8de")
				want(t, "K2", m.k2[:], "f7ddac306ae266ccf90bc11ee46d513b")
			}
			for split := 0; split <= tt.n; split++ {
				st := m.states.Get().(*cbcMAC)
				st.start()
				st.write(message[:split])
				st.write(message[split:tt.n])
				var sig [16]byte
				m.finish(&sig, st)
				m.states.Put(st)
				want(t, fmt.Sprintf("written in pieces of %d and %d", split, tt.n-split), sig[:], tt.mac)
			}
		})
	}
}

// reference signs in the plainest way there is, with the signature zeroed in a
// copy.
func reference(t *testing.T, alg SigningAlgorithm, key []byte, nonce *[12]byte, msg []byte) []byte {
	t.Helper()
	msg = bytes.Clone(msg)
	clear(msg[48:64])
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	switch alg {
	case SigningHMACSHA256:
		m := hmac.New(sha256.New, key)
		m.Write(msg)
		return m.Sum(nil)[:16]
	case SigningAESGMAC:
		g, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		return g.Seal(nil, nonce[:], nil, msg)
	case SigningAESCMAC:
	}
	m := newCMACBlock(block)
	var x [16]byte
	for len(msg) > 16 {
		for i := range x {
			x[i] ^= msg[i]
		}
		block.Encrypt(x[:], x[:])
		msg = msg[16:]
	}
	last, k := make([]byte, 16), m.k1
	if n := copy(last, msg); n < 16 {
		last[n], k = 0x80, m.k2
	}
	for i := range x {
		x[i] ^= last[i] ^ k[i]
	}
	block.Encrypt(x[:], x[:])
	return x[:]
}

var algorithms = []SigningAlgorithm{SigningHMACSHA256, SigningAESCMAC, SigningAESGMAC}

// TestSignerLengths compares all algorithms with the reference at every length
// around the block and chunk sizes, and holds that the message is unchanged.
func TestSignerLengths(t *testing.T) {
	key := pattern(16)
	nonce := [12]byte{1, 2, 3, 4, 5, 6, 7, 8, 1}
	lengths := []int{cbcChunk + 47, cbcChunk + 48, cbcChunk + 64, cbcChunk + 65, 2*cbcChunk + 63, 100_003}
	for n := 64; n < 64+70; n++ {
		lengths = append(lengths, n)
	}
	for _, alg := range algorithms {
		t.Run(alg.String(), func(t *testing.T) {
			s, err := NewSigner(alg, key)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range lengths {
				msg := pattern(n)
				before := bytes.Clone(msg)
				var sig [16]byte
				s.Sum(&sig, &nonce, msg)
				if w := reference(t, alg, key, &nonce, msg); !bytes.Equal(sig[:], w) {
					t.Fatalf("%d bytes: got %x, want %x", n, sig, w)
				}
				if !bytes.Equal(msg, before) {
					t.Fatalf("%d bytes: the message was changed", n)
				}
				copy(msg[48:], sig[:])
				if !s.Verify(&nonce, msg) {
					t.Fatalf("%d bytes: a right signature is refused", n)
				}
				for _, at := range []int{0, 47, 48, 63, n - 1} {
					msg[at] ^= 0x10
					if s.Verify(&nonce, msg) {
						t.Fatalf("%d bytes: changed at %d and still accepted", n, at)
					}
					msg[at] ^= 0x10
				}
			}
		})
	}
}

// TestGMACNonce holds that the nonce counts: without it a signature could be
// moved to another message id.
func TestGMACNonce(t *testing.T) {
	s, err := NewSigner(SigningAESGMAC, pattern(16))
	if err != nil {
		t.Fatal(err)
	}
	msg := pattern(200)
	var a, b [16]byte
	s.Sum(&a, &[12]byte{1}, msg)
	s.Sum(&b, &[12]byte{2}, msg)
	if a == b {
		t.Error("two nonces give one signature")
	}
}

// TestGMACVector is NIST CAVP's gcmEncryptExtIV128, no plaintext, 128 bits of
// additional data, first count.
func TestGMACVector(t *testing.T) {
	m, err := newGMAC(unhex(t, "77be63708971c4e240d1cb79e8d77feb"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "tag", m.aead.Seal(nil, unhex(t, "e0e00f19fed7ba0136a797f3"), nil, unhex(t, "7a43ec1d9c0a5a78a0b16533a6213cab")),
		"209fcc8d3675ed938e9c7166709dd946")
}

func TestSignerRefuses(t *testing.T) {
	if _, err := NewSigner(SigningAESCMAC, pattern(15)); err == nil {
		t.Error("a key of 15 bytes is taken")
	}
	if _, err := NewSigner(3, pattern(16)); err == nil {
		t.Error("an unknown algorithm is taken")
	}
	s, err := NewSigner(SigningAESGMAC, pattern(16))
	if err != nil {
		t.Fatal(err)
	}
	if s.Verify(&[12]byte{}, pattern(63)) {
		t.Error("a message shorter than a header is taken for signed")
	}
}

// TestSignerConcurrent is for the race detector and for state that leaks from
// one computation into another.
func TestSignerConcurrent(t *testing.T) {
	for _, alg := range algorithms {
		s, err := NewSigner(alg, pattern(16))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				msg := pattern(1000 + 13*g)
				w := reference(t, alg, pattern(16), &[12]byte{byte(g)}, msg)
				for range 200 {
					var sig [16]byte
					if s.Sum(&sig, &[12]byte{byte(g)}, msg); !bytes.Equal(sig[:], w) {
						t.Errorf("%v: got %x, want %x", alg, sig, w)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

// TestSignerAllocations holds the promise of the package comment.
func TestSignerAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector sync.Pool drops at random")
	}
	for _, alg := range algorithms {
		s, err := NewSigner(alg, pattern(16))
		if err != nil {
			t.Fatal(err)
		}
		msg := pattern(5000)
		if n := testing.AllocsPerRun(100, func() {
			var sig [16]byte
			nonce := [12]byte{9}
			s.Sum(&sig, &nonce, msg)
			if s.Verify(&nonce, msg) {
				t.Error("an unsigned message is taken for signed")
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations per message, want 0", alg, n)
		}
	}
}

func BenchmarkSigner(b *testing.B) {
	for _, alg := range algorithms {
		for _, n := range []int{100, 4 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%v/%d", alg, n), func(b *testing.B) {
				s, err := NewSigner(alg, pattern(16))
				if err != nil {
					b.Fatal(err)
				}
				msg := pattern(n)
				nonce := [12]byte{9}
				var sig [16]byte
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					s.Sum(&sig, &nonce, msg)
				}
			})
		}
	}
}
