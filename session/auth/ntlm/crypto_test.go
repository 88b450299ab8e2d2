package ntlm

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// unhex reads a sample value.
func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The sample values of [MS-NLMP] 4.2: user User, domain Domain, password Password, server
// challenge 0123456789abcdef, client challenge aa.., time 0, random session key 55...
const (
	sampleTemp         = "01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000"
	sampleProof        = "68cd0ab851e51c96aabc927bebef6a1c"
	sampleBase         = "8de40ccadbc14a82f15cb0ad0de95ca3"
	sampleEncryptedKey = "c5dad2544fc9799094ce1ce90bc9d03e"
)

// TestSampleValues holds the arithmetic against [MS-NLMP] 4.2.1 and 4.2.4.
func TestSampleValues(t *testing.T) {
	hash := NTOWFv1("Password")
	key := ntowfv2(&hash, "User", "Domain")
	r := &Response{User: "User", Domain: "Domain", NT: unhex(t, sampleProof+sampleTemp), ServerChallenge: [8]byte{1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}}
	base, ok := r.Check(&hash)
	if !ok {
		t.Fatal("the sample response does not match the sample password")
	}
	exported := rc4k(&base, unhex(t, sampleEncryptedKey))
	sign, seal := keys(&exported, Negotiate128, true)
	for _, c := range []struct {
		name string
		got  Key
		want string
	}{
		{"NTOWFv1", hash, "a4f49c406510bdcab6824ee7c30fd852"},
		{"NTOWFv2", key, "0c868a403bfd7a93a3001ef22ef02e3f"},
		{"session base key", base, sampleBase},
		{"exported session key", exported, "55555555555555555555555555555555"},
		{"sign key", sign, "4788dc861b4782f35d43fd98fe1a2d39"},
		{"seal key", seal, "59f600973cc4960a25480a7c196e4c58"},
	} {
		if got := hex.EncodeToString(c.got[:]); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// TestCheckRefuses says that every part of a response counts.
func TestCheckRefuses(t *testing.T) {
	good := Response{User: "User", Domain: "Domain", NT: unhex(t, sampleProof+sampleTemp), ServerChallenge: [8]byte{1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}}
	for name, edit := range map[string]func(*Response){
		"user":      func(r *Response) { r.User = "Usar" },
		"domain":    func(r *Response) { r.Domain = "Dumain" },
		"challenge": func(r *Response) { r.ServerChallenge[7] ^= 1 },
		"proof":     func(r *Response) { r.NT[15] ^= 1 },
		"blob":      func(r *Response) { r.NT[len(r.NT)-1] ^= 1 },
	} {
		r := good
		r.NT = bytes.Clone(good.NT)
		edit(&r)
		hash := NTOWFv1("Password")
		if base, ok := r.Check(&hash); ok || base != (Key{}) {
			t.Errorf("response with another %s: got ok=%v key set=%v, want refused without a key", name, ok, base != (Key{}))
		}
	}
	r := good
	hash := NTOWFv1("password")
	if _, ok := r.Check(&hash); ok {
		t.Error("another password: got ok, want refused")
	}
	r.User = "uSER" // [MS-NLMP] 3.3.2: upper case before hashing
	hash = NTOWFv1("Password")
	if _, ok := r.Check(&hash); !ok {
		t.Error("user name in another case: got refused, want ok")
	}
}

// TestUTF16 says which names survive.
func TestUTF16(t *testing.T) {
	for _, s := range []string{"", "alice", "Ünïcode", "日本", "\U0001F600", "\uFFFD"} {
		if got, ok := fromUTF16le(utf16le(s)); !ok || got != s {
			t.Errorf("%q: got %q, %v", s, got, ok)
		}
	}
	for _, b := range [][]byte{{1}, {0, 0}, {0x3d, 0xd8}, {0x00, 0xdc, 'a', 0}} {
		if got, ok := fromUTF16le(b); ok {
			t.Errorf("%x: got %q, want refused", b, got)
		}
	}
}
