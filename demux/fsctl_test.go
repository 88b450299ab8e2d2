package demux

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// copychunkInput asks for one chunk of n bytes from and to offset 0.
func copychunkInput(key []byte, n uint32) []byte {
	b := append(bytes.Clone(key[:resumeKeySize]), 1, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, make([]byte, 16)...)
	b = binary.LittleEndian.AppendUint32(b, n)
	return append(b, 0, 0, 0, 0)
}

// TestCopychunk copies within one share, between shares of a backend, between lanes and between
// backends.
func TestCopychunk(t *testing.T) {
	r := newRig(t, rigOptions{backends: 2})
	data := bytes.Repeat([]byte("copy me "), 1000)
	c := r.connect(t, "user1", "share")
	source := c.file("source", data)
	st, out := c.ioctl(source, smb2.FsctlSrvRequestResumeKey, nil)
	if st != ntstatus.Success || len(out) < resumeKeySize {
		t.Fatalf("resume key: %v, % x", st, out)
	}
	key := bytes.Clone(out[:resumeKeySize])
	for i, share := range []string{"share", "other", "second"} {
		if st := c.treeConnect(share); st != ntstatus.Success {
			t.Fatal(st)
		}
		target := c.file(fmt.Sprintf("target%d", i), nil)
		st, out := c.ioctl(target, smb2.FsctlSrvCopychunkWrite, copychunkInput(key, uint32(len(data))))
		if st != ntstatus.Success || len(out) < 12 || binary.LittleEndian.Uint32(out[8:]) != uint32(len(data)) {
			t.Errorf("copy to %s: %v, % x", share, st, out)
			continue
		}
		if got := c.read(target, uint32(len(data))+1); !bytes.Equal(got, data) {
			t.Errorf("copy to %s: %d bytes, not the source's %d", share, len(got), len(data))
		}
	}
}

// TestCopychunkRefused tries keys that name nothing of the client, and a copy beyond the limits, whose
// answer says what they are.
func TestCopychunkRefused(t *testing.T) {
	r := newRig(t, rigOptions{})
	c, other := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
	source, target := c.file("source", []byte("data")), c.file("target", nil)
	_, out := c.ioctl(source, smb2.FsctlSrvRequestResumeKey, nil)
	if len(out) < resumeKeySize {
		t.Fatal("no resume key")
	}
	key := bytes.Clone(out[:resumeKeySize])
	_, out = other.ioctl(other.file("theirs", nil), smb2.FsctlSrvRequestResumeKey, nil)
	theirs := bytes.Clone(out[:resumeKeySize])
	for name, k := range map[string][]byte{"zeros": make([]byte, resumeKeySize), "another session's": theirs} {
		if st, _ := c.ioctl(target, smb2.FsctlSrvCopychunkWrite, copychunkInput(k, 4)); st != ntstatus.ObjectNameNotFound {
			t.Errorf("key %s: %v", name, st)
		}
	}
	if st, _ := c.ioctl(target, smb2.FsctlSrvCopychunkWrite, key); st != ntstatus.InvalidParameter {
		t.Errorf("key only: %v", st)
	}
	st, out := c.ioctl(target, smb2.FsctlSrvCopychunkWrite, copychunkInput(key, 64<<20))
	if st != ntstatus.InvalidParameter || len(out) != 12 || binary.LittleEndian.Uint32(out) == 0 {
		t.Errorf("64 MiB in a chunk: %v, limits % x", st, out)
	}
	st, out = c.ioctl(target, smb2.FsctlSrvCopychunkWrite, copychunkInput(key, 5))
	if st != ntstatus.Status(0xC000001F) || len(out) != 12 {
		t.Errorf("beyond the source's end: %v, % x; want the response beside the status", st, out)
	}
	c.close(source)
	if st, _ := c.ioctl(target, smb2.FsctlSrvCopychunkWrite, copychunkInput(key, 4)); st != ntstatus.ObjectNameNotFound {
		t.Errorf("key of a closed file: %v", st)
	}
}

// TestFsctls goes through the table's edges. The statuses are Samba 4.17's.
func TestFsctls(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.connect(t, "user1", "share")
	id := c.file("f", []byte("data"))
	none, wrong := smb2.RelatedFileID, smb2.FileID{Persistent: 1, Volatile: 1}
	for _, x := range []struct {
		name string
		id   smb2.FileID
		code smb2.FsctlCode
		in   []byte
		want ntstatus.Status
	}{
		{"sparse", id, smb2.FsctlSetSparse, nil, ntstatus.Success},
		{"sparse, no file", none, smb2.FsctlSetSparse, nil, ntstatus.FileClosed},
		{"allocated ranges", id, smb2.FsctlQueryAllocatedRanges, make([]byte, 16), ntstatus.Success},
		{"object id", id, smb2.FsctlCreateOrGetObjectID, nil, ntstatus.Success},
		{"trim", id, smb2.FsctlFileLevelTrim, nil, ntstatus.InvalidDeviceRequest},
		{"resiliency", id, smb2.FsctlLmrRequestResiliency, make([]byte, 4), ntstatus.InvalidParameter},
		{"unknown", id, 0x12345678, nil, ntstatus.InvalidDeviceRequest},
		{"unknown, no file", none, 0x12345678, nil, ntstatus.FileClosed},
		{"pipe wait", none, smb2.FsctlPipeWait, nil, ntstatus.InvalidDeviceRequest},
		{"pipe wait, file", id, smb2.FsctlPipeWait, nil, ntstatus.InvalidParameter},
		{"referrals", none, smb2.FsctlDfsGetReferrals, []byte{4, 0, '\\', 0, 'x', 0, 0, 0}, ntstatus.NotFound},
		{"referrals, no path", none, smb2.FsctlDfsGetReferrals, nil, ntstatus.InvalidParameter},
		{"referrals, file", id, smb2.FsctlDfsGetReferrals, []byte{4, 0, '\\', 0, 0, 0}, ntstatus.InvalidParameter},
		{"interfaces", none, smb2.FsctlQueryNetworkInterfaceInfo, nil, ntstatus.Success},
		{"interfaces, wrong file", wrong, smb2.FsctlQueryNetworkInterfaceInfo, nil, ntstatus.InvalidParameter},
	} {
		if st, _ := c.ioctl(x.id, x.code, x.in); st != x.want {
			t.Errorf("%s: %v, want %v", x.name, st, x.want)
		}
	}
	if st, _ := c.call(smb2.CommandIoctl, &smb2.IoctlRequest{CtlCode: smb2.FsctlSetSparse, FileID: id}); st != ntstatus.NotSupported {
		t.Errorf("no FSCTL flag: %v", st)
	}
}

// TestDuplicateExtents: smbd on ext4 cannot, and says so for a source that it knows; a source that
// is not the client's is not found.
func TestDuplicateExtents(t *testing.T) {
	r := newRig(t, rigOptions{})
	c, other := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
	source, target := c.file("source", []byte("data")), c.file("target", []byte("data"))
	theirs := other.file("theirs", []byte("data"))
	try := func(id smb2.FileID) ntstatus.Status {
		in := make([]byte, duplicateExtentsSize)
		smb2.SetRawFileID(in, 0, id)
		in[32] = 4
		st, _ := c.ioctl(target, smb2.FsctlDuplicateExtentsToFile, in)
		return st
	}
	own, foreign := try(source), try(theirs)
	if own != ntstatus.InvalidDeviceRequest && own != ntstatus.NotSupported && own != ntstatus.Success {
		t.Errorf("own source: %v", own)
	}
	if foreign == ntstatus.Success {
		t.Errorf("another session's source: %v", foreign)
	}
	t.Logf("own source %v, another session's %v", own, foreign)
}

// TestValidateNegotiate asks as an honest client does, and as one whose NEGOTIATE was changed on the way.
func TestValidateNegotiate(t *testing.T) {
	r := newRig(t, rigOptions{})
	dialects := []smb2.Dialect{smb2.Dialect210, smb2.Dialect300, smb2.Dialect302}
	for name, edit := range map[string]func(*smb2.ValidateNegotiateInfoRequest){
		"honest":        nil,
		"dialects":      func(v *smb2.ValidateNegotiateInfoRequest) { v.Dialects = append(v.Dialects, smb2.Dialect311) },
		"capabilities":  func(v *smb2.ValidateNegotiateInfoRequest) { v.Capabilities ^= smb2.GlobalCapEncryption },
		"security mode": func(v *smb2.ValidateNegotiateInfoRequest) { v.SecurityMode ^= smb2.NegotiateSigningRequired },
		"GUID":          func(v *smb2.ValidateNegotiateInfoRequest) { v.GUID[0]++ },
	} {
		opt := rawsmb.Options{Dialects: dialects, ClientGUID: smb2.GUID{9}, Capabilities: smb2.GlobalCapEncryption, SecurityMode: smb2.NegotiateSigningEnabled}
		c := r.login(t, "user1", opt)
		if st := c.treeConnect("IPC$"); st != ntstatus.Success {
			t.Fatal(st)
		}
		v := smb2.ValidateNegotiateInfoRequest{Capabilities: opt.Capabilities, GUID: opt.ClientGUID, SecurityMode: opt.SecurityMode, Dialects: slices.Clone(dialects)}
		if edit != nil {
			edit(&v)
		}
		p := c.start(smb2.CommandIoctl, &smb2.IoctlRequest{
			CtlCode: smb2.FsctlValidateNegotiateInfo, FileID: smb2.RelatedFileID, Input: v.Append(nil), MaxOutputResponse: 24, Flags: smb2.IoctlIsFsctl,
		})
		m, err := p.Final(t.Context())
		if edit != nil {
			if err == nil {
				t.Errorf("%s changed: answered %v, want the connection's end", name, m.Header.Status)
			}
			continue
		}
		var reply smb2.IoctlResponse
		var out smb2.ValidateNegotiateInfoResponse
		if err != nil || reply.Decode(m.Bytes) != nil || out.Decode(reply.Output) != nil {
			t.Fatalf("%s: %v, %v", name, m.Header.Status, err)
		}
		if n := c.Conn.Resp; out.Dialect != smb2.Dialect302 || out.GUID != n.ServerGUID || out.Capabilities != n.Capabilities || out.SecurityMode != n.SecurityMode {
			t.Errorf("%s: %+v is not what NEGOTIATE answered", name, out)
		}
	}
}

// TestNetworkInterfaces asks a server with multichannel for its addresses.
func TestNetworkInterfaces(t *testing.T) {
	want := []Interface{{Index: 1, Addr: netip.MustParseAddr("192.0.2.1"), LinkSpeed: 1e10, RSS: true}, {Index: 2, Addr: netip.MustParseAddr("2001:db8::1"), LinkSpeed: 1e9}}
	r := newRig(t, rigOptions{demux: func(c *Config) { c.Interfaces = want }})
	c := r.connect(t, "user1", "IPC$")
	st, out := c.ioctl(smb2.RelatedFileID, smb2.FsctlQueryNetworkInterfaceInfo, nil)
	got, err := smb2.DecodeNetworkInterfaces(out)
	if st != ntstatus.Success || err != nil || len(got) != len(want) {
		t.Fatalf("%v, %v, %v", st, got, err)
	}
	for i, w := range want {
		if g := got[i]; g.IfIndex != w.Index || g.Address != w.Addr || g.LinkSpeed != w.LinkSpeed || (g.Capability&smb2.NetworkInterfaceRSS != 0) != w.RSS {
			t.Errorf("interface %d: %+v, want %+v", i, g, w)
		}
	}
}
