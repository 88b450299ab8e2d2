package golden

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"time"

	"smbproxy/internal/smb2"
)

// names numbers what is random, by kind, in the order in which it appears: "file3" is the third FileId.
type names struct {
	count map[string]int
	known map[string]string
}

func newNames() *names { return &names{map[string]int{}, map[string]string{}} }

// of is the name of a value.
func (n *names) of(kind string, value any) string {
	key := fmt.Sprintf("%s %v", kind, value)
	name, ok := n.known[key]
	if !ok {
		n.count[kind]++
		name = fmt.Sprintf("%s%d", kind, n.count[kind])
		n.known[key] = name
	}
	return name
}

// tree is the name of a TreeId, which each session has for itself.
func (n *names) tree(session uint64, id uint32) string {
	if id == 0xFFFFFFFF {
		return "tree-related"
	}
	return n.of("tree", [2]uint64{session, uint64(id)})
}

// labTime is before every lab and behind every time that a client of the lab sets.
var labTime = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// host is the server's name in the lab's captures: an address.
var host = regexp.MustCompile(`127\.\d+\.\d+\.\d+`)

// random is what smbtorture puts into names.
var random = regexp.MustCompile(`_[A-Za-z0-9+_#.,-]{8}(\.dat|\\|$)`)

// text is a string without what differs.
func text(s string) string {
	return random.ReplaceAllString(host.ReplaceAllString(s, "HOST"), "_RANDOM$1")
}

// filetime is a time: exact if somebody chose it, else only that it is there.
func filetime(f smb2.Filetime) string {
	switch {
	case f == smb2.FiletimeFreeze:
		return "freeze"
	case f == smb2.FiletimeThaw:
		return "thaw"
	case f.Time().Before(labTime):
		return f.Time().Format(time.RFC3339Nano)
	}
	return "now"
}

// fileID is the name of a FileId.
func (n *names) fileID(id smb2.FileID) string {
	switch id {
	case smb2.FileID{Persistent: 1<<64 - 1, Volatile: 1<<64 - 1}:
		return "related"
	case smb2.FileID{}:
		return "0"
	}
	return n.of("file", id.Volatile)
}

// special shows the values that a making decides by itself, and bytes; ok is false for all others. Fields are known by
// name: each name means one thing in all structures.
func (d *dumper) special(name string, value any) (shown string, ok bool) {
	switch v := value.(type) {
	case smb2.Filetime:
		return filetime(v), true
	case smb2.FileID:
		return d.names.fileID(v), true
	case smb2.GUID:
		return d.names.of("guid", v), true
	case *smb2.SID:
		return v.String(), true
	case smb2.SID:
		return v.String(), true
	case netip.Addr:
		return d.names.of("address", v), true
	case []byte:
		return d.bytes(name, v), true
	}
	switch name {
	case "IndexNumber", "DiskFileID", "FileId", "FileId128":
		return d.names.of("inode", value), true
	case "VolumeID", "VolumeSerialNumber":
		return d.names.of("volume", value), true
	case "ResumeKey", "SourceKey":
		return d.names.of("resumekey", value), true
	case "TotalAllocationUnits", "AvailableAllocationUnits", "CallerAvailableAllocationUnits", "ActualAvailableAllocationUnits":
		return "some", true
	case "PreviousSessionID":
		return d.names.of("session", value), true
	case "ExtendedInfo", "IfIndex", "LinkSpeed":
		return "something", true
	}
	return "", false
}

// bytes shows what a byte slice is.
func (d *dumper) bytes(name string, b []byte) string {
	switch name {
	case "SecurityBuffer":
		return token(b)
	case "Salt":
		return fmt.Sprintf("%d random bytes", len(b))
	case "Name": // of a create context
		for _, c := range b {
			if c < 0x20 || c > 0x7e {
				return hex.EncodeToString(b)
			}
		}
		return string(b)
	case "Data", "OutputBuffer", "Buffer", "Input", "InputBuffer", "Output", "ErrorData":
		if _, ok := d.msg.Body.(*smb2.QueryDirectoryResponse); ok && len(b) > 0 {
			return "a listing" // of which the last entry has no padding: the length depends on the order
		}
		if d.decodes(name, b) || d.random() {
			return fmt.Sprintf("%d bytes", len(b))
		}
	}
	sum := sha256.Sum256(b)
	return fmt.Sprintf("%d bytes, sha256 %x", len(b), sum[:6])
}

// token says what a GSS token is, without its length: that of a Kerberos ticket varies.
func token(b []byte) string {
	if at := bytes.Index(b, []byte("NTLMSSP\x00")); at >= 0 && len(b) > at+8 {
		return "NTLM " + [...]string{"?", "NEGOTIATE", "CHALLENGE", "AUTHENTICATE"}[b[at+8]&3]
	}
	krb5 := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02} // 1.2.840.113554.1.2.2
	at := bytes.LastIndex(b, krb5)
	switch {
	case at < 0:
		return "SPNEGO"
	case len(b) > at+11 && b[at+9] == 1 && b[at+10] == 0:
		return "Kerberos AP-REQ"
	case len(b) > at+11 && b[at+9] == 2 && b[at+10] == 0:
		return "Kerberos AP-REP"
	}
	return "SPNEGO with Kerberos"
}
