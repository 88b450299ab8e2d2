package ntlm

import (
	"testing"
	"time"
)

// TestFiletime pins the epoch: [MS-DTYP] 2.3.3.
func TestFiletime(t *testing.T) {
	for want, at := range map[uint64]time.Time{
		0:                  time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC),
		116444736000000000: time.Unix(0, 0),
		116444736000000001: time.Unix(0, 100),
	} {
		if got := filetime(at); got != want {
			t.Errorf("%v: got %d, want %d", at, got, want)
		}
	}
}

// FuzzPairs feeds the client challenge, AV pairs included.
func FuzzPairs(f *testing.F) {
	info := TargetInfo{NbComputer: "SRV", NbDomain: "DOM"}
	head := append([]byte{1, 1}, make([]byte, 26)...)
	f.Add(info.Append(head))
	f.Add(append(head, 6, 0, 4, 0, 2, 0, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		if err := walkPairs(b, func(_ AvID, v []byte) { total += 4 + len(v) }); err == nil && total+4 > len(b) {
			t.Fatalf("pairs of %d bytes out of %d", total, len(b))
		}
		if flags, err := clientFlags(b); err != nil && flags != 0 && len(b) < 28 {
			t.Fatalf("flags %x with %v", flags, err)
		}
	})
}
