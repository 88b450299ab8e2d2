package smb2

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
)

// TestUTF16 pins encodings; FuzzUTF16 has the rules.
func TestUTF16(t *testing.T) {
	tests := map[string]struct{ text, units string }{
		"empty":             {"", ""},
		"ascii":             {"ab", "a\x00b\x00"},
		"two bytes":         {"é", "\xe9\x00"},
		"three bytes":       {"€", "\xac\x20"},
		"pair":              {"\U0001F600", "\x3d\xd8\x00\xde"},
		"high alone":        {"\xed\xa0\x80", "\x00\xd8"},
		"low alone":         {"\xed\xbf\xbf", "\xff\xdf"},
		"high before a":     {"\xed\xa0\x80a", "\x00\xd8a\x00"},
		"low before high":   {"\xed\xb0\x80\xed\xa0\x80", "\x00\xdc\x00\xd8"},
		"low before low":    {"\xed\xb0\x80\xed\xb0\x81", "\x00\xdc\x01\xdc"},
		"private use":       {"\uf020", "\x20\xf0"}, // how smbd and clients write what a name may not hold
		"nul in the middle": {"a\x00b", "a\x00\x00\x00b\x00"},
	}
	for name, tt := range tests {
		if got := AppendUTF16(nil, tt.text); string(got) != tt.units {
			t.Errorf("%s: encoded to %x, want %x", name, got, tt.units)
		}
		if got, err := DecodeUTF16([]byte(tt.units)); err != nil || got != tt.text {
			t.Errorf("%s: decoded to %q %v, want %q", name, got, err, tt.text)
		}
	}
	if got := AppendUTF16(nil, "a\xffb"); string(got) != "a\x00\xfd\xffb\x00" {
		t.Errorf("invalid byte: got %x", got)
	}
	if _, err := DecodeUTF16([]byte("abc")); err == nil {
		t.Error("odd length decoded")
	}
}

// TestFiletime checks known times both ways.
func TestFiletime(t *testing.T) {
	tests := map[Filetime]time.Time{
		0:                      {},
		116444736000000000:     time.Unix(0, 0).UTC(),
		116444736000000000 - 1: time.Unix(-1, 999999900).UTC(),
		128166372003061629:     time.Date(2007, 2, 22, 17, 0, 0, 306162900, time.UTC),
		1:                      time.Date(1601, 1, 1, 0, 0, 0, 100, time.UTC),
	}
	for ft, want := range tests {
		if got := ft.Time(); !got.Equal(want) {
			t.Errorf("%d: got %v, want %v", ft, got, want)
		}
		if got := FiletimeOf(want); got != ft {
			t.Errorf("%v: got %d, want %d", want, got, ft)
		}
	}
	if got := FiletimeOf(time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC)); got != 0 {
		t.Errorf("year 1500: got %d, want 0", got)
	}
}

// TestCreditCharge checks the borders of [MS-SMB2] 3.1.5.2.
func TestCreditCharge(t *testing.T) {
	for n, want := range map[int]uint16{-1: 1, 0: 1, 1: 1, 65536: 1, 65537: 2, 131072: 2, 131073: 3, 8 << 20: 128} {
		if got := CreditCharge(n); got != want {
			t.Errorf("CreditCharge(%d): got %d, want %d", n, got, want)
		}
	}
}

// TestCommands checks names and numbers of all commands, and places of FileIds by decoding one put there.
func TestCommands(t *testing.T) {
	if CommandOplockBreak != 0x12 || CommandOplockBreak.String() != "OPLOCK_BREAK" || Command(19).String() != "COMMAND_19" {
		t.Errorf("got %d %v %v", CommandOplockBreak, CommandOplockBreak, Command(19))
	}
	id := FileID{Persistent: 0xA1A2A3A4A5A6A7A8, Volatile: 0xB1B2B3B4B5B6B7B8}
	for _, s := range requestSamples() {
		off := FileIDOffset(s.command)
		if has := strings.Contains(show(s.message), "FileID:"); has != (off != 0) && s.name != "LeaseBreakRequest" {
			t.Errorf("%s: FileIDOffset %d", s.name, off)
		}
		if off == 0 || s.name == "LeaseBreakRequest" {
			continue
		}
		msg := s.encode()
		SetRawFileID(msg, off, id)
		m := s.fresh()
		if err := m.Decode(msg); err != nil || !strings.Contains(show(m), fmt.Sprintf("FileID:%+v", id)) || RawFileID(msg, off) != id {
			t.Errorf("%s: FileId at %d: got %s %v", s.name, off, show(m), err)
		}
	}
	if FileIDOffset(99) != 0 || NewRequest(99) != nil || NewResponse(99) != nil {
		t.Error("command 99 exists")
	}
}

// TestRawAccessors checks each against the decoded header.
func TestRawAccessors(t *testing.T) {
	msg := (&Header{}).Append(nil)
	SetRawCommand(msg, CommandRead)
	SetRawFlags(msg, FlagSigned|FlagDFS)
	SetRawMessageID(msg, 1<<40)
	SetRawSessionID(msg, 2<<40)
	SetRawProcessID(msg, 8)
	SetRawTreeID(msg, 3)
	SetRawStatus(msg, 0xC0000022)
	SetRawNextCommand(msg, 4)
	SetRawCredits(msg, 5)
	SetRawCreditCharge(msg, 6)
	copy(RawSignature(msg), "0123456789abcdef")
	want := Header{
		Command: CommandRead, Flags: FlagSigned | FlagDFS, MessageID: 1 << 40, SessionID: 2 << 40, ProcessID: 8, TreeID: 3,
		Status: ntstatus.AccessDenied, NextCommand: 4, Credits: 5, CreditCharge: 6, Signature: [16]byte([]byte("0123456789abcdef")),
	}
	var got Header
	if err := got.Decode(msg); err != nil || got != want {
		t.Errorf("got  %+v %v\nwant %+v", got, err, want)
	}
	raw := Header{
		Command: RawCommand(msg), Flags: RawFlags(msg), MessageID: RawMessageID(msg), SessionID: RawSessionID(msg), ProcessID: 8, TreeID: RawTreeID(msg),
		Status: RawStatus(msg), NextCommand: RawNextCommand(msg), Credits: RawCredits(msg), CreditCharge: RawCreditCharge(msg), Signature: [16]byte(RawSignature(msg)),
	}
	if raw != want {
		t.Errorf("got  %+v\nwant %+v", raw, want)
	}
	SetRawChannelSequence(msg, 7)
	got.SetChannelSequence(7)
	if RawChannelSequence(msg) != 7 || RawStatus(msg) != got.Status || got.ChannelSequence() != 7 {
		t.Errorf("channel sequence: got %#x, %#x", RawStatus(msg), got.Status)
	}
	SetRawAsyncID(msg, 9<<40)
	SetRawFlags(msg, FlagAsync)
	if err := got.Decode(msg); err != nil || got.AsyncID != 9<<40 || got.TreeID != 0 || RawAsyncID(msg) != 9<<40 {
		t.Errorf("async: got %+v %v", got, err)
	}
}

// TestHeaderRefuses checks what a header must be.
func TestHeaderRefuses(t *testing.T) {
	good := (&Header{}).Append(nil)
	for name, at := range map[string]int{"ProtocolId": 0, "StructureSize": 4} {
		msg := bytes.Clone(good)
		msg[at] ^= 1
		if err := new(Header).Decode(msg); err == nil {
			t.Errorf("wrong %s decoded", name)
		}
	}
}

// TestSID checks the text form both ways, and what is none.
func TestSID(t *testing.T) {
	for _, text := range []string{"S-1-1-0", "S-1-5-21-1-2-3-1001", "S-1-22-1-1000", "S-1-5", "S-1-0x100000000000-1"} {
		s, err := ParseSID(text)
		if err != nil || s.String() != text {
			t.Errorf("%s: got %s %v", text, s.String(), err)
		}
		var again SID
		if err := again.Decode(s.Append(nil)); err != nil || !again.Equal(&s) || len(s.Append(nil)) != s.Size() {
			t.Errorf("%s: got %s %v", text, again.String(), err)
		}
	}
	for _, text := range []string{"", "S-1", "S-2-5-1", "S-1-5-x", "S-1-5-4294967296", "S-1-5" + strings.Repeat("-1", 16), "T-1-1-0"} {
		if s, err := ParseSID(text); err == nil {
			t.Errorf("%q: got %s", text, s.String())
		}
	}
}

// TestDirectoryWriterLimit fills a buffer as QUERY_DIRECTORY does: never more than asked, and what fits exactly fits.
func TestDirectoryWriterLimit(t *testing.T) {
	e := DirectoryEntry{FileName: "abc"} // 104+6 bytes, 112 with padding
	for limit, want := range map[int]int{109: 0, 110: 1, 221: 1, 222: 2, 334: 3} {
		w := DirectoryWriter{Class: FileIdBothDirectoryInformation, Limit: limit}
		n := 0
		for w.Add(&e) {
			n++
		}
		if list, err := DecodeDirectory(w.Class, w.Bytes()); n != want || len(w.Bytes()) > limit || err != nil || len(list) != n {
			t.Errorf("limit %d: got %d entries in %d bytes (%v), want %d", limit, n, len(w.Bytes()), err, want)
		}
	}
	if IsDirectoryClass(FileBasicInformation) || !IsDirectoryClass(FileNamesInformation) {
		t.Error("IsDirectoryClass")
	}
	if _, err := DecodeDirectory(FileBasicInformation, nil); err == nil {
		t.Error("FileBasicInformation decoded as a listing")
	}
}

// TestEntriesEnd checks lists whose offsets do not go forward: they must end.
func TestEntriesEnd(t *testing.T) {
	good := AppendNotifyInformation(nil, []NotifyInformation{{1, "a"}, {2, "b"}})
	for _, next := range []uint32{1, 11, 12, 13, 0x80000000, 0xFFFFFFFF, 17, uint32(len(good)), uint32(len(good) + 1)} {
		b := bytes.Clone(good)
		le.PutUint32(b, next)
		list, err := DecodeNotifyInformation(b)
		if err == nil && len(list) != 1 {
			t.Errorf("NextEntryOffset %#x: got %v", next, list)
		}
	}
}

// TestFindContexts checks both searches.
func TestFindContexts(t *testing.T) {
	if data, ok := FindCreateContext(sampleContexts(), CreateRequestLease); !ok || len(data) != leaseV2Size {
		t.Errorf("got %d bytes %v", len(data), ok)
	}
	if _, ok := FindCreateContext(sampleContexts(), CreateAAPL); ok {
		t.Error("AAPL found")
	}
	list := append(sampleNegotiateContexts(), NegotiateContext{Type: ContextSigning, Data: []byte("second")})
	if data, n := FindNegotiateContext(list, ContextSigning); n != 2 || len(data) != 8 {
		t.Errorf("got %x %d", data, n)
	}
	if data, n := FindNegotiateContext(list, 99); n != 0 || data != nil {
		t.Errorf("got %x %d", data, n)
	}
}

// TestSMB1Refusal checks the answer to a client of SMB1 only, which keeps the ids of the request.
func TestSMB1Refusal(t *testing.T) {
	var m SMB1NegotiateRequest
	if err := m.Decode((&SMB1NegotiateRequest{Dialects: []string{"NT LM 0.12"}}).Append(nil)); err != nil {
		t.Fatal(err)
	}
	m.Header[30] = 0x55 // Mid
	got := m.AppendRefusal(nil)
	if len(got) != 37 || got[9]&smb1FlagReply == 0 || got[30] != 0x55 || string(got[32:]) != "\x01\xff\xff\x00\x00" {
		t.Errorf("got %x", got)
	}
}

// TestCreateContextNames refuses names that do not exist.
func TestCreateContextNames(t *testing.T) {
	for n, ok := range map[int]bool{3: false, 4: true, 16: true, 256: true, 257: false} {
		s := sample{command: CommandCreate, message: &CreateRequest{CreateContexts: []CreateContext{{Name: make([]byte, n)}}}}
		if err := new(CreateRequest).Decode(s.encode()); (err == nil) != ok {
			t.Errorf("name of %d bytes: %v", n, err)
		}
	}
}

// TestCreateContextNext checks the offsets that are no chain.
func TestCreateContextNext(t *testing.T) {
	chain := appendCreateContexts(make([]byte, 88), 0, 80, true, sampleContexts()[1:3])[88:] // two of 24 bytes
	for next, want := range map[uint32]int{0: 1, 24: 2, 8: 0, 12: 0, 16: 0, 40: 0, 48: 0, 56: 0, 0x80000000: 0, 0xFFFFFFF8: 0} {
		b := append(bytes.Clone(chain), make([]byte, 64)...)[:len(chain)]
		le.PutUint32(b, next)
		if got, err := decodeCreateContexts(nil, b); (err == nil) != (want != 0) || err == nil && len(got) != want {
			t.Errorf("Next %d: got %d contexts %v, want %d", next, len(got), err, want)
		}
	}
}

// TestNegotiateKeepsStartTimeApart checks the field that dialects read in two ways.
func TestNegotiateKeepsStartTimeApart(t *testing.T) {
	m := NegotiateRequest{Dialects: []Dialect{Dialect311}, ClientStartTime: 99}
	s := sample{command: CommandNegotiate, message: &m}
	got := NegotiateRequest{ClientStartTime: 5, NegotiateContexts: sampleNegotiateContexts()}
	if err := got.Decode(s.encode()); err != nil || got.ClientStartTime != 0 || len(got.NegotiateContexts) != 0 {
		t.Errorf("got %+v %v", got, err)
	}
}

// TestFixedParts checks the two encoders that leave the data to their caller.
func TestFixedParts(t *testing.T) {
	r := ReadResponse{Data: []byte("data"), DataRemaining: 1, Flags: 2}
	if got := append(r.AppendFixed(nil, 4), "data"...); !bytes.Equal(got, r.Append(nil)) || len(got) != ReadResponseDataOffset-HeaderSize+4 {
		t.Errorf("READ: got %x", got)
	}
	w := WriteRequest{Data: []byte("data"), Offset: 1, FileID: sampleID}
	if got := append(w.AppendFixed(nil, 4), "data"...); !bytes.Equal(got, w.Append(nil)) || len(got) != WriteRequestDataOffset-HeaderSize+4 {
		t.Errorf("WRITE: got %x", got)
	}
}
