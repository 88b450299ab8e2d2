package clusterfs

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func lov(t *testing.T, path string) []byte {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := unix.Getxattr(path, "lustre.lov", buf)
	check(t, err)
	return buf[:n]
}

// TestLayoutBytes: a plain layout byte by byte, as struct lov_mds_md_v1 has it.
func TestLayoutBytes(t *testing.T) {
	c, n := makeNodes(t, held, 2)
	check(t, os.Mkdir(n[0].Dir+"/d", 0o755))
	check(t, c.SetLayout("d", Layout{Stripes: Stripes{Size: 1 << 16, OSTs: []uint32{3, 1}}}))
	write(t, n[0], "d/f", 0, "x", false)
	st := owner(t, n[1].Dir+"/d/f")
	var ino [8]byte
	binary.LittleEndian.PutUint64(ino[:], st.Ino)
	want := "d00bd10b" + "01000000" + hex.EncodeToString(ino[:]) + "0104000002000000" + "00000100" + "0200" + "0000" +
		"e903000000000000" + "0000000000000000" + "00000000" + "03000000" +
		"ea03000000000000" + "0000000000000000" + "00000000" + "01000000"
	got := lov(t, n[1].Dir+"/d/f")
	if hex.EncodeToString(got) != want {
		t.Errorf("lustre.lov is\n%x, want\n%s", got, want)
	}
	list := make([]byte, 1000)
	size, err := unix.Listxattr(n[1].Dir+"/d/f", list)
	if err != nil || !strings.Contains(string(list[:size]), "lustre.lov\x00") {
		t.Errorf("listxattr: %q, %v", list[:max(size, 0)], err)
	}
	// Unprivileged, from a directory's subdirectory, and with a pool: v3.
	check(t, c.SetLayout("d", Layout{Stripes: Stripes{Count: -1, Pool: "flash"}}))
	check(t, os.MkdirAll(n[0].Dir+"/d/sub", 0o755))
	write(t, n[1], "d/sub/g", 0, "x", false)
	got = lov(t, n[0].Dir+"/d/sub/g")
	if len(got) != 48+4*24 || binary.LittleEndian.Uint32(got) != MagicV3 || string(got[32:38]) != "flash\x00" || binary.LittleEndian.Uint16(got[28:]) != 4 {
		t.Errorf("lustre.lov with a pool over every OST: %x", got)
	}
	// The first OST goes round.
	write(t, n[1], "d/sub/h", 0, "x", false)
	next := lov(t, n[0].Dir+"/d/sub/h")
	if first, second := got[48+20], next[48+20]; second != (first+1)%4 {
		t.Errorf("files begin on OSTs %d and %d", first, second)
	}
	// A plan has no objects.
	if dir := lov(t, n[0].Dir+"/d/sub"); len(dir) != 48 || binary.LittleEndian.Uint16(dir[28:]) != 0xFFFF {
		t.Errorf("the directory's: %x", dir)
	}
}

// TestCompositeLayout: components get their objects when they are first written.
func TestCompositeLayout(t *testing.T) {
	c, n := makeNodes(t, held, 2)
	write(t, n[0], "f", 0, "x", false)
	check(t, c.SetLayout("f", Layout{Components: []Component{
		{Start: 0, End: 1 << 20, Stripes: Stripes{Pattern: PatternMDT, Size: 1 << 20}},
		{Start: 1 << 20, End: EOF, Stripes: Stripes{Count: 2}},
	}}))
	le := binary.LittleEndian
	flags := func() (gen, first, second uint32, objects int) {
		b := lov(t, n[1].Dir+"/f")
		if le.Uint32(b) != MagicComp || int(le.Uint32(b[4:])) != len(b) || le.Uint16(b[14:]) != 2 {
			t.Fatalf("header %x of %d bytes", b[:32], len(b))
		}
		e := b[32+48:]
		if le.Uint64(e[8:]) != 1<<20 || le.Uint64(e[16:]) != EOF {
			t.Fatalf("extent %x", e[8:24])
		}
		at, size := le.Uint32(e[24:]), le.Uint32(e[28:])
		if le.Uint32(b[at:]) != MagicV1 || le.Uint16(b[at+28:]) != 2 {
			t.Fatalf("component %x", b[at:at+size])
		}
		return le.Uint32(b[8:]), le.Uint32(b[32+4:]), le.Uint32(e[4:]), int(size-32) / 24
	}
	if gen, a, b, objects := flags(); gen != 1 || a != ComponentInit || b != 0 || objects != 0 {
		t.Errorf("at first: generation %d, flags %x %x, %d objects", gen, a, b, objects)
	}
	write(t, n[0], "f", 100, "y", false)
	if gen, _, b, _ := flags(); gen != 1 || b != 0 {
		t.Errorf("after a write into the first component: generation %d, flags %x", gen, b)
	}
	write(t, n[0], "f", 2<<20, "y", false)
	if gen, _, b, objects := flags(); gen != 2 || b != ComponentInit || objects != 2 {
		t.Errorf("after a write into the second: generation %d, flags %x, %d objects", gen, b, objects)
	}
}
