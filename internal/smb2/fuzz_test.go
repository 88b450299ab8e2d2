package smb2

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
)

// fuzz decodes any bytes as a message of one type. What decodes must encode, and that encoding must decode to what
// encodes to the same bytes: one round finds the form of our encoder, which is then stable.
func fuzz(f *testing.F, m Message) {
	typ := reflect.TypeOf(m)
	for _, s := range samples() {
		if reflect.TypeOf(s.message) == typ {
			f.Add(s.encode())
		}
	}
	for _, msg := range captured(f, typ) {
		f.Add(msg)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		input := bytes.Clone(msg)
		m := reflect.New(typ.Elem()).Interface().(Message)
		err := m.Decode(msg)
		if !bytes.Equal(msg, input) {
			t.Fatal("Decode changed the message")
		}
		if err != nil {
			return
		}
		first := m.Append(make([]byte, HeaderSize))
		again := reflect.New(typ.Elem()).Interface().(Message)
		if err := again.Decode(first); err != nil {
			t.Fatalf("our own encoding: %v\n%x", err, first)
		}
		if second := again.Append(make([]byte, HeaderSize)); !bytes.Equal(first, second) {
			t.Fatalf("got %x, want %x", second, first)
		}
	})
}

// captured are the messages of one type in the captures, plain ones: one of each length, since most of the others differ
// in ids only.
func captured(f *testing.F, typ reflect.Type) (list [][]byte) {
	seen := map[int]bool{}
	for _, s := range sources(f) {
		for _, fr := range s.frames {
			if string(fr.data[:4]) != ProtocolSMB2 {
				continue
			}
			msgs, err := messages(fr.data)
			if err != nil {
				continue // TestCaptures reports it
			}
			for _, msg := range msgs {
				var h Header
				if h.Decode(msg) == nil && !seen[len(msg)] && reflect.TypeOf(bodyOf(&h, msg)) == typ {
					seen[len(msg)] = true
					list = append(list, msg)
				}
			}
		}
	}
	return list
}

// FuzzStructures is fuzz for all that travels inside messages; which says which.
func FuzzStructures(f *testing.F) {
	all := structures()
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		f.Add(uint8(i), all[name].Append(nil))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		name := names[int(which)%len(names)]
		s := freshStructure(all[name])
		if s.Decode(b) != nil {
			return
		}
		first := s.Append(nil)
		if name == "DfsReferralResp" && len(first) > 0xFFFF {
			return // strings that entries shared are written each of its own, and have no room
		}
		again := freshStructure(all[name])
		if err := again.Decode(first); err != nil {
			t.Fatalf("%s: our own encoding: %v\n%x", name, err, first)
		}
		if second := again.Append(nil); !bytes.Equal(first, second) {
			t.Fatalf("%s: got %x, want %x", name, second, first)
		}
	})
}

// FuzzUTF16 checks that all sequences of units survive, and that all strings become valid sequences.
func FuzzUTF16(f *testing.F) {
	f.Add([]byte("a\x00\xe9\x00\x3d\xd8\x00\xde\x00\xd8"), "Grüße \U0001F600 \xed\xa0\x80 \xff")
	f.Fuzz(func(t *testing.T, b []byte, s string) {
		text, err := DecodeUTF16(b)
		if (err != nil) != (len(b)%2 != 0) {
			t.Fatalf("%d bytes: %v", len(b), err)
		}
		if err == nil {
			if got := AppendUTF16(nil, text); !bytes.Equal(got, b) || UTF16Len(text) != len(b) {
				t.Fatalf("got %x (length %d), want %x", got, UTF16Len(text), b)
			}
		}
		units := AppendUTF16(nil, s)
		if len(units) != UTF16Len(s) {
			t.Fatalf("%q: UTF16Len %d, want %d", s, UTF16Len(s), len(units))
		}
		if again, err := DecodeUTF16(units); err != nil || !bytes.Equal(AppendUTF16(nil, again), units) {
			t.Fatalf("%q: got %q %v", s, again, err)
		}
	})
}
