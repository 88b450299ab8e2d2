package backend

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/types"
)

// serviceKey is one backend's long-term key: whoever has it is every user there.
type serviceKey struct {
	key  types.EncryptionKey
	kvno int
}

// keySizes are the encryption types that are generated and used, best first,
// with their key lengths in bytes. Samba: 4.17's smbd takes 17, 18, 23; RC4 is
// not made new.
var keySizes = []struct {
	etype int32
	size  int
}{
	{etypeID.AES256_CTS_HMAC_SHA1_96, 32},
	{etypeID.AES128_CTS_HMAC_SHA1_96, 16},
}

// GenerateKeytab writes random keys for spn@realm with version 1 to a new file
// of mode 0600. It never overwrites: a lost key locks everybody out, so a new
// one is added with RotateKeytab.
func GenerateKeytab(path, spn, realm string) error {
	kt := keytab.New()
	if err := addKeys(kt, spn, realm, 1); err != nil {
		return fmt.Errorf("keytab %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return writeKeytab(f, kt)
}

// RotateKeytab adds random keys with the next version to path and keeps the
// older ones, so that smbd, once it has the new file, still takes tickets that
// were minted before. The file is replaced at once.
func RotateKeytab(path, spn, realm string) (kvno int, err error) {
	kt, err := readKeytab(path)
	if err != nil {
		return 0, err
	}
	k, err := newestKey(kt, spn, realm)
	if err != nil {
		return 0, fmt.Errorf("keytab %s: %w", path, err)
	}
	if k.kvno >= 255 {
		return 0, fmt.Errorf("keytab %s: key version %d is the last there can be", path, k.kvno)
	}
	if err := addKeys(kt, spn, realm, uint8(k.kvno+1)); err != nil {
		return 0, fmt.Errorf("keytab %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".keytab-*") // mode 0600
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	if err := writeKeytab(f, kt); err != nil {
		return 0, err
	}
	return k.kvno + 1, os.Rename(f.Name(), path)
}

// writeKeytab writes and closes f.
func writeKeytab(f *os.File, kt *keytab.Keytab) error {
	_, err := kt.Write(f)
	return errors.Join(err, f.Sync(), f.Close())
}

// addKeys appends one random key of each type. gokrb5 makes entries from
// passwords only, so one is made and its key replaced.
func addKeys(kt *keytab.Keytab, spn, realm string, kvno uint8) error {
	now := time.Now()
	for _, s := range keySizes {
		value := make([]byte, s.size)
		rand.Read(value)
		if err := kt.AddEntry(spn, realm, hex.EncodeToString(value[:8]), now, kvno, s.etype); err != nil {
			return err
		}
		kt.Entries[len(kt.Entries)-1].Key = types.EncryptionKey{KeyType: s.etype, KeyValue: value}
	}
	return nil
}

// LoadKeytab reads path and tells the newest key version it holds for
// spn@realm. An error says what smbproxy would refuse at the first ticket:
// no such key, or a file that others may read.
func LoadKeytab(path, spn, realm string) (kvno int, err error) {
	kt, err := readKeytab(path)
	if err != nil {
		return 0, err
	}
	k, err := newestKey(kt, spn, realm)
	if err != nil {
		return 0, fmt.Errorf("keytab %s: %w", path, err)
	}
	return k.kvno, nil
}

// readKeytab refuses files that others may read or the group may write. A group
// that reads is let pass: that is how systemd hands out credentials.
func readKeytab(path string) (*keytab.Keytab, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return nil, fmt.Errorf("keytab %s has mode %04o: others could be any user at the backend, make it 0600", path, mode)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseKeytab(path, b)
}

// parseKeytab turns gokrb5's panics on short files into errors, and keeps its
// error texts, some of which hold the file's bytes, to itself.
func parseKeytab(path string, b []byte) (kt *keytab.Keytab, err error) {
	kt = keytab.New()
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("keytab %s is damaged", path)
		}
	}()
	if kt.Unmarshal(b) != nil {
		return nil, fmt.Errorf("keytab %s is damaged or none", path)
	}
	return kt, nil
}

// newestKey is the key to mint with: of the highest version, the best type.
// (gokrb5's own choice goes by timestamp.)
func newestKey(kt *keytab.Keytab, spn, realm string) (serviceKey, error) {
	want, _ := types.ParseSPNString(spn)
	best, rank := serviceKey{}, 0
	for _, e := range kt.Entries {
		if e.Principal.Realm != realm || !want.Equal(types.PrincipalName{NameType: want.NameType, NameString: e.Principal.Components}) {
			continue
		}
		for i, s := range keySizes {
			if e.Key.KeyType != s.etype || len(e.Key.KeyValue) != s.size {
				continue
			}
			if v := int(e.KVNO); rank == 0 || v > best.kvno || v == best.kvno && i < rank-1 {
				best, rank = serviceKey{e.Key, v}, i+1
			}
		}
	}
	if rank == 0 {
		return best, fmt.Errorf("no AES key for %s@%s", spn, realm)
	}
	return best, nil
}

// keySource is a keytab file that is reread when it changes: versions rotate
// under a running smbproxy. A bad file keeps the last good key.
type keySource struct {
	path, spn, realm string

	mu    sync.Mutex // guards what follows
	stamp fileStamp
	key   serviceKey
	err   error // what the file of that stamp was refused for
}

// fileStamp tells versions of a file apart.
type fileStamp struct {
	size int64
	time time.Time
	mode os.FileMode
}

// get returns the key, and warn if the file as it is now was refused and an
// older key serves on; warn is given once per version of the file.
func (s *keySource) get() (k serviceKey, warn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var now fileStamp
	if info, err := os.Stat(s.path); err == nil {
		now = fileStamp{info.Size(), info.ModTime(), info.Mode()}
	}
	if now != s.stamp || s.key.kvno == 0 && s.err == nil {
		s.stamp = now
		var kt *keytab.Keytab
		if kt, s.err = readKeytab(s.path); s.err == nil {
			if k, err := newestKey(kt, s.spn, s.realm); err != nil {
				s.err = fmt.Errorf("keytab %s: %w", s.path, err)
			} else {
				s.key = k
			}
		}
		warn = s.err
	}
	if len(s.key.key.KeyValue) == 0 {
		return serviceKey{}, nil, s.err
	}
	return s.key, warn, nil
}
