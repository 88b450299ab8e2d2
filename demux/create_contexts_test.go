package demux

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// TestRequestContexts holds what Samba 4.17 answers, with leases and durable handles off.
func TestRequestContexts(t *testing.T) {
	for _, c := range []struct {
		name, tag string
		size      int
		relayed   bool
		status    ntstatus.Status
	}{
		{"unknown", "ZZZZ", 3, false, ntstatus.Success},
		{"unknown GUID", "0123456789abcdef", 3, false, ntstatus.Success},
		{"EAs", "ExtA", 20, true, ntstatus.Success},
		{"security descriptor", "SecD", 20, true, ntstatus.Success},
		{"allocation size", "AlSi", 8, true, ntstatus.Success},
		{"allocation size, short", "AlSi", 2, false, ntstatus.InvalidParameter},
		{"snapshot", "TWrp", 8, true, ntstatus.Success},
		{"snapshot, short", "TWrp", 2, false, ntstatus.InvalidParameter},
		{"maximal access", "MxAc", 0, true, ntstatus.Success},
		{"maximal access with time", "MxAc", 8, true, ntstatus.Success},
		{"maximal access, odd", "MxAc", 3, false, ntstatus.InvalidParameter},
		{"disk id", "QFid", 0, true, ntstatus.Success},
		{"disk id, with data", "QFid", 3, false, ntstatus.InvalidParameter},
		{"lease", "RqLs", 32, false, ntstatus.Success},
		{"lease v2", "RqLs", 52, false, ntstatus.Success},
		{"lease, short", "RqLs", 10, false, ntstatus.Success},
		{"durable", "DHnQ", 16, false, ntstatus.Success},
		{"durable, short", "DHnQ", 8, false, ntstatus.InvalidParameter},
		{"durable v2", "DH2Q", 32, false, ntstatus.Success},
		{"durable v2, short", "DH2Q", 31, false, ntstatus.InvalidParameter},
		{"reconnect", "DHnC", 16, false, ntstatus.ObjectNameNotFound},
		{"reconnect, short", "DHnC", 8, false, ntstatus.InvalidParameter},
		{"reconnect v2", "DH2C", 36, false, ntstatus.ObjectNameNotFound},
		{"reconnect v2, short", "DH2C", 3, false, ntstatus.InvalidParameter},
		{"application instance", smb2.CreateAppInstanceID, 20, false, ntstatus.Success},
		{"Apple", "AAPL", 24, false, ntstatus.Success},
		{"shared disk", smb2.SvhdxOpenDeviceContext, 40, false, ntstatus.InvalidDeviceRequest},
	} {
		in := []smb2.CreateContext{{Name: []byte(c.tag), Data: make([]byte, c.size)}, {Name: []byte("QFid")}}
		out, err := requestContexts(in)
		if got := ntstatus.From(err); got != c.status {
			t.Errorf("%s: %v, want %v", c.name, got, c.status)
			continue
		}
		got := slices.ContainsFunc(out, func(x smb2.CreateContext) bool { return string(x.Name) == c.tag && len(x.Data) == c.size })
		if err == nil && (got != c.relayed || string(out[len(out)-1].Name) != "QFid") {
			t.Errorf("%s: relayed %v (%v), want %v", c.name, got, out, c.relayed)
		}
	}
}

func TestReplyContexts(t *testing.T) {
	mxac := func() smb2.CreateContext {
		return smb2.CreateContext{Name: []byte("MxAc"), Data: binary.LittleEndian.AppendUint32(make([]byte, 4), 0x1F01FF)}
	}
	m := smb2.CreateResponse{CreateContexts: []smb2.CreateContext{mxac(), {Name: []byte("RqLs"), Data: make([]byte, 32)}, {Name: []byte("QFid"), Data: make([]byte, 32)}}}
	if !replyContexts(&m, false) || len(m.CreateContexts) != 2 || string(m.CreateContexts[0].Name) != "MxAc" || string(m.CreateContexts[1].Name) != "QFid" {
		t.Errorf("a lease that nobody granted: left %v", m.CreateContexts)
	}
	if replyContexts(&m, false) {
		t.Error("nothing to drop, but the reply counts as changed")
	}
	m.CreateContexts = []smb2.CreateContext{mxac()}
	if replyContexts(&m, true) || !bytes.Equal(m.CreateContexts[0].Data[4:], []byte{0xA9, 0x00, 0x1F, 0x00}) {
		t.Errorf("MxAc on a read-only share is % x, want a9 00 1f 00", m.CreateContexts[0].Data[4:])
	}
}
