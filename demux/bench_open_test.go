package demux

import (
	"encoding/binary"
	"io"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// BenchmarkOpen opens and closes a file that is there, one request after the other: one round trip to smbd for each.
func BenchmarkOpen(b *testing.B) {
	f := newFeeder(b, 4096)
	o := newOpener(f)
	for range 200 {
		o.openClose(b)
	}
	b.ReportAllocs()
	for b.Loop() {
		o.openClose(b)
	}
}

// TestOpenAllocations holds what BenchmarkOpen shows: what an open costs while it is there, and little more.
func TestOpenAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const most = 24
	o := newOpener(newFeeder(t, 4096))
	for range 200 {
		o.openClose(t)
	}
	if n := testing.AllocsPerRun(500, func() { o.openClose(t) }); n > most {
		t.Errorf("an open and its close cost %v allocations, want at most %d", n, most)
	}
}

// opener is a feeder that opens and closes.
type opener struct {
	*feeder
	create, close []byte // messages with their length before them
}

// newOpener makes the messages after the model of the feeder's READ.
func newOpener(f *feeder) *opener {
	var h smb2.Header
	if err := h.Decode(f.msg[4:]); err != nil {
		panic(err)
	}
	framed := func(cmd smb2.Command, body smb2.Body) []byte {
		h.Command, h.CreditCharge = cmd, 1
		m := body.Append(h.Append(nil))
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(m))), m...)
	}
	return &opener{feeder: f, close: framed(smb2.CommandClose, &smb2.CloseRequest{}), create: framed(smb2.CommandCreate, &smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: smb2.FileReadData, ShareAccess: shareAll,
		CreateDisposition: smb2.FileOpen, Name: "f",
	})}
}

// openClose opens the file and closes it.
func (o *opener) openClose(t testing.TB) {
	o.exchange(t, o.create)
	copy(o.close[4+smb2.FileIDOffset(smb2.CommandClose):][:16], o.buf[smb2.HeaderSize+64:])
	o.exchange(t, o.close)
}

// exchange sends a message and takes the reply into buf.
func (o *opener) exchange(t testing.TB, msg []byte) {
	smb2.SetRawMessageID(msg[4:], o.next)
	o.next++
	if _, err := o.nc.Write(msg); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(o.nc, o.buf[:4]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(o.nc, o.buf[:binary.BigEndian.Uint32(o.buf)]); err != nil {
		t.Fatal(err)
	}
	if st := smb2.RawStatus(o.buf); st != ntstatus.Success {
		t.Fatal(st)
	}
}
