package demux

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// writeAll writes data from the start of a file, so many bytes at a time.
func (c *client) writeAll(id smb2.FileID, data []byte, step int) {
	c.t.Helper()
	for off := 0; off < len(data); off += step {
		c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Offset: uint64(off), Data: data[off:min(len(data), off+step)]}, nil)
	}
}

// stripedData is data that differ in every stripe.
func stripedData(stripes, size int) []byte {
	var b []byte
	for i := range stripes {
		b = append(b, bytes.Repeat([]byte{byte(i + 1)}, size)...)
	}
	return b
}

// TestSetTimeStays: a write time that the client has set is the file's after CLOSE, though backends of data have written since.
func TestSetTimeStays(t *testing.T) {
	r := striped(t, 3, 4096, nil)
	c := r.connect(t, "user1", "share")
	id := c.file("f", nil)
	c.writeAll(id, stripedData(12, 4096), 12*4096)
	want := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	info := smb2.FileBasicInfo{LastWriteTime: smb2.FiletimeOf(want)}
	if st := c.setInfo(id, smb2.FileBasicInformation, info.Append(nil)); st != ntstatus.Success {
		t.Fatal(st)
	}
	c.writeAll(id, stripedData(12, 4096), 12*4096)
	if n := r.demux.dataHandles.len(); n != 3 {
		t.Fatalf("%d handles for data", n)
	}
	c.close(id)
	st, err := os.Stat(filepath.Join(shareDirOf(t, r), "f"))
	if err != nil || !st.ModTime().Equal(want) {
		t.Errorf("the file is of %v (%v), want %v", st.ModTime(), err, want)
	}
}

// TestAppendOverStripes: WRITE at the end of the file, wherever that is, by handles that have written elsewhere.
func TestAppendOverStripes(t *testing.T) {
	r := striped(t, 3, 16, nil)
	c := r.connect(t, "user1", "share")
	id := c.file("f", nil)
	want := stripedData(5, 11)
	c.writeAll(id, want, 7)
	m, st := c.create("f", smb2.FileAppendData|smb2.FileReadAttributes, smb2.FileOpen, 0)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	for _, part := range []string{"one", "a longer part that crosses stripes", "end"} {
		at := uint64(len(want))
		if st, _ := c.call(smb2.CommandWrite, &smb2.WriteRequest{FileID: m.FileID, Offset: at, Data: []byte(part)}); st != ntstatus.Success {
			t.Fatal(st)
		}
		want = append(want, part...)
	}
	if got := c.read(id, 4096); !bytes.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestCopychunkOverStripes: a server-side copy sees what the backends of data were given, and they see it.
func TestCopychunkOverStripes(t *testing.T) {
	r := striped(t, 3, 16, nil)
	c := r.connect(t, "user1", "share")
	from, to := c.file("from", nil), c.file("to", nil)
	data := stripedData(10, 16)
	c.writeAll(from, data, len(data))
	c.writeAll(to, bytes.Repeat([]byte{0xEE}, 200), 200)
	st, out := c.ioctl(from, smb2.FsctlSrvRequestResumeKey, nil)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	q := smb2.SrvCopychunkCopy{SourceKey: [24]byte(out[:24]), Chunks: []smb2.SrvCopychunk{{SourceOffset: 5, TargetOffset: 21, Length: 100}}}
	if st, _ := c.ioctl(to, smb2.FsctlSrvCopychunk, q.Append(nil)); st != ntstatus.Success {
		t.Fatal(st)
	}
	want := bytes.Repeat([]byte{0xEE}, 200)
	copy(want[21:], data[5:105])
	if got := c.read(to, 4096); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// TestFlushIsForTheFile: data that a handle which is closed by now has left at a backend of data are flushed there by whoever
// flushes the file; where that backend has gone, they are written again by the backend of the name.
func TestFlushIsForTheFile(t *testing.T) {
	r := striped(t, 2, 4096, nil)
	c := r.connect(t, "user1", "share")
	dirty := func(name string) smb2.FileID {
		id := c.file(name, nil)
		c.writeAll(id, stripedData(4, 4096), 4*4096)
		c.close(id)
		m, st := c.create(name, allAccess, smb2.FileOpen, 0)
		if st != ntstatus.Success {
			t.Fatal(st)
		}
		return m.FileID
	}
	flush := func(id smb2.FileID) ntstatus.Status {
		st, _ := c.call(smb2.CommandFlush, &smb2.FlushRequest{FileID: id})
		return st
	}
	files := func() (n, idle int) {
		r.demux.dataFiles.mu.Lock()
		defer r.demux.dataFiles.mu.Unlock()
		return len(r.demux.dataFiles.files), r.demux.dataFiles.idle
	}
	id := dirty("f")
	if st := flush(id); st != ntstatus.Success {
		t.Error(st)
	}
	if n := r.demux.dataHandles.len(); n != 2 {
		t.Errorf("%d handles were opened to flush, want 2", n)
	}
	c.close(id)
	if n, idle := files(); n != 0 || idle != 0 {
		t.Errorf("%d files, %d of them not open, after a FLUSH and CLOSE", n, idle)
	}

	id = dirty("g")
	c.close(id)
	if n, idle := files(); n != 1 || idle != 1 {
		t.Errorf("%d files, %d of them not open, want one that is dirty", n, idle)
	}
	id = dirty("h")
	if err := r.smbd[2].Kill(); err != nil {
		t.Fatal(err)
	}
	if st := flush(id); st != ntstatus.Success {
		t.Errorf("FLUSH with a backend lost: %v", st)
	}
	if n := keptBytes(r.demux); n != 4*4096 {
		t.Errorf("%d bytes are kept after a FLUSH, want those of the other file", n)
	}
	got := c.read(id, 4*4096)
	if !bytes.Equal(got, stripedData(4, 4096)) {
		t.Error("other data than were written, read with a backend lost")
	}
}

// keptBytes is how much is kept of all files that are open or not.
func keptBytes(d *Demux) (n int) {
	d.kept.mu.Lock()
	defer d.kept.mu.Unlock()
	for _, f := range d.kept.files {
		for _, w := range f.log {
			n += w.size
		}
	}
	return n
}

// TestOwnFlushReachesBackendsOfData: what is kept of data at several backends is flushed there by ourselves after a while, by
// whoever wrote it, closed or not.
func TestOwnFlushReachesBackendsOfData(t *testing.T) {
	r := striped(t, 2, 4096, nil)
	c := r.connect(t, "user1", "share")
	for _, closed := range []bool{false, true} {
		id := c.file(fmt.Sprint("f", closed), nil)
		data := stripedData(8, 4096)
		c.writeAll(id, data[:4*4096], 4*4096) // in pieces
		for off := 4 * 4096; off < len(data); off += 4096 {
			c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Offset: uint64(off), Data: data[off : off+4096]}, nil)
		}
		if closed {
			c.close(id)
		}
		if n := keptBytes(r.demux); n != len(data) {
			t.Fatalf("%d bytes are kept, want %d", n, len(data))
		}
		for _, f := range r.demux.kept.dueFiles(time.Now().Add(time.Minute), 1) {
			r.demux.flushKept(t.Context(), f.file)
		}
		if n := keptBytes(r.demux); n != 0 {
			t.Errorf("closed %v: %d bytes are kept after our own FLUSH", closed, n)
		}
		if r.demux.kept.failed.Load() != 0 {
			t.Errorf("closed %v: a FLUSH has failed", closed)
		}
		r.demux.dataFiles.mu.Lock()
		for _, f := range r.demux.dataFiles.files {
			if !f.clean() {
				t.Errorf("closed %v: the file is dirty at %v", closed, f.unflushed())
			}
		}
		r.demux.dataFiles.mu.Unlock()
	}
}

// TestStripedReadAllocatesNothing: neither what one backend of data has, nor what is joined from four.
func TestStripedReadAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const size = 256 << 10
	for _, stripe := range []uint64{size, size / 4} {
		r := striped(t, 4, stripe, nil)
		f := newFeederOf(t, r, size)
		if n := r.demux.dataHandles.len(); n == 0 {
			t.Fatal("nothing was read from a backend of data")
		}
		if n := testing.AllocsPerRun(500, func() { f.read(t) }); n != 0 {
			t.Errorf("READ of stripes of %d bytes: %v allocations", stripe, n)
		}
	}
}

// TestHandlesForDataAreBounded: more files than may have handles, each of them read and written.
func TestHandlesForDataAreBounded(t *testing.T) {
	const limit = 4
	r := newRig(t, rigOptions{backends: 3, quiet: true, demux: func(cfg *Config) {
		cfg.DataHandles = limit
		cfg.Shares[0].Striping = Striping{Size: 16, Backends: []DataBackend{{Name: "b2"}, {Name: "b3", Index: 1}}}
	}})
	c := r.connect(t, "user1", "share")
	var ids []smb2.FileID
	data := stripedData(6, 16)
	for round := range 3 {
		for i := range 6 {
			if round == 0 {
				ids = append(ids, c.file(fmt.Sprintf("f%d", i), nil))
			}
			c.writeAll(ids[i], data, len(data))
			if got := c.read(ids[i], 200); !bytes.Equal(got, data) {
				t.Errorf("file %d in round %d has %x", i, round, got)
			}
			if n := r.demux.dataHandles.len(); n > limit {
				t.Errorf("%d handles, at most %d may be open", n, limit)
			}
		}
	}
	for _, id := range ids {
		c.close(id)
	}
	if n := r.demux.dataHandles.len(); n != 0 {
		t.Errorf("%d handles are left", n)
	}
}
