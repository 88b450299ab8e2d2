package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// wire is an SMB frame of n bytes as TCP carries it.
func wire(n int, fill byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(n))
	return append(append(b, "\xfeSMB"...), bytes.Repeat([]byte{fill}, n-4)...)
}

// TestWriter reads back what two connections said in turn, with frames cut and joined, and a frame larger than a packet.
func TestWriter(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	server, at := netip.MustParseAddrPort("192.0.2.1:445"), time.Unix(1e9, 0)
	a, err := w.Open(netip.MustParseAddrPort("192.0.2.2:1000"), server, at)
	if err != nil {
		t.Fatal(err)
	}
	b, err := w.Open(netip.MustParseAddrPort("192.0.2.2:1001"), server, at)
	if err != nil {
		t.Fatal(err)
	}
	one, two := wire(10, '1'), wire(100_000, '2')
	a.Send(true, one[:7], at)
	b.Send(true, two, at)
	a.Send(true, append(bytes.Clone(one[7:]), one...), at)
	b.Send(false, one, at)
	a.Close(at)
	a.Close(at)
	if err := w.Err(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	frames, err := Frames(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		src  uint16
		data []byte
	}{{1001, two[4:]}, {1000, one[4:]}, {1000, one[4:]}, {445, one[4:]}}
	if len(frames) != len(want) {
		t.Fatalf("got %d frames, want %d", len(frames), len(want))
	}
	for i, f := range frames {
		if f.Src.Port() != want[i].src || !bytes.Equal(f.Data, want[i].data) {
			t.Errorf("frame %d: got %d bytes from port %d, want %d from %d", i, len(f.Data), f.Src.Port(), len(want[i].data), want[i].src)
		}
	}
	streams, err := Streams(path)
	if err != nil || len(streams) != 3 {
		t.Errorf("got %d streams %v, want 3", len(streams), err)
	}
	checksums(t, out.Bytes())
	if _, err := w.Open(netip.MustParseAddrPort("[::1]:1"), server, at); err == nil {
		t.Error("IPv6 was taken")
	}
}

// checksums verifies those of all packets: summed with what they were made from they give zero.
func checksums(t *testing.T, file []byte) {
	t.Helper()
	n := 0
	err := packets(file, func(ip []byte) {
		n++
		pseudo := uint32(6 + len(ip) - 20)
		for i := 12; i < 20; i += 2 {
			pseudo += uint32(binary.BigEndian.Uint16(ip[i:]))
		}
		if got := checksum(0, ip[:20]); got != 0 {
			t.Errorf("packet %d: IP checksum leaves %#x", n, got)
		}
		if got := checksum(pseudo, ip[20:]); got != 0 {
			t.Errorf("packet %d: TCP checksum leaves %#x", n, got)
		}
	})
	if err != nil || n == 0 {
		t.Error(n, err)
	}
}

// TestFramesWantsOrder checks that a capture that lost or swapped packets, or begins in mid-frame, is refused.
func TestFramesWantsOrder(t *testing.T) {
	tests := map[string][][]byte{
		"gap":       {record(1, 10, "\x00\x00\x00\x06"), record(1, 15, "SMBab")},
		"swapped":   {record(1, 14, "\x00\x00\x00\x04\xfeSMB"), record(1, 6, "\x00\x00\x00\x04\xfeSMB")},
		"mid-frame": {record(1, 10, "xyz\x00\x00\x00\x04\xfeSMB")},
	}
	for name, records := range tests {
		if _, err := Frames(file(t, false, records...)); !errors.Is(err, ErrOrder) {
			t.Errorf("%s: got %v, want ErrOrder", name, err)
		}
	}
}
