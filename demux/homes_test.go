package demux

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// TestHomesMoveLittle takes one of four backends away: only the subtrees that it served get another home.
func TestHomesMoveLittle(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	best := func(subtree string, without string) (home string) {
		var high uint64
		for _, n := range names {
			if w := weight(subtree, n); n != without && (home == "" || w > high) {
				home, high = n, w
			}
		}
		return home
	}
	count := map[string]int{}
	for i := range 4000 {
		subtree := fmt.Sprintf("DIR%d", i)
		was := best(subtree, "")
		count[was]++
		if now := best(subtree, "c"); was != "c" && now != was {
			t.Fatalf("%s moves from %s to %s because c is gone", subtree, was, now)
		}
	}
	for _, n := range names {
		if count[n] < 800 || count[n] > 1200 {
			t.Errorf("%s is the home of %d of 4000 subtrees, want about 1000", n, count[n])
		}
	}
}

func TestRoutesAndBorders(t *testing.T) {
	s := &Share{Name: "s", Backends: []string{"m1", "m2"}, Routes: []Route{
		{Path: `projects\a`, Backends: []string{"far"}},
		{Path: `projects`, Backends: []string{"m2"}},
		{Path: `projects\a\in`, Backends: []string{"farther"}},
	}}
	for path, want := range map[string]string{
		``: "", `projects`: "", `projects\b\f`: "", `projects\ab`: "", `Projects\A`: `projects\a`, `projects\a\f`: `projects\a`, `projects\A\IN\f`: `projects\a\in`,
	} {
		if got := s.border(path); got != want {
			t.Errorf("%q is behind the border %q, want %q", path, got, want)
		}
	}
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{`x`, `projects\x`, false}, {`projects\a\x`, `projects\A\y`, false}, {`projects\a\x`, `y`, true}, {`y`, `projects\a\y`, true},
		{`projects`, `old`, true}, {`projects\a\x`, `projects\a\in\x`, true}, {`projects\b`, `b`, false},
	} {
		if got := s.crosses(c.from, c.to); got != c.want {
			t.Errorf("rename of %q to %q crosses a border: %v, want %v", c.from, c.to, got, c.want)
		}
	}
}

// TestSharesOfTwoBackends uses a share that two smbd serve: names are spread over both, clients see one volume, and
// a rename that leaves a backend's part is refused only where the file system ends.
func TestSharesOfTwoBackends(t *testing.T) {
	r := newRig(t, rigOptions{backends: 2, demux: func(c *Config) {
		c.Shares = append(c.Shares, Share{Name: "both", Backends: []string{"b1", "b2"}, BackendShare: "share", Routes: []Route{{Path: "far", Backends: []string{"far"}}}})
		c.Backends["far"] = c.Backends["b2"]
	}})
	c := r.connect(t, "user1", "both")
	if _, st := c.create("far", allAccess, smb2.FileCreate, smb2.FileDirectoryFile); st != ntstatus.Success {
		t.Fatal(st)
	}
	var ids []smb2.FileID
	for i := range 16 {
		ids = append(ids, c.file(fmt.Sprintf("f%d", i), []byte{byte(i)}))
	}
	used := map[string]int{}
	for _, o := range r.demux.Opens() {
		used[o.Backend]++
	}
	if used["b1"] < 3 || used["b2"] < 3 {
		t.Errorf("opens by backend: %v", used)
	}
	rename := func(id smb2.FileID, to string) ntstatus.Status {
		st, _ := c.call(smb2.CommandSetInfo, &smb2.SetInfoRequest{
			InfoType: smb2.InfoFile, FileInfoClass: smb2.FileRenameInformation, FileID: id, Buffer: (&smb2.FileRenameInfo{FileName: to}).Append(nil),
		})
		return st
	}
	for i, id := range ids {
		to := fmt.Sprintf("g%d", i)
		if st := rename(id, `far\`+to); st != ntstatus.NotSameDevice {
			t.Errorf("rename to another file system: %v", st)
		}
		if st := rename(id, to); st != ntstatus.Success {
			t.Errorf("rename to %s: %v", to, st)
		}
		if _, err := os.Stat(filepath.Join(r.lab.Tree.Dir, "share", to)); err != nil {
			t.Error(err)
		}
		if m, st := c.create(to, smb2.FileReadData, smb2.FileOpen, 0); st != ntstatus.Success || string(c.read(m.FileID, 9)) != string([]byte{byte(i)}) {
			t.Errorf("open of %s: %v", to, st)
		}
	}
}
