package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"smbproxy/internal/lab"
	wire "smbproxy/internal/smb2"
)

// A client that has a file open reads and writes it through a backend of data even if its user could not open it a second time: as
// the data user. Without one the backend of the name serves what that user may not have there.
func TestDataUser(t *testing.T) {
	for _, with := range []bool{true, false} {
		c := cluster(t, lab.ClusterOptions{
			Backends: 2, Shares: []lab.Share{{Name: "share", Backends: []int{0}, Lines: []string{"ost backends = b1", "stripe size = 64K"}}},
			BackendLinesOf: func(i int) []string {
				if with && i == 1 {
					return []string{"data user = user3"}
				}
				return nil
			},
		})
		tree := rawTree(t, c)
		open := func(name string, attributes wire.FileAttributes) wire.FileID {
			m, err := tree.Create(wire.CreateRequest{Name: name, FileAttributes: attributes})
			if err != nil {
				t.Fatal(err)
			}
			return m.FileID
		}
		data := bytes.Repeat([]byte("data"), 4<<10)
		write := func(id wire.FileID) {
			if _, err := tree.Do(wire.CommandWrite, &wire.WriteRequest{FileID: id, Data: data}); err != nil {
				t.Fatal(err)
			}
		}
		readOnly := open("read-only", wire.FileAttributeReadonly)
		write(readOnly)
		if !hasOpen(t, c.Backends[1], "read-only") {
			t.Error("a file that was created read-only is not written through its backend of data")
		}
		taken := open("taken", 0)
		path := filepath.Join(c.ShareDir("share"), "taken")
		if err := os.Chown(path, 0, 0); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		write(taken)
		if got := hasOpen(t, c.Backends[1], "taken"); got != with {
			t.Errorf("with a data user %v: open at the backend of data: %v", with, got)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes on disk, %v", len(got), err)
		}
		if _, err := tree.Create(wire.CreateRequest{Name: "taken"}); err == nil {
			t.Error("the user can open a file that is not its any more")
		}
	}
}
