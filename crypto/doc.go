// Package crypto is the cryptography of SMB 2 and 3: key derivation, the
// preauthentication integrity hash, signatures and encryption.
//
// It knows no messages and no connections: parameters are bytes, and the one
// thing taken for granted of a message is that its signature lies at offset 48
// for 16 bytes ([MS-SMB2] 2.2.1). All types are safe for concurrent use, work in
// place, and allocate nothing per message once warm.
//
//	DeriveKeys    session key + dialect (+ preauth hash) -> Keys   3.1.4.2, 3.3.5.5.3
//	PreauthHash   SHA-512 chain over NEGOTIATE and SESSION_SETUP   3.1.4.4.1
//	Signer        HMAC-SHA256 | AES-128-CMAC | AES-128-GMAC        3.1.4.1
//	Sealer        AES-128/256 in CCM or GCM                        3.1.4.3
//
// # Which is fast
//
// The standard library has vector code for GCM but not for CMAC and CCM, whose
// chain of blocks is serial anyway. GMAC and GCM run at memory speed, CMAC and
// CCM at one AES latency per block, about a tenth; prefer the former wherever
// the peer offers a choice. The benchmarks print GB/s.
//
// # Room behind the message
//
// Go's AEAD puts the tag behind the ciphertext, SMB2 puts it in the transform
// header. So Seal and Open borrow the TagSize bytes behind the buffer (they must
// be within its capacity) and put back what was there.
package crypto
