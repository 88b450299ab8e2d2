package demux

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// striped is a rig whose share "share" has the names at b1 and the data at so many other backends.
func striped(t testing.TB, n int, size uint64, change func(*Striping)) *rig {
	opt := plainFeeder
	opt.backends, opt.demux = n+1, func(cfg *Config) {
		s := &cfg.Shares[0].Striping
		s.Size = size
		for i := range n {
			s.Backends = append(s.Backends, DataBackend{Name: fmt.Sprintf("b%d", i+2), Index: uint32(i)})
		}
		if change != nil {
			change(s)
		}
	}
	return newRig(t, opt)
}

// model is what a plain file would hold.
type model struct{ data []byte }

func (m *model) write(off int, b []byte) {
	if end := off + len(b); end > len(m.data) {
		m.data = append(m.data, make([]byte, end-len(m.data))...)
	}
	copy(m.data[off:], b)
}

func (m *model) truncate(n int) {
	m.data = append(m.data, make([]byte, max(0, n-len(m.data)))...)[:n]
}

// TestStripesEqualAPlainFile does random things to files over 1, 2 and 4 backends of data, with stripes so small that every
// alignment occurs, and compares each answer, the sizes, and the file in the end.
func TestStripesEqualAPlainFile(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := striped(t, n, 16, nil)
			c := r.connect(t, "user1", "share")
			dir, files := shareDirOf(t, r), 0
			rapid.Check(t, func(rt *rapid.T) {
				files++
				name := fmt.Sprintf("f%d", files)
				id, m := c.file(name, nil), &model{}
				other, st := c.create(name, allAccess, smb2.FileOpen, 0)
				if st != ntstatus.Success {
					rt.Fatal(st)
				}
				ids := []smb2.FileID{id, other.FileID}
				for range rapid.IntRange(1, 12).Draw(rt, "steps") {
					step(rt, c, rapid.SampledFrom(ids).Draw(rt, "handle"), m)
				}
				for _, id := range ids {
					if st := c.close(id); st != ntstatus.Success {
						rt.Fatal(st)
					}
				}
				got, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil || !bytes.Equal(got, m.data) {
					rt.Fatalf("on disk %d bytes %q, want %d %q (%v)", len(got), got, len(m.data), m.data, err)
				}
			})
			if r.demux.dataHandles.len() != 0 {
				t.Errorf("%d handles are left", r.demux.dataHandles.len())
			}
		})
	}
}

// step does one random thing to the file and to the model.
func step(t *rapid.T, c *client, id smb2.FileID, m *model) {
	off, n := rapid.IntRange(0, 120).Draw(t, "offset"), rapid.IntRange(1, 100).Draw(t, "length")
	switch rapid.SampledFrom([]string{"write", "write", "read", "read", "truncate", "flush", "zero", "size"}).Draw(t, "do") {
	case "write":
		b := bytes.Repeat([]byte{byte(rapid.IntRange(1, 255).Draw(t, "byte"))}, n)
		var w smb2.WriteResponse
		st, msg := c.call(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Offset: uint64(off), Data: b})
		if st != ntstatus.Success || w.Decode(msg) != nil || int(w.Count) != n {
			t.Fatalf("write %d bytes at %d: %v, %d", n, off, st, w.Count)
		}
		m.write(off, b)
	case "read":
		stepRead(t, c, id, m, off, n)
	case "truncate":
		info := smb2.FileEndOfFileInfo{EndOfFile: uint64(off)}
		if st := c.setInfo(id, smb2.FileEndOfFileInformation, info.Append(nil)); st != ntstatus.Success {
			t.Fatal(st)
		}
		m.truncate(off)
	case "flush":
		if st, _ := c.call(smb2.CommandFlush, &smb2.FlushRequest{FileID: id}); st != ntstatus.Success {
			t.Fatal(st)
		}
	case "zero":
		z := smb2.FileZeroDataInformation{FileOffset: uint64(off), BeyondFinalZero: uint64(off + n)}
		if st, _ := c.ioctl(id, smb2.FsctlSetZeroData, z.Append(nil)); st != ntstatus.Success {
			t.Fatal(st)
		}
		if off < len(m.data) {
			clear(m.data[off:min(off+n, len(m.data))])
		}
	case "size":
		var q smb2.QueryInfoResponse
		st, msg := c.call(smb2.CommandQueryInfo, &smb2.QueryInfoRequest{InfoType: smb2.InfoFile, FileInfoClass: smb2.FileStandardInformation, OutputBufferLength: 64, FileID: id})
		var info smb2.FileStandardInfo
		if st != ntstatus.Success || q.Decode(msg) != nil || info.Decode(q.OutputBuffer) != nil || int(info.EndOfFile) != len(m.data) {
			t.Fatalf("size %d, want %d (%v)", info.EndOfFile, len(m.data), st)
		}
	}
}

// stepRead reads and compares, with MinimumCount too ([MS-SMB2] 3.3.5.12).
func stepRead(t *rapid.T, c *client, id smb2.FileID, m *model, off, n int) {
	minimum := rapid.SampledFrom([]int{0, 0, n / 2, n}).Draw(t, "minimum")
	st, msg := c.call(smb2.CommandRead, &smb2.ReadRequest{FileID: id, Offset: uint64(off), Length: uint32(n), MinimumCount: uint32(minimum)})
	want := m.data[min(off, len(m.data)):min(off+n, len(m.data))]
	if len(want) == 0 || len(want) < minimum {
		if st != ntstatus.EndOfFile {
			t.Fatalf("read %d at %d, at least %d, of %d: %v", n, off, minimum, len(m.data), st)
		}
		return
	}
	var rd smb2.ReadResponse
	if st != ntstatus.Success || rd.Decode(msg) != nil || !bytes.Equal(rd.Data, want) {
		t.Fatalf("read %d at %d: %v %q, want %q", n, off, st, rd.Data, want)
	}
}

// shareDirOf is where the share's files are on disk.
func shareDirOf(t testing.TB, r *rig) string {
	t.Helper()
	dir, err := r.lab.Tree.Share("share")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestStripesAreServedByTheirBackends: a file's data come from where the layout says, its handles there are opened by the first
// I/O and closed with the open.
func TestStripesAreServedByTheirBackends(t *testing.T) {
	r := striped(t, 3, 4096, nil)
	c := r.connect(t, "user1", "share")
	id := c.file("f", []byte("the first write is the name's"))
	if n := r.demux.dataHandles.len(); n != 0 {
		t.Errorf("%d handles after the first write", n)
	}
	for i := range 3 {
		c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Offset: uint64(4096 * i), Data: bytes.Repeat([]byte{byte(i)}, 4096)}, nil)
		if n := r.demux.dataHandles.len(); n != i+1 {
			t.Errorf("%d handles after writes to %d stripes", n, i+1)
		}
	}
	c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Offset: 1 << 20, Data: make([]byte, 3*4096)}, nil)
	if n := r.demux.dataHandles.len(); n != 3 {
		t.Errorf("%d handles after a write to all stripes", n)
	}
	if st := c.close(id); st != ntstatus.Success {
		t.Error(st)
	}
	if n := r.demux.dataHandles.len(); n != 0 {
		t.Errorf("%d handles after the close", n)
	}
}
