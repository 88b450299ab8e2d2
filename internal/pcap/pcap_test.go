package pcap

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// record is one Ethernet packet of a TCP segment from 10.0.0.1:445 to 10.0.0.2:port, in a pcap record.
func record(port uint16, seq uint32, data string) []byte {
	tcp := make([]byte, 20, 20+len(data))
	binary.BigEndian.PutUint16(tcp, 445)
	binary.BigEndian.PutUint16(tcp[2:], port)
	binary.BigEndian.PutUint32(tcp[4:], seq)
	tcp[12] = 5 << 4
	tcp = append(tcp, data...)
	ip := make([]byte, 20)
	ip[0], ip[9] = 0x45, 6
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(tcp)))
	copy(ip[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	p := append(make([]byte, 14), append(ip, tcp...)...)
	p[12] = 8
	p = append(p, 0, 0, 0) // Ethernet padding
	head := make([]byte, 16)
	binary.LittleEndian.PutUint32(head[8:], uint32(len(p)))
	binary.LittleEndian.PutUint32(head[12:], uint32(len(p)))
	return append(head, p...)
}

// file writes a capture of the records.
func file(t *testing.T, zip bool, records ...[]byte) string {
	t.Helper()
	b := make([]byte, 24)
	binary.LittleEndian.PutUint32(b, 0xa1b2c3d4)
	b[20] = linkEthernet
	b = append(b, bytes.Join(records, nil)...)
	if zip {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		b = z.Bytes()
	}
	path := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// text joins the chunks of a stream with "|".
func text(s Stream) string { return string(bytes.Join(s.Chunks, []byte("|"))) }

// TestStreams checks order, repetition, overlap, wrap of sequence numbers, gaps.
func TestStreams(t *testing.T) {
	tests := map[string]struct {
		records [][]byte
		want    string
	}{
		"in order":     {[][]byte{record(1, 10, "ab"), record(1, 12, "cd")}, "abcd"},
		"swapped":      {[][]byte{record(1, 10, "ab"), record(1, 14, "ef"), record(1, 12, "cd")}, "abcdef"},
		"first late":   {[][]byte{record(1, 12, "cd"), record(1, 10, "ab")}, "abcd"},
		"repeated":     {[][]byte{record(1, 10, "ab"), record(1, 10, "ab"), record(1, 12, "cd")}, "abcd"},
		"overlapping":  {[][]byte{record(1, 10, "abc"), record(1, 12, "cde"), record(1, 11, "b")}, "abcde"},
		"wrapping":     {[][]byte{record(1, 0xFFFFFFFF, "ab"), record(1, 1, "cd")}, "abcd"},
		"gap":          {[][]byte{record(1, 10, "ab"), record(1, 13, "cd"), record(1, 15, "ef")}, "ab|cdef"},
		"empty bypass": {[][]byte{record(1, 9, ""), record(1, 10, "ab"), record(1, 12, "")}, "ab"},
	}
	for name, tt := range tests {
		for _, zip := range []bool{false, true} {
			got, err := Streams(file(t, zip, tt.records...))
			if err != nil || len(got) != 1 || text(got[0]) != tt.want {
				t.Errorf("%s: got %v %v, want %q", name, got, err, tt.want)
			}
		}
	}
	got, err := Streams(file(t, false, record(1, 10, "ab"), record(2, 10, "xy"), record(1, 12, "cd")))
	if err != nil || len(got) != 2 || text(got[0]) != "abcd" || text(got[1]) != "xy" || got[1].Dst.String() != "10.0.0.2:2" {
		t.Errorf("two connections: got %v %v", got, err)
	}
}

// TestStreamsRefusesOtherFiles checks the error, and that a cut file is one.
func TestStreamsRefusesOtherFiles(t *testing.T) {
	path := file(t, false, record(1, 10, "abcdef"))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 10, 30, len(b) - 1} {
		if err := os.WriteFile(path, b[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Streams(path); !errors.Is(err, ErrFormat) {
			t.Errorf("%d bytes: got %v, want ErrFormat", n, err)
		}
	}
}

// TestFrames checks the length prefix, keep-alives, and a start in mid-frame.
func TestFrames(t *testing.T) {
	frame := "\x00\x00\x00\x06\xfeSMBab"
	tests := map[string]struct {
		chunks []string
		want   string
		lost   int
	}{
		"two":        {[]string{frame + frame}, "\xfeSMBab \xfeSMBab", 0},
		"keep-alive": {[]string{frame + "\x85\x00\x00\x00" + frame}, "\xfeSMBab \xfeSMBab", 0},
		"mid-frame":  {[]string{frame, "xyz" + frame}, "\xfeSMBab \xfeSMBab", 3},
		"cut":        {[]string{frame + frame[:7]}, "\xfeSMBab", 7},
		"garbage":    {[]string{"0123456789"}, "", 10},
	}
	for name, tt := range tests {
		var s Stream
		for _, c := range tt.chunks {
			s.Chunks = append(s.Chunks, []byte(c))
		}
		frames, lost := s.Frames()
		var got []string
		for _, f := range frames {
			got = append(got, string(f))
		}
		if strings.Join(got, " ") != tt.want || lost != tt.lost {
			t.Errorf("%s: got %q lost %d, want %q lost %d", name, got, lost, tt.want, tt.lost)
		}
	}
}
