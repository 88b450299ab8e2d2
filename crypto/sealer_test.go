package crypto

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
)

// roomy copies b into a slice with TagSize bytes of known content behind it.
func roomy(b []byte) (buf, room []byte) {
	all := append(bytes.Clone(b), bytes.Repeat([]byte{0x5A}, TagSize)...)
	return all[:len(b)], all[len(b):]
}

// newSealer is NewSealer for keys known to be right.
func newSealer(t testing.TB, c Cipher, key []byte) *Sealer {
	t.Helper()
	s, err := NewSealer(c, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSealerSamples are the sealed messages of Microsoft's "Encryption in SMB
// 3.0: a protocol perspective" (AES-128-CCM) and "SMB 3.1.1 encryption in
// Windows 10" (AES-128-GCM), as they were on the wire.
func TestSealerSamples(t *testing.T) {
	tests := []struct {
		name             string
		cipher           Cipher
		key, wire, plain string
	}{
		{"3.0 WRITE request", CipherAES128CCM, "261B72350558F2E9DCF613070383EDBF",
			`FD534D4281A286535415445DAE393921E44FA42E66E69A111892584FB5ED524A 744DA3EE87000000000001001100001400E4080025C8FEE16605A437832D1CD5
			2DA9F4645333482A175FE5384563F45FCDAFAEF38BC62BA4D5C62897996625A4 4C29BE5658DE2E6117585779E7B59FFD971278D08580D7FA899E410E910EABF5
			AA1DB43050B33B49182637759AC15D84BFCDF5B6B238993C0F4CF4D6012023F6 C627297075D84B7803912D0A9639634453595EF3E33FFE4E7AC2AB`,
			`FE534D4240000100000000000900400008000000000000000400000000000000 FFFE0000010000001100001400E4080000000000000000000000000000000000
			3100700017000000000000000000000015010000390000020100000039020000 00000000000000007000000000000000536D623320656E6372797074696F6E20
			74657374696E67`},
		{"3.0 WRITE response", CipherAES128CCM, "8FE2B57EC34D2DB5B1A9727F526BBDB5",
			`FD534D42A6015530A18F6D9AFFE22AFAE8E66484860000000000000011000014 00E4080050000000000001001100001400E40800DBF46435C5F14169293CE079
			E344479BF670227E49873F458672C3098DAC467DD5809F369D67409166515787 1483E01F7BECD02064EAC3E235F913668BBC2F097980D4B378F1993EFF6E60D1
			77309E5B`,
			`FE534D4240000100000000000900210009000000000000000400000000000000 FFFE0000010000001100001400E4080000000000000000000000000000000000
			11000000170000000000000000000000`},
		{"3.1.1 WRITE request", CipherAES128GCM, "A2F5E80E5D59103034F32E52F698E5EC",
			`FD534D42BD73D97D2BC9001BCAFAC0FDFF5FEEBCC7D6822D269CAF48904C664C 00000000870000000000010025000000001000006ECDD2A7AFC7B47763057A04
			1B8FD4DAFFE990B70C9E09D36C084E02D14EF247F8BDE38ACF6256F8B1D3B56F 77FBDEB312FEA5E92CBCC1ED8FB2EBBFAA75E49A4A394BB44576545567C24D4C
			014D47C9FBDFDAFD2C4F9B72F8D256452620A299F48E29E53D6B61D1C13A19E9 1AF013F00D17E3ABC2FC3D36C8C1B6B93973253852DBD442E46EE8`,
			`FE534D4240000100000000000900010008000000000000000500000000000000 FFFE000001000000250000000010000000000000000000000000000000000000
			3100700017000000000000000000000006000000040000000100000004000000 00000000000000007000000000000000536D623320656E6372797074696F6E20
			74657374696E67`},
		{"3.1.1 WRITE response", CipherAES128GCM, "748C50868C90F302962A5C35F5F9A8BF",
			`FD534D42ACBE1CB7ED343ADF1725EF144D90D4B0E06831DD2E8EB7B400000000 00000000500000000000010025000000001000 0026BBBF949983A6C1C796559D
			0F2C510CB651D1F7B6AC8DED32A2A0B8F2D793A815C6F6B848D69767A215841A 42D400AE6DDB5F0B44173A014973321FDD7950DA6179159B82E03C9E18A050FF
			0EA1C967`,
			`FE534D4240000100000000000900010001000000000000000500000000000000 FFFE000001000000250000000010000000000000000000000000000000000000
			11000000170000000000000000000000`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wire := unhex(t, tt.wire)
			s := newSealer(t, tt.cipher, unhex(t, tt.key))
			tag, nonce, aad := [16]byte(wire[4:20]), wire[20:36], wire[20:52]
			buf, room := roomy(wire[52:])
			if err := s.Open(&tag, nonce, aad, buf); err != nil {
				t.Fatal(err)
			}
			want(t, "opened", buf, tt.plain)

			var sealed [16]byte
			s.Seal(&sealed, nonce, aad, buf)
			if !bytes.Equal(buf, wire[52:]) || sealed != tag {
				t.Errorf("sealed: got %x %x, want %x %x", sealed, buf, tag, wire[52:])
			}
			if !bytes.Equal(room, bytes.Repeat([]byte{0x5A}, TagSize)) {
				t.Errorf("the room behind the buffer was not put back: %x", room)
			}
		})
	}
}

// TestGCMVectors are test cases 4 and 16 of McGrew and Viega's GCM submission.
func TestGCMVectors(t *testing.T) {
	const plain = `d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72 1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39`
	const aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2"
	tests := []struct {
		name         string
		cipher       Cipher
		key, out, at string
	}{
		{"case 4", CipherAES128GCM, "feffe9928665731c6d6a8f9467308308",
			`42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e 21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091`,
			"5bc94fbc3221a5db94fae95ae7121a47"},
		{"case 16", CipherAES256GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
			`522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa 8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662`,
			"76fc6ece0f4e1768cddf8853bb2d551b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSealer(t, tt.cipher, unhex(t, tt.key))
			buf, _ := roomy(unhex(t, plain))
			var tag [16]byte
			s.Seal(&tag, unhex(t, "cafebabefacedbaddecaf888"), unhex(t, aad), buf)
			want(t, "ciphertext", buf, tt.out)
			want(t, "tag", tag[:], tt.at)
		})
	}
}

// TestCCMAgainstOpenSSL compares AES-CCM with OpenSSL 3 (EVP, nonce of 11 bytes,
// tag of 16) for key pattern(16 or 32), nonce pattern(11), additional data
// pattern(32), plaintext pattern(n): the tag, and the start of the ciphertext's
// SHA-256.
func TestCCMAgainstOpenSSL(t *testing.T) {
	tests := []struct {
		key, n    int
		tag, hash string
	}{
		{16, 1, "ff7feebc4ebbacf6a9df048e1d76a095", "4b227777d4dd1fc61c6f884f48641d02"},
		{16, 15, "3963dbd056d46ffb77486bf17fd88841", "38f113d0d8045da7193f943f5dbd6662"},
		{16, 16, "9503c5e88eea6eb4b23d05ba4106e73d", "ee5213c71c3b7ab92bd422a64160a0b5"},
		{16, 17, "28f230795d1f31d0de241a717afa5701", "81321ffeb0bf20a18fb63f5414a46bda"},
		{16, 31, "02e26eef65abb4126882a1b13704393f", "481ce9017b444b877fcfe01c449a4d6e"},
		{16, 32, "2378ce887027747754046fb69fdec509", "e023fe90f7908490381b351e6f89bc5b"},
		{16, 33, "f464a45cfd51c581120eea5c5ea8aa0d", "044da846fe96ac9284143e8ead40bd2a"},
		{16, 64, "40c7cf1c210b0b3af4e7d45908df17ff", "2227569232a5c6d17d3b0a677c00580d"},
		{16, 4096, "e0840f710f3025f0343e359f2356546a", "2f070e26f97af0924dd2130d91308f73"},
		{16, 4097, "bb95b07538fda510a62006ee8fe13fb4", "4203ba2ec5c61ee7dcd8230763dce3a4"},
		{16, 100003, "341af331f2b02477acfa4738b3d8bc13", "d5afd1c9d9f95ff9d86193130bdb0b80"},
		{32, 1, "c35bfc7875092beebd07d9fdba2acb5e", "41b805ea7ac014e23556e98bb374702a"},
		{32, 15, "54851473e5bc1e841b54a2925664b93d", "6d17cc42e52047ed057dafa6cdf6d897"},
		{32, 16, "45844e75dd9e4e5c7ca6fa6f8dd05b2b", "fd940f0ce3566e40cdbdee07ca51e812"},
		{32, 17, "d4cd1267560e5371dd961847404f8cfb", "1a64ed4f5ea232de8f83de6984846a26"},
		{32, 31, "4042695f8f939b2e2257d434a2db7f15", "e85cb459b915109dc8795d48e223e47f"},
		{32, 32, "be88241fbb18745f19ac5308ecb376a2", "fabe6ac1f39b046105d9f897e3adb2a4"},
		{32, 33, "013492d54fb6107b02984cfd6991a094", "fa30d792f5c91b640f5c35316952e471"},
		{32, 64, "2d5fc8f4603686ccf4a114fbab602e76", "64a256527f32020d8c33214edf391abc"},
		{32, 4096, "e10bb9276d3337b960ba23dacb850f4a", "b9124db2fb9a2cfdf190b24de4ffb414"},
		{32, 4097, "a8064afffcdb1e980df73dd457f5f7cd", "873ea500dd5c4aadd7f5e8face980429"},
		{32, 100003, "a8d00992d45e7340a704a6f1138a96a8", "d2c92a35faefd1ca92d6ab4b44af11b2"},
	}
	for _, tt := range tests {
		c := CipherAES128CCM
		if tt.key == 32 {
			c = CipherAES256CCM
		}
		t.Run(fmt.Sprintf("%v/%d", c, tt.n), func(t *testing.T) {
			s := newSealer(t, c, pattern(tt.key))
			buf, _ := roomy(pattern(tt.n))
			var tag [16]byte
			s.Seal(&tag, pattern(11), pattern(32), buf)
			want(t, "tag", tag[:], tt.tag)
			sum := sha256.Sum256(buf)
			want(t, "hash of the ciphertext", sum[:16], tt.hash)
		})
	}
}

var ciphers = []Cipher{CipherAES128CCM, CipherAES128GCM, CipherAES256CCM, CipherAES256GCM}

// TestSealerRoundTrip holds for each cipher and length: what is sealed opens,
// nothing else does, and the room behind the buffer is put back.
func TestSealerRoundTrip(t *testing.T) {
	for _, c := range ciphers {
		t.Run(c.String(), func(t *testing.T) {
			s := newSealer(t, c, pattern(c.KeySize()))
			for _, n := range []int{0, 1, 15, 16, 17, 32, 64, 1000, 70000} {
				var nonce [16]byte
				s.NextNonce(&nonce)
				buf, room := roomy(pattern(n))
				aad := pattern(32)
				var tag [16]byte
				s.Seal(&tag, nonce[:], aad, buf)
				sealed := bytes.Clone(buf)
				check := func(what string, open bool, tag [16]byte, nonce [16]byte, aad []byte) {
					copy(buf, sealed)
					err := s.Open(&tag, nonce[:], aad, buf)
					if open != (err == nil) || err != nil && !errors.Is(err, ErrOpen) {
						t.Errorf("%d bytes, %s: got %v", n, what, err)
					}
					if open && !bytes.Equal(buf, pattern(n)) {
						t.Errorf("%d bytes, %s: opened to other bytes", n, what)
					}
					if !bytes.Equal(room, bytes.Repeat([]byte{0x5A}, TagSize)) {
						t.Errorf("%d bytes, %s: the room was not put back", n, what)
					}
				}
				check("unchanged", true, tag, nonce, aad)
				wrong := tag
				wrong[15] ^= 1
				check("wrong tag", false, wrong, nonce, aad)
				check("other additional data", false, tag, nonce, pattern(31))
				other := nonce
				other[0] ^= 1
				check("other nonce", false, tag, other, aad)
				if n > 0 {
					sealed[n-1] ^= 0x80
					check("changed ciphertext", false, tag, nonce, aad)
				}
			}
		})
	}
}

// TestNextNonce holds that nonces differ within a Sealer, also from several
// goroutines, and that the bytes that do not count are zero.
func TestNextNonce(t *testing.T) {
	for _, c := range ciphers {
		s := newSealer(t, c, pattern(c.KeySize()))
		var mu sync.Mutex
		seen := map[[16]byte]bool{}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 500 {
					var n [16]byte
					s.NextNonce(&n)
					mu.Lock()
					if seen[n] {
						t.Errorf("%v: nonce %x twice", c, n)
					}
					seen[n] = true
					mu.Unlock()
					if !bytes.Equal(n[c.NonceSize():], make([]byte, 16-c.NonceSize())) {
						t.Errorf("%v: nonce %x has more than %d bytes", c, n, c.NonceSize())
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestSealerRefuses(t *testing.T) {
	for _, c := range []Cipher{CipherNone, 5} {
		if _, err := NewSealer(c, pattern(16)); err == nil {
			t.Errorf("%v is taken", c)
		}
	}
	for _, c := range ciphers {
		if _, err := NewSealer(c, pattern(c.KeySize()-1)); err == nil {
			t.Errorf("%v takes a key of %d bytes", c, c.KeySize()-1)
		}
	}
}

// TestSealerConcurrent is for the race detector and shared state.
func TestSealerConcurrent(t *testing.T) {
	for _, c := range ciphers {
		s := newSealer(t, c, pattern(c.KeySize()))
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				plain := pattern(3000 + 17*g)
				buf, _ := roomy(plain)
				for range 100 {
					var nonce, tag [16]byte
					s.NextNonce(&nonce)
					s.Seal(&tag, nonce[:], nonce[:], buf)
					if err := s.Open(&tag, nonce[:], nonce[:], buf); err != nil || !bytes.Equal(buf, plain) {
						t.Errorf("%v: %v", c, err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

// TestSealerAllocations holds the promise of the package comment for buffers in
// the heap, where frames are.
func TestSealerAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector sync.Pool drops at random")
	}
	for _, c := range ciphers {
		s := newSealer(t, c, pattern(c.KeySize()))
		head := make([]byte, 52)
		buf, _ := roomy(pattern(5000))
		if n := testing.AllocsPerRun(100, func() {
			s.NextNonce((*[16]byte)(head[20:]))
			binary.LittleEndian.PutUint32(head[36:], 5000)
			s.Seal((*[16]byte)(head[4:]), head[20:], head[20:], buf)
			if err := s.Open((*[16]byte)(head[4:]), head[20:], head[20:], buf); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations per message, want 0", c, n)
		}
	}
}

func BenchmarkSealer(b *testing.B) {
	for _, c := range ciphers {
		for _, n := range []int{100, 4 << 10, 1 << 20} {
			s := newSealer(b, c, pattern(c.KeySize()))
			head := make([]byte, 52)
			buf, _ := roomy(pattern(n))
			b.Run(fmt.Sprintf("seal/%v/%d", c, n), func(b *testing.B) {
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					s.Seal((*[16]byte)(head[4:]), head[20:], head[20:], buf)
				}
			})
			b.Run(fmt.Sprintf("open/%v/%d", c, n), func(b *testing.B) {
				s.Seal((*[16]byte)(head[4:]), head[20:], head[20:], buf)
				sealed := bytes.Clone(buf)
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					copy(buf, sealed)
					if err := s.Open((*[16]byte)(head[4:]), head[20:], head[20:], buf); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
