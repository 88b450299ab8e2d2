package kerberos

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/types"

	"smbproxy/session/auth/filecache"
)

// keySizes are the enctypes that we take, with the size of their keys: 17 and 18 (RFC 3962),
// 19 and 20 (RFC 8009), 23 (RFC 4757). gokrb5's own size of 20 is wrong, hence the table.
var keySizes = map[int32]int{17: 16, 18: 32, 19: 16, 20: 32, 23: 16}

// minCipher is the size of the shortest ciphertext of each enctype: confounder and checksum. gokrb5
// slices without asking.
var minCipher = map[int32]int{17: 16 + 12, 18: 16 + 12, 19: 16 + 16, 20: 16 + 24, 23: 8 + 16}

// Key is one usable entry of a keytab.
type Key struct {
	Service, Realm string // cifs/host and its realm
	KVNO           uint32
	key            types.EncryptionKey
}

// Keys is one state of a keytab file. It is never changed.
type Keys struct{ list []Key }

// Realm is the realm of the first entry.
func (k *Keys) Realm() string { return k.list[0].Realm }

// OpenKeytab reads a keytab file and keeps it up to date: see filecache.
func OpenKeytab(path string, now func() time.Time, log *slog.Logger) (*filecache.File[*Keys], error) {
	return filecache.Open(path, parseKeytab, now, log)
}

// parseKeytab reads a keytab. What gokrb5 says of a bad one quotes its bytes, keys
// included, and is not passed on.
func parseKeytab(path string, data []byte) (keys *Keys, err error) {
	defer func() {
		if recover() != nil { // gokrb5 trusts the lengths in the file
			keys, err = nil, fmt.Errorf("%s: not a keytab", path)
		}
	}()
	var kt keytab.Keytab
	if kt.Unmarshal(data) != nil {
		return nil, fmt.Errorf("%s: not a keytab", path)
	}
	keys = &Keys{}
	for _, e := range kt.Entries {
		if n, ok := keySizes[e.Key.KeyType]; !ok || n != len(e.Key.KeyValue) || len(e.Principal.Components) == 0 {
			continue
		}
		value := append([]byte(nil), e.Key.KeyValue...)
		keys.list = append(keys.list, Key{
			Service: strings.Join(e.Principal.Components, "/"), Realm: e.Principal.Realm, KVNO: e.KVNO,
			key: types.EncryptionKey{KeyType: e.Key.KeyType, KeyValue: value},
		})
	}
	if len(keys.list) == 0 {
		return nil, fmt.Errorf("%s: no key of an encryption type that we know (17, 18, 19, 20, 23)", path)
	}
	return keys, nil
}

// maxTries bounds the keys that one ticket is tried with.
const maxTries = 32

// candidates lists the keys of an enctype, those first that the ticket names. The service name and
// kvno of a ticket are not protected and clients spell the name as they like, so the others
// follow: the key that decrypts is the proof.
func (k *Keys) candidates(etype int32, service string, kvno int) []types.EncryptionKey {
	var named, others []types.EncryptionKey
	for _, e := range k.list {
		switch {
		case e.key.KeyType != etype:
		case strings.EqualFold(e.Service, service) && uint64(e.KVNO) == uint64(kvno):
			named = append(named, e.key)
		default:
			others = append(others, e.key)
		}
	}
	all := append(named, others...)
	return all[:min(len(all), maxTries)]
}
