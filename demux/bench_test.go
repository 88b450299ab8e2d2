package demux

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// BenchmarkRead sends READs one after the other through session, demux and lane to smbd and back.
// What allocs/op shows is the whole process without smbd: the client here makes nothing.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			f := newFeeder(b, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				f.read(b)
			}
		})
	}
}

// TestReadAllocatesNothing holds what BenchmarkRead shows.
func TestReadAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20} {
		f := newFeeder(t, size)
		if n := testing.AllocsPerRun(500, func() { f.read(t) }); n != 0 {
			t.Errorf("READ of %d bytes: %v allocations", size, n)
		}
	}
}

// feeder is a logged-in connection with an open file, whose traffic costs no memory: unsigned READs
// from a prepared message, replies into one buffer.
type feeder struct {
	nc   net.Conn
	msg  []byte // with its length before it
	size int
	next uint64 // MessageId
	buf  []byte
}

// newFeeder makes a file of size bytes, opens it, and takes the socket over from the client that did.
func newFeeder(t testing.TB, size int) *feeder {
	t.Helper()
	return newFeederOf(t, newRig(t, plainFeeder), size)
}

// plainFeeder is a rig for a feeder.
var plainFeeder = rigOptions{quiet: true, session: func(c *session.Config) { c.Encryption = session.EncryptionOff }}

// newFeederOf is newFeeder with a rig of the caller's.
func newFeederOf(t testing.TB, r *rig, size int) *feeder {
	t.Helper()
	c := r.connect(t, "user1", "share")
	id := c.file("f", nil)
	for off := 0; off < size; off += 64 << 10 {
		c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Offset: uint64(off), Data: make([]byte, min(size, 64<<10))}, nil)
	}
	p := c.start(smb2.CommandEcho, &smb2.EchoRequest{})
	c.wait(p)
	f := &feeder{nc: c.Conn.NetConn(), size: size, next: p.MessageID + 2, buf: make([]byte, 2<<20)}
	// The client's reader gives up; the socket stays.
	if err := f.nc.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	<-c.Conn.Done()
	if err := f.nc.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	h := smb2.Header{Command: smb2.CommandRead, SessionID: c.ID, TreeID: c.tree, Credits: 64, CreditCharge: smb2.CreditCharge(size)}
	m := (&smb2.ReadRequest{FileID: id, Length: uint32(size)}).Append(h.Append(nil))
	f.msg = append(binary.BigEndian.AppendUint32(nil, uint32(len(m))), m...)
	for range 200 {
		f.read(t) // until the pools are warm
	}
	return f
}

// read reads the file from its start.
func (f *feeder) read(t testing.TB) {
	m := f.msg[4:]
	smb2.SetRawMessageID(m, f.next)
	f.next += uint64(smb2.RawCreditCharge(m))
	if _, err := f.nc.Write(f.msg); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := io.ReadFull(f.nc, f.buf[:4]); err != nil {
			t.Fatal(err)
		}
		n := binary.BigEndian.Uint32(f.buf)
		if _, err := io.ReadFull(f.nc, f.buf[:n]); err != nil {
			t.Fatal(err)
		}
		st := smb2.RawStatus(f.buf)
		if st == ntstatus.Success {
			break
		}
		if st != ntstatus.Pending { // smbd says so when its disk is slow
			t.Fatal(st)
		}
	}
	if got := int(binary.LittleEndian.Uint32(f.buf[68:])); got != f.size {
		t.Fatalf("%d bytes, want %d", got, f.size)
	}
}
