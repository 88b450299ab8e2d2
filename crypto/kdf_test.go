package crypto

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// unhex decodes a vector; blanks and line ends in it are for the reader.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(string(bytes.Join(bytes.Fields([]byte(s)), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// want compares in hex.
func want(t *testing.T, what string, got []byte, wantHex string) {
	t.Helper()
	if w := unhex(t, wantHex); !bytes.Equal(got, w) {
		t.Errorf("%s: got %x, want %x", what, got, w)
	}
}

// TestCounterMode is NIST CAVP's KDFCTR_gen, HMAC_SHA256, BEFORE_FIXED, 32 bits,
// L = 128, count 0.
func TestCounterMode(t *testing.T) {
	key := unhex(t, "dd1d91b7d90b2bd3138533ce92b272fbf8a369316aefe242e659cc0ae238afe0")
	fixed := unhex(t, `01322b96b30acd197979444e468e1c5c6859bf1b1cf951b7e725303e237e46b8
		64a145fab25e517b08f8683d0315bb2911d80a0e8aba17f3b413faac`)
	want(t, "KO", counterMode(key, fixed, 16), "10621342bfb0fd40046c0e29f2cfdbf0")
}

// TestDeriveKeys300 has the samples of Microsoft's "SMB 2 and SMB 3 security in
// Windows 10: the anatomy of signing and cryptographic keys" and "Encryption in
// SMB 3.0: a protocol perspective".
func TestDeriveKeys300(t *testing.T) {
	k := DeriveKeys(0x0300, unhex(t, "7CD451825D0450D235424E44BA6E78CC"), [64]byte{}, CipherAES128GCM, SigningAESGMAC)
	want(t, "SigningKey", k.SigningKey, "0B7E9C5CAC36C0F6EA9AB275298CEDCE")
	want(t, "client to server", k.EncryptionKey, "FAD27796665B313EBB578F388632B4F7")
	want(t, "server to client", k.DecryptionKey, "B0F0427F7CEB416D1D9DCC0CD4F99447")
	want(t, "ApplicationKey", k.ApplicationKey, "BB23A4575AA26C721AF525AF15A87B4F")
	if k.Cipher != CipherAES128CCM || k.SigningAlgorithm != SigningAESCMAC {
		t.Errorf("algorithms of 3.0: got %v and %v, want AES-128-CCM and AES-CMAC", k.Cipher, k.SigningAlgorithm)
	}

	channel := DeriveKeys(0x0302, unhex(t, "4E01A2B313BCF660CC250BEF021AEDE6"), [64]byte{}, CipherNone, 0)
	want(t, "Channel.SigningKey", channel.SigningKey, "BA1A17DBBFEC349BCA105563D598952F")
	if channel.EncryptionKey != nil || channel.DecryptionKey != nil || channel.Cipher != CipherNone {
		t.Errorf("keys without a cipher: got %+v", channel)
	}

	sealed := DeriveKeys(0x0300, unhex(t, "B4546771B515F766A86735532DD6C4F0"), [64]byte{}, CipherAES128CCM, 0)
	want(t, "client to server", sealed.EncryptionKey, "261B72350558F2E9DCF613070383EDBF")
	want(t, "server to client", sealed.DecryptionKey, "8FE2B57EC34D2DB5B1A9727F526BBDB5")
}

// TestDeriveKeys311 has the samples of the same article and of "SMB 3.1.1
// encryption in Windows 10".
func TestDeriveKeys311(t *testing.T) {
	preauth := [64]byte(unhex(t, `0DD13628CC3ED218EF9DF9772D436D0887AB9814BFAE63A80AA845F36909DB79
		28622DDDAD522D9751640A459762C5A9D6BB084CBB3CE6BDADEF5D5BCE3C6C01`))
	k := DeriveKeys(0x0311, unhex(t, "270E1BA896585EEB7AF3472D3B4C75A7"), preauth, CipherAES128GCM, SigningAESGMAC)
	want(t, "SigningKey", k.SigningKey, "73FE7A9A77BEF0BDE49C650D8CCB5F76")
	want(t, "client to server", k.EncryptionKey, "629BCBC54422A0F572B97F45989B6073")
	want(t, "server to client", k.DecryptionKey, "E2AF0DCEFAC68DA71A0DFBD0D1350D74")
	want(t, "ApplicationKey", k.ApplicationKey, "6D7AD7954E9EC61E907B4D473DC178FF")
	if k.Cipher != CipherAES128GCM || k.SigningAlgorithm != SigningAESGMAC {
		t.Errorf("algorithms: got %v and %v, want those negotiated", k.Cipher, k.SigningAlgorithm)
	}

	preauth = [64]byte(unhex(t, `B23F3CBFD69487D9832B79B1594A367CDD950909B774C3A4C412B4FCEA9EDDDB
		A7DB256BA2EA30E977F11F9B113247578E0E915C6D2A513B8F2FCA5707DC8770`))
	k = DeriveKeys(0x0311, unhex(t, "419FDDF34C1E001909D362AE7FB6AF79"), preauth, CipherAES128GCM, SigningAESCMAC)
	want(t, "client to server", k.EncryptionKey, "A2F5E80E5D59103034F32E52F698E5EC")
	want(t, "server to client", k.DecryptionKey, "748C50868C90F302962A5C35F5F9A8BF")
}

// TestDeriveKeysLengths holds which keys come from the whole session key: those
// of AES-256 only ([MS-SMB2] 3.3.5.5.3).
func TestDeriveKeysLengths(t *testing.T) {
	long := unhex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	short := DeriveKeys(0x0311, long[:16], [64]byte{1}, CipherAES256GCM, SigningAESCMAC)
	full := DeriveKeys(0x0311, long, [64]byte{1}, CipherAES256GCM, SigningAESCMAC)
	if len(full.EncryptionKey) != 32 || len(full.DecryptionKey) != 32 || len(full.SigningKey) != 16 || len(full.ApplicationKey) != 16 {
		t.Errorf("lengths with AES-256: got %d %d %d %d, want 32 32 16 16",
			len(full.EncryptionKey), len(full.DecryptionKey), len(full.SigningKey), len(full.ApplicationKey))
	}
	if bytes.Equal(short.EncryptionKey, full.EncryptionKey) {
		t.Error("EncryptionKey of AES-256 does not depend on the second half of the session key")
	}
	if !bytes.Equal(short.SigningKey, full.SigningKey) {
		t.Error("SigningKey depends on the second half of the session key")
	}
	cut := DeriveKeys(0x0311, long, [64]byte{1}, CipherAES128GCM, SigningAESCMAC)
	if got := DeriveKeys(0x0311, long[:16], [64]byte{1}, CipherAES128GCM, SigningAESCMAC); !bytes.Equal(got.EncryptionKey, cut.EncryptionKey) {
		t.Error("EncryptionKey of AES-128 depends on the second half of the session key")
	}

	for _, dialect := range []uint16{0x0202, 0x0210} {
		k := DeriveKeys(dialect, long[:8], [64]byte{}, CipherAES128CCM, SigningAESCMAC)
		want(t, "SigningKey before 3.0", k.SigningKey, "00010203040506070000000000000000")
		if k.SigningAlgorithm != SigningHMACSHA256 || k.EncryptionKey != nil {
			t.Errorf("dialect 0x%04x: got %v and key %x, want HMAC-SHA256 and none", dialect, k.SigningAlgorithm, k.EncryptionKey)
		}
	}
}
