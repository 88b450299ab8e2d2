package smb2

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"smbproxy/internal/ntstatus"
)

// update rewrites the goldens.
var update = flag.Bool("update", false, "rewrite testdata")

// show prints a message for comparison: nil and empty slices look alike.
func show(v any) string { return fmt.Sprintf("%+v", v) }

// TestMessages decodes, encodes and decodes each sample, into fresh and into used memory.
func TestMessages(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			msg := s.encode()
			got := s.fresh()
			if err := got.Decode(msg); err != nil {
				t.Fatal(err)
			}
			if e, ok := got.(*ErrorResponse); ok && len(e.ErrorContexts) != 0 {
				e.ErrorData = nil // what the contexts were decoded from
			}
			if show(got) != show(s.message) {
				t.Errorf("got  %s\nwant %s", show(got), show(s.message))
			}
			if again := got.Append(msg[:HeaderSize:HeaderSize]); !bytes.Equal(again, msg) {
				t.Errorf("encoded again:\ngot  %x\nwant %x", again, msg)
			}
			before := show(got)
			if err := got.Decode(msg); err != nil {
				t.Fatal(err)
			}
			if e, ok := got.(*ErrorResponse); ok && len(e.ErrorContexts) != 0 {
				e.ErrorData = nil
			}
			if show(got) != before {
				t.Errorf("decoded into a used struct: got %s, want %s", show(got), before)
			}
		})
	}
}

// TestAppendAtAnyPosition encodes behind other bytes: offsets must not move.
func TestAppendAtAnyPosition(t *testing.T) {
	for _, s := range samples() {
		want := s.message.Append(nil)
		for _, n := range []int{1, 4, 64, 68, 100} {
			if got := s.message.Append(make([]byte, n))[n:]; !bytes.Equal(got, want) {
				t.Errorf("%s behind %d bytes: got %x, want %x", s.name, n, got, want)
			}
		}
	}
}

// TestGoldens holds the encodings: they change only on purpose.
func TestGoldens(t *testing.T) {
	for _, s := range samples() {
		path := filepath.Join("testdata", "messages", s.name+".hex")
		got := hex.Dump(s.encode())
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%swant\n%s", s.name, got, want)
		}
	}
}

// TestTruncations decodes each prefix of each sample: those without the whole fixed part are errors, none panics, and
// errors name a field and map to InvalidParameter.
func TestTruncations(t *testing.T) {
	for _, s := range samples() {
		msg := s.encode()
		size := int(le.Uint16(msg[HeaderSize:]) &^ 1)
		for n := range len(msg) {
			m := s.fresh()
			err := m.Decode(msg[:n:n])
			if err == nil {
				if n < HeaderSize+size {
					t.Errorf("%s: %d of %d bytes decoded", s.name, n, len(msg))
				}
				m.Append(nil)
				continue
			}
			var de *DecodeError
			if !errors.As(err, &de) || de.Field == "" || de.Reason == "" {
				t.Errorf("%s: got error %#v", s.name, err)
			}
			if ntstatus.From(fmt.Errorf("x: %w", err)) != ntstatus.InvalidParameter {
				t.Errorf("%s: got status %v", s.name, ntstatus.From(err))
			}
		}
	}
}

// TestWrongStructureSize decodes each sample with each other StructureSize.
func TestWrongStructureSize(t *testing.T) {
	for _, s := range samples() {
		msg := s.encode()
		right := le.Uint16(msg[HeaderSize:])
		for n := range uint16(128) {
			le.PutUint16(msg[HeaderSize:], n)
			if err := s.fresh().Decode(msg); (err == nil) != (n == right) {
				t.Errorf("%s: StructureSize %d: got %v", s.name, n, err)
			}
		}
	}
}

// TestHostileFields puts large numbers at each place of each sample. Decoding must not panic, and must not take memory
// by what a field claims.
func TestHostileFields(t *testing.T) {
	const limit = 64 << 10 // bytes per decoding; samples are of some hundred
	for _, s := range samples() {
		msg := s.encode()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		count := 0
		for at := HeaderSize + 2; at < len(msg); at++ {
			for _, v := range []string{"\xff", "\xff\xff", "\xff\xff\xff\xff", "\xff\xff\xff\x7f", "\x00\x00\x00\x80", "\x00\x00\x00\x00", "\x01\x00", "\x08\x00\x00\x00", "\xf8\xff\xff\xff", "\x78\x00\x00\x00"} {
				bad := append([]byte(nil), msg...)
				copy(bad[at:], v)
				m := s.fresh()
				if err := m.Decode(bad); err == nil {
					m.Append(nil)
				}
				count++
			}
		}
		runtime.ReadMemStats(&after)
		if count != 0 && (after.TotalAlloc-before.TotalAlloc)/uint64(count) > limit {
			t.Errorf("%s: %d bytes of memory for one decoding", s.name, (after.TotalAlloc-before.TotalAlloc)/uint64(count))
		}
	}
}

// TestOffsets checks that buffers may stand anywhere behind the fixed part and nowhere else.
func TestOffsets(t *testing.T) {
	s := sample{command: CommandWrite, message: &WriteRequest{Data: []byte("hello")}}
	msg := append(s.encode(), "0123456789"...)
	for off, want := range map[int]string{112: "hello", 113: "ello0", 122: "56789", 123: "", 111: "", 0: "", 64: "", 0xFFFF: ""} {
		le.PutUint16(msg[HeaderSize+2:], uint16(off))
		var m WriteRequest
		err := m.Decode(msg)
		if want == "" {
			var de *DecodeError
			if !errors.As(err, &de) || de.Field != "Data" || de.Offset != off {
				t.Errorf("offset %d: got %v", off, err)
			}
		} else if err != nil || string(m.Data) != want {
			t.Errorf("offset %d: got %q %v, want %q", off, m.Data, err, want)
		}
	}
}

// TestSlicesHaveNoSpareCapacity appends to what a decoder returned: the message must not change.
func TestSlicesHaveNoSpareCapacity(t *testing.T) {
	s := sample{command: CommandWrite, message: &WriteRequest{Data: []byte("hello"), WriteChannelInfo: []byte("info")}}
	msg := s.encode()
	want := bytes.Clone(msg)
	var m WriteRequest
	if err := m.Decode(msg); err != nil {
		t.Fatal(err)
	}
	_ = append(m.Data, "XXXX"...)
	if !bytes.Equal(msg, want) {
		t.Error("appending to Data changed the message")
	}
}

// TestNoAllocation holds that the hot commands decode and encode without memory.
func TestNoAllocation(t *testing.T) {
	hot := map[string]bool{
		"ReadRequest": true, "ReadResponse": true, "WriteRequest": true, "WriteResponse": true,
		"CloseRequest": true, "CloseResponse": true, "QueryInfoRequest": true, "QueryInfoResponse": true,
	}
	dst := make([]byte, 0, 1024)
	for _, s := range samples() {
		if !hot[s.name] {
			continue
		}
		delete(hot, s.name)
		msg, m := s.encode(), s.fresh()
		if n := testing.AllocsPerRun(100, func() {
			if err := m.Decode(msg); err != nil {
				t.Error(err)
			}
			dst = m.Append(dst[:0])
		}); n != 0 {
			t.Errorf("%s: %v allocations", s.name, n)
		}
	}
	if len(hot) != 0 {
		t.Errorf("no samples of %v", hot)
	}
	var h Header
	msg := make([]byte, HeaderSize)
	h.Put(msg)
	if n := testing.AllocsPerRun(100, func() {
		if err := h.Decode(msg); err != nil {
			t.Error(err)
		}
		h.Put(msg)
	}); n != 0 {
		t.Errorf("Header: %v allocations", n)
	}
}

// TestDecodeErrorText is what the log shows.
func TestDecodeErrorText(t *testing.T) {
	err := (&ReadRequest{}).Decode(make([]byte, 80))
	if got, want := err.Error(), "READ: Body at offset 80: message too short"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
