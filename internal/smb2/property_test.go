package smb2

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// bytesOf draws a buffer.
func bytesOf(t *rapid.T, name string) []byte {
	return rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, name)
}

// TestCreateProperty draws CREATE requests and listings of contexts: all that goes in comes out, at any length of name
// and data, so at any padding.
func TestCreateProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := CreateRequest{
			DesiredAccess: AccessMask(rapid.Uint32().Draw(t, "access")), CreateOptions: CreateOptions(rapid.Uint32().Draw(t, "options")),
			Name: rapid.StringN(0, 200, -1).Draw(t, "name"),
		}
		for range rapid.IntRange(0, 5).Draw(t, "contexts") {
			m.CreateContexts = append(m.CreateContexts, CreateContext{
				Name: rapid.SliceOfN(rapid.Byte(), 4, 20).Draw(t, "context"), Data: bytesOf(t, "data"),
			})
		}
		msg := (&sample{command: CommandCreate, message: &m}).encode()
		var got CreateRequest
		if err := got.Decode(msg); err != nil || show(got) != show(m) {
			t.Fatalf("got  %s %v\nwant %s", show(got), err, show(m))
		}
		r := CreateResponse{EndofFile: 5, CreateContexts: m.CreateContexts}
		var back CreateResponse
		if err := back.Decode((&sample{command: CommandCreate, response: true, message: &r}).encode()); err != nil || show(back) != show(r) {
			t.Fatalf("got  %s %v\nwant %s", show(back), err, show(r))
		}
	})
}

// TestBuffersProperty draws messages with two buffers: they must not overlap or move.
func TestBuffersProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, out := bytesOf(t, "in"), bytesOf(t, "out")
		for _, s := range []sample{
			{"", CommandIoctl, false, 0, &IoctlRequest{Input: in, Output: out}},
			{"", CommandIoctl, true, 0, &IoctlResponse{Input: in, Output: out}},
			{"", CommandWrite, false, 0, &WriteRequest{Data: in, WriteChannelInfo: out}},
			{"", CommandNegotiate, true, 0, &NegotiateResponse{DialectRevision: Dialect311, SecurityBuffer: in, NegotiateContexts: []NegotiateContext{{1, out}, {2, in}}}},
			{"", CommandCreate, true, 0, &ErrorResponse{ErrorContexts: []ErrorContext{{1, in}, {2, out}}}},
		} {
			got := s.fresh()
			err := got.Decode(s.encode())
			if e, ok := got.(*ErrorResponse); ok {
				e.ErrorData = nil
			}
			if err != nil || show(got) != show(s.message) {
				t.Fatalf("got  %s %v\nwant %s", show(got), err, show(s.message))
			}
		}
	})
}

// TestListsProperty draws listings and other lists of entries.
func TestListsProperty(t *testing.T) {
	classes := make([]InfoClass, 0, len(directoryLayouts))
	for c := range InfoClass(255) {
		if IsDirectoryClass(c) {
			classes = append(classes, c)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOf(rapid.String()).Draw(t, "names")
		l := listing(rapid.SampledFrom(classes).Draw(t, "class"))
		notify := &list[NotifyInformation]{nil, DecodeNotifyInformation, AppendNotifyInformation}
		streams := &list[FileStreamInfo]{nil, DecodeFileStreamInfo, AppendFileStreamInfo}
		for i, n := range names {
			l.Entries = append(l.Entries, DirectoryEntry{FileIndex: uint32(i), FileName: n})
			notify.Entries = append(notify.Entries, NotifyInformation{NotifyAction(i), n})
			streams.Entries = append(streams.Entries, FileStreamInfo{uint64(i), 1, n})
		}
		for _, s := range []structure{l, notify, streams} {
			b := s.Append(nil)
			got := freshStructure(s)
			if err := got.Decode(b); err != nil || shown(got) != shown(s) || !bytes.Equal(got.Append(nil), b) {
				t.Fatalf("got  %s %v\nwant %s", shown(got), err, shown(s))
			}
		}
	})
}
