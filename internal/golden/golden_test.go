package golden

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"smbproxy/internal/smb2"
)

// update writes the goldens, and the captures if they are made again: make golden.
var update = flag.Bool("update", false, "make the captures again, write goldens and README.md")

// load reads all captures.
func load(t testing.TB) []*Capture {
	t.Helper()
	paths, err := Captures()
	if err != nil || len(paths) == 0 {
		t.Fatal("no captures", err)
	}
	list := make([]*Capture, 0, len(paths))
	for _, path := range paths {
		c, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

// TestDump compares each capture's text with its golden.
func TestDump(t *testing.T) {
	for _, c := range load(t) {
		t.Run(c.Name, func(t *testing.T) {
			path := filepath.Join(Dir(), c.Name+".golden")
			got := c.Dump()
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := difference(got, string(want)); diff != "" {
				t.Errorf("not as %s:\n%s", path, diff)
			}
			if strings.Contains(got, "malformed:") {
				t.Error("a payload does not decode")
			}
		})
	}
}

// difference shows the first lines in which two texts differ, with what stands before; "" if they are equal.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := 0; i < len(g) || i < len(w); i++ {
		if i < len(g) && i < len(w) && g[i] == w[i] {
			continue
		}
		cut := func(s []string) string { return strings.Join(s[min(i, len(s)):min(i+5, len(s))], "\n") }
		return "behind\n" + strings.Join(g[max(0, i-5):min(i, len(g))], "\n") + "\ngot\n" + cut(g) + "\nwant\n" + cut(w)
	}
	return ""
}

// TestScenarios checks that each scenario has its capture, each capture its scenario, and no other file lies about.
func TestScenarios(t *testing.T) {
	want := map[string]bool{"README.md": true}
	for _, j := range jobs() {
		want[j.capture+".pcap"], want[j.capture+".golden"], want[j.capture+".keys"] = true, true, true
	}
	entries, err := os.ReadDir(Dir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !want[e.Name()] {
			t.Errorf("%s belongs to no scenario", e.Name())
		}
		delete(want, e.Name())
		if st, err := e.Info(); err != nil || st.Size() > 64<<10 {
			t.Errorf("%s has %d bytes %v, want a small file", e.Name(), st.Size(), err)
		}
	}
	for name := range want {
		t.Errorf("%s is missing: make golden", name)
	}
}

// TestProtection checks that captures which are about protection have it: every message behind the logon is signed and
// verified, or sealed. [Load] fails on what is wrong; this is about what is not there.
func TestProtection(t *testing.T) {
	seen := map[bool]int{}
	for _, c := range load(t) {
		sealed, signed := strings.Contains(c.Name, "-sealed"), strings.Contains(c.Name, "-signed")
		if !sealed && !signed {
			continue
		}
		for _, m := range c.Messages {
			switch m.Header.Command {
			case smb2.CommandNegotiate, smb2.CommandSessionSetup:
			default:
				seen[m.Sealed]++
				if m.Sealed != sealed || m.Verified != signed {
					t.Errorf("%s: %v %d: sealed %t, verified %t", c.Name, m.Header.Command, m.Header.MessageID, m.Sealed, m.Verified)
				}
			}
		}
	}
	if seen[true] < 100 || seen[false] < 100 {
		t.Errorf("%d sealed and %d signed messages, want more", seen[true], seen[false])
	}
	// Without the right key nothing opens and nothing verifies.
	for _, name := range []string{"311-sealed", "311-signed", "202-signed"} {
		b, err := os.ReadFile(filepath.Join(Dir(), name+".pcap"))
		if err != nil {
			t.Fatal(err)
		}
		frames, err := readFrames(b)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := loadKeys(filepath.Join(Dir(), name+".keys"))
		if err != nil {
			t.Fatal(err)
		}
		for id := range keys {
			keys[id][0] ^= 1
		}
		if _, err := read(frames, keys); err == nil {
			t.Errorf("%s opens with a wrong key", name)
		}
	}
}

// TestEncodeAgain encodes each message again. Samba's have one encoding, but for what the protocol leaves to the sender:
// offsets of empty buffers, the byte of an empty buffer, reserved bytes, padding.
func TestEncodeAgain(t *testing.T) {
	equal, others := 0, map[string]int{}
	for _, c := range load(t) {
		for _, m := range c.Messages {
			if m.SMB1 != nil {
				if got := m.SMB1.Append(nil); !bytes.Equal(got, m.Bytes) {
					t.Errorf("%s: SMB1: got %x, want %x", c.Name, got, m.Bytes)
				}
				continue
			}
			got := m.Body.Append(m.Header.Append(nil))
			if rest := m.Bytes[min(len(got), len(m.Bytes)):]; bytes.Equal(got, m.Bytes[:len(m.Bytes)-len(rest)]) && len(rest) < 8 {
				equal++
				continue
			}
			others[reflect.TypeOf(m.Body).Elem().Name()]++
			again := reflect.New(reflect.TypeOf(m.Body).Elem()).Interface().(smb2.Message)
			if err := again.Decode(got); err != nil {
				t.Fatalf("%s: %T: %v\n%s", c.Name, again, err, hex.Dump(got))
			}
			first := Capture{Messages: []*Message{m}}
			copied := *m
			copied.Body = again
			second := Capture{Messages: []*Message{&copied}}
			if a, b := first.Dump(), second.Dump(); a != b {
				t.Errorf("%s: %v encoded again says otherwise:\n%s", c.Name, m.Header.Command, difference(b, a))
			}
		}
	}
	t.Logf("%d encoded to the same bytes, laid out otherwise: %v", equal, others)
	for name := range others {
		if !laidOutOtherwise[name] {
			t.Errorf("%s: %d are not encoded to the same bytes", name, others[name])
		}
	}
}

// laidOutOtherwise are the messages of which Samba lays some out otherwise than our encoder.
var laidOutOtherwise = map[string]bool{
	"QueryInfoRequest":     true, // offset of an empty buffer
	"IoctlRequest":         true, // likewise
	"CreateRequest":        true, // padding behind the last context, the byte of an empty name
	"ErrorResponse":        true, // padding in a compound counts the byte of an empty buffer
	"ChangeNotifyResponse": true, // no byte for an empty buffer
}

// TestSeeds checks that what clients said is there, frame by frame.
func TestSeeds(t *testing.T) {
	list, err := Seeds()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < len(jobs()) {
		t.Errorf("%d streams of %d captures", len(list), len(jobs()))
	}
	for i, s := range list {
		if n := len(s); n < 8 || s[0] != 0 || string(s[5:8]) != "SMB" {
			t.Errorf("stream %d begins with %x", i, s[:min(n, 8)])
		}
	}
}
