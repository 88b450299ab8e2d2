package e2e

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"smbproxy/internal/lab"
)

// TestChangedBehind changes a file at the backend, behind smbproxy's back, as the share's "other writers = yes" foresees:
// the next read of each client that has it open has the new bytes, and so have its size and a new open.
func TestChangedBehind(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{Shares: []lab.Share{{Name: "share", Lines: []string{"other writers = yes"}}}})
	path := filepath.Join(c.ShareDir("share"), "f")
	u := c.Lab.User("user1")
	writer := mount(t, c.Proxy.Addr(), "share", u, 0x311)
	if err := writer.WriteFile("f", noise(1, 5000), 0o644); err != nil {
		t.Fatal(err)
	}
	type reader interface {
		io.ReaderAt
		Stat() (os.FileInfo, error)
	}
	var readers []reader
	for _, dialect := range []uint16{0x210, 0x302, 0x311} {
		f, err := mount(t, c.Proxy.Addr(), "share", u, dialect).Open("f")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		readers = append(readers, f)
	}
	for round := byte(2); round < 6; round++ {
		want := noise(round, 5000+100*int(round))
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		for i, f := range readers {
			got := make([]byte, len(want))
			if n, err := f.ReadAt(got, 0); n != len(want) || err != nil && err != io.EOF || !bytes.Equal(got, want) {
				t.Errorf("round %d, reader %d: %d bytes, %v", round, i, n, err)
			}
			if st, err := f.Stat(); err != nil || st.Size() != int64(len(want)) {
				t.Errorf("round %d, reader %d: %v, %v", round, i, st, err)
			}
		}
		if got, err := writer.ReadFile("f"); err != nil || !bytes.Equal(got, want) {
			t.Errorf("round %d, opened anew: %d bytes, %v", round, len(got), err)
		}
	}
}
