package smb2

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/pcap"
)

// Where captures lie: those made in the lab, and those of foreign clients where they stand beside the project. These may
// not be copied into it.
const (
	labCaptures   = "../../testdata/pcaps"
	otherCaptures = "../../../shared/pcaps"
)

// source is the SMB frames of one capture, in both directions.
type source struct {
	name   string
	frames []frame
	lost   int
}

// frame is one frame and the client's end of its connection.
type frame struct {
	client netip.AddrPort
	data   []byte
}

// sources are the goldens of testdata and the captures.
func sources(t testing.TB) []source {
	t.Helper()
	golden := source{name: "testdata/messages"}
	paths, err := filepath.Glob("testdata/messages/*.hex")
	if err != nil || len(paths) == 0 {
		t.Fatal("no messages in testdata", err)
	}
	for _, p := range paths {
		golden.frames = append(golden.frames, frame{data: undump(t, p)})
	}
	list := []source{golden}
	for _, pattern := range []string{labCaptures + "/*.pcap", otherCaptures + "/*.pcap", otherCaptures + "/*.pcap.gz"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			streams, err := pcap.Streams(p)
			if err != nil {
				t.Fatal(err)
			}
			s := source{name: filepath.Base(p)}
			for _, st := range streams {
				client := st.Src
				if client.Port() == 445 {
					client = st.Dst
				} else if st.Dst.Port() != 445 {
					continue
				}
				frames, lost := st.Frames()
				for _, f := range frames {
					s.frames = append(s.frames, frame{client, f})
				}
				s.lost += lost
			}
			list = append(list, s)
		}
	}
	return list
}

// undump reads a file of hex.Dump.
func undump(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for line := range strings.Lines(string(b)) {
		x, err := hex.DecodeString(strings.ReplaceAll(line[10:58], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, x...)
	}
	return out
}

// messages splits a compound.
func messages(frame []byte) (list [][]byte, err error) {
	for {
		var h Header
		if err := h.Decode(frame); err != nil {
			return list, err
		}
		if h.NextCommand == 0 {
			return append(list, frame), nil
		}
		if h.NextCommand < HeaderSize || int(h.NextCommand) > len(frame) {
			return list, fmt.Errorf("NextCommand %d of %d bytes", h.NextCommand, len(frame))
		}
		list = append(list, frame[:h.NextCommand])
		frame = frame[h.NextCommand:]
	}
}

// bodyOf makes the message that fits msg: response or request, error or not, lease or oplock.
func bodyOf(h *Header, msg []byte) Message {
	size := le.Uint16(msg[HeaderSize:])
	if h.Flags&FlagServerToRedir == 0 {
		if h.Command == CommandOplockBreak && IsLeaseBreak(msg) {
			return new(LeaseBreakRequest)
		}
		return NewRequest(h.Command)
	}
	if h.Command == CommandOplockBreak && size != 9 {
		switch {
		case size == leaseNotificationSize:
			return new(LeaseBreakNotification)
		case size == leaseAckSize:
			return new(LeaseBreakResponse)
		case h.MessageID == UnsolicitedMessageID:
			return new(OplockBreakNotification)
		}
	}
	own := h.Status == ntstatus.Success || h.Status == ntstatus.NotifyCleanup || h.Status == ntstatus.NotifyEnumDir ||
		h.Status == ntstatus.BufferOverflow || h.Command == CommandSessionSetup && h.Status == ntstatus.MoreProcessingRequired
	if !own && IsErrorResponse(msg) {
		return new(ErrorResponse)
	}
	return NewResponse(h.Command)
}

// tally counts what a capture held.
type tally struct{ messages, sealed, smb1, padded, malformed int }

// TestCaptures decodes each message of each capture and encodes it again. Bytes must be equal but for what the protocol
// leaves to the sender: padding behind a message of a compound, reserved fields, and the layouts that sameButFor lists.
func TestCaptures(t *testing.T) {
	for _, s := range sources(t) {
		t.Run(s.name, func(t *testing.T) {
			var n tally
			for _, f := range s.frames {
				checkFrame(t, f.data, &n)
			}
			t.Logf("%d messages, %d with padding, %d sealed, %d of SMB1, %d malformed, %d bytes lost by the capture", n.messages, n.padded, n.sealed, n.smb1, n.malformed, s.lost)
			if want := s.name == "sv_smb-length-5770__input.pcap"; want != (n.malformed == 1) {
				t.Errorf("%d malformed messages", n.malformed)
			}
			if n.messages == 0 && n.sealed == 0 {
				t.Error("no message")
			}
		})
	}
}

// malformed are the faults of messages, by their length, that were put into a capture on purpose: a WRITE that claims
// 65,542 bytes and has 6.
var malformed = map[int]string{118: "smb2: decode WRITE: Data at offset 112: offset or length outside the message"}

// checkFrame checks one frame of any kind.
func checkFrame(t *testing.T, f []byte, n *tally) {
	t.Helper()
	switch string(f[:4]) {
	case ProtocolTransform:
		n.sealed++
		var h TransformHeader
		if err := h.Decode(f); err != nil {
			t.Error(err)
		} else if got := h.Append(nil); !bytes.Equal(got[:40], f[:40]) || !bytes.Equal(got[42:], f[42:52]) || int(h.OriginalMessageSize) != len(f)-52 {
			t.Errorf("transform header: got %x, want %x", got, f[:52])
		}
	case ProtocolSMB1:
		n.smb1++
		if f[4] == smb1Negotiate && f[9]&smb1FlagReply == 0 {
			var m SMB1NegotiateRequest
			if err := m.Decode(f); err != nil {
				t.Error(err)
			} else if got := m.Append(nil); !bytes.Equal(got, f) {
				t.Errorf("SMB1: got %x, want %x", got, f)
			}
		}
	default:
		list, err := messages(f)
		if err != nil {
			t.Error(err)
		}
		for _, msg := range list {
			n.messages++
			checkMessage(t, msg, n)
		}
	}
}

// checkMessage checks one message.
func checkMessage(t *testing.T, msg []byte, n *tally) {
	t.Helper()
	var h Header
	if err := h.Decode(msg); err != nil {
		t.Error(err)
		return
	}
	if got := h.Append(nil); !bytes.Equal(got, msg[:HeaderSize]) {
		t.Errorf("header: got %x, want %x", got, msg[:HeaderSize])
	}
	m := bodyOf(&h, msg)
	if err := m.Decode(msg); err != nil {
		if malformed[len(msg)] == err.Error() {
			n.malformed++
			return
		}
		t.Errorf("%T %v: %v\n%s", m, h.Status, err, hex.Dump(msg))
		return
	}
	got := m.Append(bytes.Clone(msg[:HeaderSize]))
	want := msg
	if len(want) > len(got) && len(want)-len(got) < 8 && isZero(want[len(got):]) {
		n.padded++
		want = want[:len(got)]
	}
	again := reflect.New(reflect.TypeOf(m).Elem()).Interface().(Message)
	if err := again.Decode(got); err != nil || show(again) != show(m) {
		t.Errorf("%T %v: decoded again: %v\n%s\nwas\n%s", m, h.Status, err, hex.Dump(got), hex.Dump(msg))
	}
	if !bytes.Equal(got, want) && !sameButFor(m, got, want) {
		t.Errorf("%T %v: encoded again\n%s\nwas\n%s", m, h.Status, hex.Dump(got), hex.Dump(msg))
	}
}

// isZero says whether all bytes are.
func isZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// sameButFor forgives the differences that mean nothing, after which got and want must be equal.
func sameButFor(m Message, got, want []byte) bool {
	got, want = bytes.Clone(got), bytes.Clone(want)
	forget := func(from, to int) {
		clear(got[HeaderSize+from : HeaderSize+to])
		clear(want[HeaderSize+from : HeaderSize+to])
	}
	switch m := m.(type) {
	case *QueryInfoRequest: // offset of an empty buffer
		if len(m.InputBuffer) == 0 {
			forget(8, 10)
		}
	case *IoctlRequest: // likewise
		if len(m.Input) == 0 {
			forget(24, 28)
		}
		if len(m.Output) == 0 {
			forget(36, 40)
		}
	case *ChangeNotifyResponse: // offset and byte of an empty buffer
		if len(m.OutputBuffer) == 0 {
			forget(2, 4)
			want = want[:len(got)]
		}
	case *CreateRequest: // smbtorture: SmbCreateFlags, which is reserved; macOS: offset of a context's empty data, padding of the last context
		forget(8, 16)
		forget(48, 56)
		n := HeaderSize + 56 + UTF16Len(m.Name)
		got, want = got[:n], want[:n]
	case *CreateResponse: // likewise, and Reserved2, which macOS does not clear
		forget(60, 64)
		forget(80, 88)
		got, want = got[:HeaderSize+80], want[:HeaderSize+80]
	case *ErrorResponse: // the byte of an empty buffer: any value, or not there
		if len(m.ErrorData) == 0 {
			got, want = got[:HeaderSize+8], want[:HeaderSize+8]
		}
	case *ReadResponse: // Reserved
		forget(3, 4)
	}
	// Padding of a compound that was not cleared, or that counts the byte of an empty buffer before it aligns.
	if extra := len(want) - len(got); extra > 0 && extra <= 8 && len(want)%8 == 0 {
		want = want[:len(got)]
	}
	return bytes.Equal(got, want)
}
