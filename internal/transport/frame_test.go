package transport

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"smbproxy/crypto"
)

// TestSetBytes rewrites frames in the ways the contract names.
func TestSetBytes(t *testing.T) {
	tests := []struct {
		name  string
		frame func() *Frame
	}{
		{"new", func() *Frame { return frameOf(message(100, 1)) }},
		{"new without capacity", func() *Frame {
			f := NewFrame(0)
			f.SetBytes(append(f.Bytes(), message(100, 1)...))
			return f
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.frame()
			defer f.Release()
			rewrite(t, f)
		})
	}

	t.Run("borrowed", func(t *testing.T) {
		next := message(90, 2)
		c, s := scripted(t, Options{}, stream(message(100, 1), next))
		n := 0
		_ = c.Serve(context.Background(), func(f *Frame) error {
			if n++; n == 1 {
				rewrite(t, f)
				return c.Send(f, newSealer(t, crypto.CipherAES128CCM), 1)
			}
			if !bytes.Equal(f.Bytes(), next) {
				t.Error("growing and sealing a frame has changed the one behind it")
			}
			return c.Send(f, nil, 0)
		})
		if n != 2 || len(s.writes) != 1 {
			t.Errorf("got %d frames and %d writes, want 2 and 1", n, len(s.writes))
		}
	})
}

// rewrite cuts, shortens and grows a frame that holds message(100, 1).
func rewrite(t *testing.T, f *Frame) {
	t.Helper()
	want := message(100, 1)
	check := func(what string) {
		t.Helper()
		if !bytes.Equal(f.Bytes(), want) || f.Len() != len(want) {
			t.Fatalf("%s: got %x, want %x", what, f.Bytes(), want)
		}
		if f.off < HeadRoom || len(f.buf.data) < f.end+TailRoom {
			t.Fatalf("%s: no head or tail room left", what)
		}
	}
	check("at first")
	want = want[:90]
	f.SetBytes(f.Bytes()[:90])
	check("shortened")
	want = append(want, "0123456789"...)
	f.SetBytes(append(f.Bytes(), "0123456789"...))
	check("appended in place")
	want = want[16:]
	f.SetBytes(f.Bytes()[16:])
	check("cut at the front")
	want = append(want, message(3000, 3)...)
	f.SetBytes(append(f.Bytes(), message(3000, 3)...))
	check("grown")
	buf := f.buf
	want = append(want, message(100_000, 4)...)
	f.SetBytes(append(f.Bytes(), message(100_000, 4)...))
	check("grown again")
	if n := buf.refs.Load(); n != 0 {
		t.Errorf("the buffer before has %d references left", n)
	}
	want = nil
	f.SetBytes(f.Bytes()[:0])
	check("emptied")
	want = message(100, 5)
	f.SetBytes(append(f.Bytes(), want...))
	check("filled")
}

// TestDetach keeps frames beyond the callback: a large one by reference, one
// that others follow by copying, and both survive what comes after.
func TestDetach(t *testing.T) {
	messages := [][]byte{message(100, 1), message(200, 2), message(500_000, 3), message(40_000, 4), message(100, 5)}
	tests := []struct {
		name      string
		chunks    [][]byte
		reference []bool
	}{
		{"each alone", [][]byte{stream(messages[0]), stream(messages[1]), stream(messages[2]), stream(messages[3]), stream(messages[4])},
			[]bool{false, false, true, true, false}},
		{"in one piece", [][]byte{stream(messages...)}, []bool{false, false, true, false, false}},
	}
	for _, tt := range tests {
		for _, busy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, busy %v", tt.name, busy), func(t *testing.T) {
				c, s := scripted(t, Options{}, slices.Clone(tt.chunks)...)
				s.busy = busy
				var kept []*Frame
				_ = c.Serve(context.Background(), func(f *Frame) error {
					d := f.Detach()
					if got := d.buf == f.buf; got != tt.reference[len(kept)] {
						t.Errorf("frame %d: taken over by reference: %v, want %v", len(kept), got, tt.reference[len(kept)])
					}
					f.Retain() // of a borrowed frame: nothing
					f.Release()
					kept = append(kept, d)
					return nil
				})
				if len(kept) != len(messages) {
					t.Fatalf("got %d frames, want %d", len(kept), len(messages))
				}
				for i, f := range kept {
					if !bytes.Equal(f.Bytes(), messages[i]) {
						t.Errorf("frame %d has changed", i)
					}
					if again := f.Detach(); again != f {
						t.Errorf("frame %d: Detach of an owned frame made another", i)
					}
					f.Release()
					if !bytes.Equal(f.Bytes(), messages[i]) {
						t.Errorf("frame %d is gone with one reference left", i)
					}
					f.Release()
				}
			})
		}
	}
}

// TestDetachSealed holds that an opened frame stays marked.
func TestDetachSealed(t *testing.T) {
	seal := newSealer(t, crypto.CipherAES128GCM)
	c, _ := scripted(t, Options{Opener: func(uint64) *crypto.Sealer { return seal }},
		stream(sealedFrame(message(100, 1), seal, 5), sealedFrame(message(60_000, 2), seal, 6)))
	want := uint64(5)
	_ = c.Serve(context.Background(), func(f *Frame) error {
		d := f.Detach()
		if id, ok := d.Sealed(); !ok || id != want {
			t.Errorf("got %d %v, want %d true", id, ok, want)
		}
		d.Release()
		want++
		return nil
	})
	if want != 7 {
		t.Errorf("not all frames came")
	}
}

// TestPoison holds that a borrowed or released frame used too late shows.
func TestPoison(t *testing.T) {
	c, _ := scripted(t, Options{}, stream(message(100, 1), message(100, 2)))
	var kept []byte
	_ = c.Serve(context.Background(), func(f *Frame) error {
		if kept != nil && !bytes.Equal(kept[:96], bytes.Repeat([]byte{poisonByte}, 96)) {
			t.Errorf("a borrowed frame can still be read: %x", kept)
		}
		kept = f.Bytes()
		return nil
	})

	f := frameOf(message(100, 1))
	kept = f.Bytes()
	f.Release()
	if !bytes.Equal(kept, bytes.Repeat([]byte{poisonByte}, 100)) {
		t.Errorf("a released frame can still be read: %x", kept)
	}
	mustPanic(t, "a frame released twice", f.Release)
	b := getBuffer(1)
	b.release()
	mustPanic(t, "a buffer released twice", b.release)
}

// mustPanic calls fn, which has to.
func mustPanic(t *testing.T, what string, fn func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s does not panic", what)
		}
	}()
	fn()
}
