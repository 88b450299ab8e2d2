package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"smbproxy/crypto"
	"smbproxy/internal/smb2"
)

// TestSignMessage signs and verifies with each algorithm, and holds what is
// covered: every byte, and with GMAC who sends and whether it is a CANCEL.
func TestSignMessage(t *testing.T) {
	for _, alg := range []crypto.SigningAlgorithm{crypto.SigningHMACSHA256, crypto.SigningAESCMAC, crypto.SigningAESGMAC} {
		t.Run(alg.String(), func(t *testing.T) {
			s, err := crypto.NewSigner(alg, bytes.Repeat([]byte{3}, 16))
			if err != nil {
				t.Fatal(err)
			}
			msg := message(130, 0x1122334455667788)
			if VerifyMessage(msg, s) {
				t.Error("an unsigned message verifies")
			}
			SignMessage(msg, s)
			if flags := binary.LittleEndian.Uint32(msg[16:]); flags != 8 {
				t.Errorf("flags: got 0x%x, want SIGNED", flags)
			}
			if !VerifyMessage(msg, s) {
				t.Error("a signed message does not verify")
			}
			for at := range msg {
				msg[at] ^= 0x40
				if VerifyMessage(msg, s) {
					t.Errorf("changed at %d and still verifies", at)
				}
				msg[at] ^= 0x40
			}
			if VerifyMessage(msg[:63], s) {
				t.Error("a message without a whole header verifies")
			}
		})
	}
}

// TestSigningNonce is [MS-SMB2] 3.1.4.1's layout.
func TestSigningNonce(t *testing.T) {
	tests := []struct {
		name    string
		flags   uint32
		command uint16
		want    byte
	}{
		{"client", 0, 8, 0},
		{"server", 1, 8, 1},
		{"client's cancel", 0, 12, 2},
		{"server's cancel", 1 | 8, 12, 3},
	}
	for _, tt := range tests {
		msg := message(64, 0x0102030405060708)
		binary.LittleEndian.PutUint32(msg[16:], tt.flags)
		binary.LittleEndian.PutUint16(msg[12:], tt.command)
		if got, want := signingNonce(msg), [12]byte{8, 7, 6, 5, 4, 3, 2, 1, tt.want}; got != want {
			t.Errorf("%s: got %x, want %x", tt.name, got, want)
		}
	}
}

// chain strings messages of the given sizes together.
func chain(sizes ...int) (frame []byte) {
	for i, n := range sizes {
		m := message(n, uint64(i))
		if i < len(sizes)-1 {
			binary.LittleEndian.PutUint32(m[20:], uint32(n))
		}
		frame = append(frame, m...)
	}
	return frame
}

func TestSplitCompound(t *testing.T) {
	next := func(b []byte, n uint32) []byte {
		b = bytes.Clone(b)
		binary.LittleEndian.PutUint32(b[20:], n)
		return b
	}
	stop := errors.New("stop")
	wrongID := chain(64, 64)
	wrongID[64] = 0xFF
	wrongSize := chain(64, 64)
	wrongSize[68] = 65
	tests := []struct {
		name  string
		frame []byte
		sizes []int
		err   error
	}{
		{"single", chain(100), []int{100}, nil},
		{"three", chain(64, 88, 71), []int{64, 88, 71}, nil},
		{"callback's error", chain(64, 64, 1000), []int{64, 64}, stop},
		{"short header", chain(64)[:63], nil, ErrProtocol},
		{"empty", nil, nil, ErrProtocol},
		{"second header short", next(chain(100), 40), nil, ErrProtocol},
		{"not a multiple of 8", next(chain(200), 68), nil, ErrProtocol},
		{"into its own header", next(chain(200), 56), nil, ErrProtocol},
		{"beyond the end", next(chain(200), 208), nil, ErrProtocol},
		{"no room for a header", next(chain(200), 144), nil, ErrProtocol},
		{"just room for a header", next(append(chain(136), chain(64)...), 136), []int{136, 64}, nil},
		{"huge", next(chain(200), 0xFFFFFFF8), nil, ErrProtocol},
		{"second is not SMB2", wrongID, []int{64}, ErrProtocol},
		{"second has another header", wrongSize, []int{64}, ErrProtocol},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []int
			ended := false
			err := SplitCompound(tt.frame, func(msg []byte, last bool) error {
				if ended {
					t.Error("called after the last one")
				}
				ended = last
				if len(msg) != cap(msg) && !last {
					t.Error("appending to one message would change the next")
				}
				got = append(got, len(msg))
				if errors.Is(tt.err, stop) && len(got) == 2 {
					return stop
				}
				return nil
			})
			if !errors.Is(err, tt.err) {
				t.Errorf("got %v, want %v", err, tt.err)
			}
			if len(got) != len(tt.sizes) || ended != (err == nil) {
				t.Fatalf("got messages of %v, want %v", got, tt.sizes)
			}
			for i := range got {
				if got[i] != tt.sizes[i] {
					t.Errorf("got messages of %v, want %v", got, tt.sizes)
				}
			}
		})
	}
}

// FuzzSplitCompound holds that the walk ends and stays within the frame.
func FuzzSplitCompound(f *testing.F) {
	f.Add(chain(64, 88, 71))
	f.Fuzz(func(t *testing.T, frame []byte) {
		sum := 0
		err := SplitCompound(frame, func(msg []byte, _ bool) error {
			if len(msg) < smb2.HeaderSize {
				t.Fatalf("a message of %d bytes", len(msg))
			}
			sum += len(msg)
			return nil
		})
		if err == nil && sum != len(frame) || sum > len(frame) {
			t.Fatalf("messages of %d bytes in a frame of %d, %v", sum, len(frame), err)
		}
	})
}
