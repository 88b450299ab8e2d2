package kerberos

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/msgtype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"smbproxy/internal/ntstatus"
)

// etypeRC4 is the one enctype without RFC 4121's message formats.
const etypeRC4 = 23

// answer builds the AP-REP, RFC 4120 3.2.4. With the newer enctypes it carries a subkey of
// ours, RFC 4121 2, which becomes the key of the context and of the SMB session; with RC4 the
// initiator's key stays in force, as in MIT and Windows of that time (RFC 4757 7).
func (x *Exchange) answer(sessionKey types.EncryptionKey, auth *types.Authenticator) ([]byte, error) {
	var seq [4]byte
	rand.Read(seq[:])
	part := messages.EncAPRepPart{
		CTime: auth.CTime, Cusec: auth.Cusec,
		SequenceNumber: int64(binary.BigEndian.Uint32(seq[:])&0x3fffffff | 1), // small and not zero: old peers misread others
	}
	if x.key.KeyType != etypeRC4 {
		value := make([]byte, keySizes[x.key.KeyType])
		rand.Read(value)
		part.Subkey = types.EncryptionKey{KeyType: x.key.KeyType, KeyValue: value}
	}
	plain, err := asn1.Marshal(part)
	if err != nil {
		return nil, fmt.Errorf("AP-REP: %w: %w", err, ntstatus.InternalError)
	}
	plain = asn1tools.AddASNAppTag(plain, asnAppTag.EncAPRepPart)
	enc, err := crypto.GetEncryptedData(plain, sessionKey, keyusage.AP_REP_ENCPART, 0)
	if err != nil {
		return nil, fmt.Errorf("AP-REP: %w: %w", err, ntstatus.InternalError)
	}
	rep, err := asn1.Marshal(messages.APRep{PVNO: iana.PVNO, MsgType: msgtype.KRB_AP_REP, EncPart: enc})
	if err != nil {
		return nil, fmt.Errorf("AP-REP: %w: %w", err, ntstatus.InternalError)
	}
	x.sendSeq = uint64(part.SequenceNumber)
	if len(part.Subkey.KeyValue) > 0 {
		x.key, x.acceptorSubkey = part.Subkey, true
	}
	return asn1tools.AddASNAppTag(rep, asnAppTag.APREP), nil
}
