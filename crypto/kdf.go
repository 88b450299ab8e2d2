package crypto

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// Dialect numbers at which the derivation changes ([MS-SMB2] 2.2.3).
const (
	dialect300 = 0x0300
	dialect311 = 0x0311
)

// Labels and contexts of the derivation, [MS-SMB2] 3.1.4.2. The NUL at the end
// is part of each, and so is the blank in "ServerIn ".
const (
	label30Sign = "SMB2AESCMAC\x00"
	label30App  = "SMB2APP\x00"
	label30Seal = "SMB2AESCCM\x00"

	context30Sign = "SmbSign\x00"
	context30App  = "SmbRpc\x00"
	context30C2S  = "ServerIn \x00"
	context30S2C  = "ServerOut\x00"

	label311Sign = "SMBSigningKey\x00"
	label311App  = "SMBAppKey\x00"
	label311C2S  = "SMBC2SCipherKey\x00"
	label311S2C  = "SMBS2CCipherKey\x00"
)

// sessionKeySize is the length of Session.SessionKey: longer keys of the
// authentication protocol are cut, shorter ones padded with zeros
// ([MS-SMB2] 3.3.5.5.3).
const sessionKeySize = 16

// Keys are the keys of one authenticated session. On a further channel of the
// session only SigningKey is taken (it is then Channel.SigningKey).
type Keys struct {
	// SigningAlgorithm is what SigningKey is for: the negotiated one in 3.1.1,
	// AES-CMAC in 3.0 and 3.0.2, HMAC-SHA256 before.
	SigningAlgorithm SigningAlgorithm
	SigningKey       []byte

	// Cipher is what the two keys below are for; CipherNone leaves them nil.
	Cipher Cipher
	// EncryptionKey protects client to server, DecryptionKey server to client:
	// the words are the client's, [MS-SMB2] 3.2.1.3. A server opens with
	// EncryptionKey and seals with DecryptionKey.
	EncryptionKey []byte
	DecryptionKey []byte

	// ApplicationKey is what GSS users above SMB (named pipes) get; before 3.0
	// the session key itself.
	ApplicationKey []byte
}

// DeriveKeys makes the keys of a session as [MS-SMB2] 3.3.5.5.3 says. sessionKey
// is the whole key of the authentication protocol (Session.FullSessionKey).
// preauth is Session.PreauthIntegrityHashValue and counts in 3.1.1 only. cipher
// is Connection.CipherId: CipherNone if nothing is ever encrypted; in 3.0 and
// 3.0.2 the only cipher is AES-128-CCM, whatever is passed. alg counts in 3.1.1
// only.
func DeriveKeys(dialect uint16, sessionKey []byte, preauth [64]byte, cipher Cipher, alg SigningAlgorithm) Keys {
	short := make([]byte, sessionKeySize)
	copy(short, sessionKey)

	if dialect < dialect300 {
		return Keys{SigningAlgorithm: SigningHMACSHA256, SigningKey: short, ApplicationKey: short}
	}
	if dialect < dialect311 {
		k := Keys{
			SigningAlgorithm: SigningAESCMAC,
			SigningKey:       kdf(short, label30Sign, context30Sign, sessionKeySize),
			ApplicationKey:   kdf(short, label30App, context30App, sessionKeySize),
		}
		if cipher != CipherNone {
			k.Cipher = CipherAES128CCM
			k.EncryptionKey = kdf(short, label30Seal, context30C2S, sessionKeySize)
			k.DecryptionKey = kdf(short, label30Seal, context30S2C, sessionKeySize)
		}
		return k
	}

	context := string(preauth[:])
	k := Keys{
		SigningAlgorithm: alg,
		SigningKey:       kdf(short, label311Sign, context, sessionKeySize),
		ApplicationKey:   kdf(short, label311App, context, sessionKeySize),
	}
	if n := cipher.KeySize(); n > 0 {
		from := short
		if n > sessionKeySize {
			from = sessionKey
		}
		k.Cipher = cipher
		k.EncryptionKey = kdf(from, label311C2S, context, n)
		k.DecryptionKey = kdf(from, label311S2C, context, n)
	}
	return k
}

// kdf derives n bytes from key. A zero byte stands between label and context,
// beside the one that ends the label, and the length in bits at the end.
func kdf(key []byte, label, context string, n int) []byte {
	fixed := make([]byte, 0, len(label)+1+len(context)+4)
	fixed = append(fixed, label...)
	fixed = append(fixed, 0)
	fixed = append(fixed, context...)
	fixed = binary.BigEndian.AppendUint32(fixed, uint32(n)*8)
	return counterMode(key, fixed, n)
}

// counterMode is NIST SP800-108 5.1 with HMAC-SHA256 as PRF and a 32-bit counter
// before the fixed input.
func counterMode(key, fixed []byte, n int) []byte {
	mac := hmac.New(sha256.New, key)
	var out []byte
	for i := uint32(1); len(out) < n; i++ {
		mac.Reset()
		mac.Write(binary.BigEndian.AppendUint32(nil, i))
		mac.Write(fixed)
		out = mac.Sum(out)
	}
	return out[:n]
}
