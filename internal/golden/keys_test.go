package golden

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"smbproxy/internal/lab"
	"smbproxy/internal/pcap"
	"smbproxy/internal/smb2"
)

// sessionKeys are the session keys of a capture, a line for each SessionId: as smbd noted them in its log, which it does
// for 3.x only, and as the user's password ("": unknown) gives them. Both must agree.
func sessionKeys(file []byte, log, password string) ([]byte, error) {
	keys, err := loggedKeys(log)
	if err != nil {
		return nil, err
	}
	if password != "" {
		computed, err := ntlmKeys(file, password)
		if err != nil {
			return nil, err
		}
		for id, key := range computed {
			if noted, ok := keys[id]; ok && noted != key {
				return nil, fmt.Errorf("session %s: smbd noted the key %s, the password gives %s", id, noted, key)
			}
			keys[id] = key
		}
	}
	var out bytes.Buffer
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		fmt.Fprintf(&out, "%s %s\n", id, keys[id])
	}
	return out.Bytes(), nil
}

// loggedKeys reads SessionIds (as numbers, in hex) and session keys from smbd's log, where "debug encryption = yes" has
// put lines such as
//
//	Session Id    [0000] B8 EF 95 C4 00 00 00 00                             ........
//	Session Key   [0000] 78 1A 9A AB 4F 83 A6 EB   E3 CB B5 DF 58 06 25 5C   x...O... ....X.%\
//
// and, for longer keys, a line that begins with [0010].
func loggedKeys(log string) (map[string]string, error) {
	keys := map[string]string{}
	var id, key []byte
	for line := range strings.Lines(log) {
		what, dump, ok := strings.Cut(line, "] ")
		if !ok {
			key = nil
			continue
		}
		what = strings.Join(strings.Fields(what), " ")
		var b []byte
		for _, f := range strings.Fields(dump) {
			x, err := hex.DecodeString(f)
			if len(b) == 16 || err != nil || len(x) != 1 {
				break
			}
			b = append(b, x[0])
		}
		switch {
		case what == "Session Id [0000" && len(b) >= 8:
			id = b[:8]
			continue
		case what == "Session Key [0000":
			key = b
		case what == "[0010" && len(key) == 16:
			key = append(key, b...)
		default:
			key = nil
			continue
		}
		if len(key)%16 != 0 || len(key) == 0 || id == nil {
			return nil, fmt.Errorf("smbd logged %q", line)
		}
		keys[fmt.Sprintf("%016x", binary.LittleEndian.Uint64(id))] = hex.EncodeToString(key)
	}
	return keys, nil
}

// ntlmKeys computes the session keys of all NTLMv2 logons of a capture, [MS-NLMP] 3.3.2 and 3.4.5.
func ntlmKeys(file []byte, password string) (map[string]string, error) {
	frames, err := readFrames(file)
	if err != nil {
		return nil, err
	}
	hash, err := hex.DecodeString(lab.NTHash(password))
	if err != nil {
		return nil, err
	}
	keys := map[string]string{}
	for _, f := range frames {
		var h smb2.Header
		at := bytes.Index(f.Data, []byte("NTLMSSP\x00\x03\x00\x00\x00"))
		if h.Decode(f.Data) != nil || h.Command != smb2.CommandSessionSetup || at < 0 || len(f.Data) < at+64 {
			continue
		}
		m := f.Data[at:]
		field := func(off int) []byte {
			n, from := int(binary.LittleEndian.Uint16(m[off:])), int(binary.LittleEndian.Uint32(m[off+4:]))
			if from+n > len(m) {
				return nil
			}
			return m[from : from+n]
		}
		response, domain, encrypted := field(20), field(28), field(52)
		user, err := smb2.DecodeUTF16(field(36))
		if err != nil || len(response) < 16 || user == "" {
			continue // anonymous
		}
		owf := sum(hash, smb2.AppendUTF16(nil, strings.ToUpper(user)), domain)
		key := sum(owf, response[:16])
		if len(encrypted) == 16 {
			c, err := rc4.NewCipher(key)
			if err != nil {
				return nil, err
			}
			c.XORKeyStream(key, encrypted)
		}
		if id := fmt.Sprintf("%016x", h.SessionID); keys[id] == "" { // a reauthentication's key is not used
			keys[id] = hex.EncodeToString(key)
		}
	}
	return keys, nil
}

// sum is HMAC-MD5.
func sum(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// readFrames is pcap.Frames of a capture that is not a file yet.
func readFrames(file []byte) ([]pcap.Frame, error) {
	f, err := os.CreateTemp("", "smbproxy-golden-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if _, err := f.Write(file); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return pcap.Frames(f.Name())
}
