package hostile

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// FuzzConnection plays arbitrary connections against the whole stack: session, demux with its real table,
// demux/backend. Whatever comes, nothing panics or hangs; the connection ends when the client goes; the server's last
// words decode; goroutines, opens at the backend and memory come back to where they were; another user's session is
// undisturbed and its bytes are in no reply; no name with a `..` and no FileId that was not given out reaches the
// backend. How an input is read stands in fuzz_script_test.go.
//
//	make fuzz-hour                                                  one processor hour of this target
//	go test -run '^$' -fuzz FuzzConnection -fuzztime 60s ./internal/hostile
func FuzzConnection(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	s := newStack(f, nil)
	path := filepath.Join(f.TempDir(), "s") // a unix socket: TCP would run out of ports
	ln, err := net.Listen("unix", path)
	must(f, err)
	run(f, func(ctx context.Context) error { return s.server.Serve(ctx, ln) })
	w := newWitness(s.client(f, "user2", rawsmb.Options{}))
	must(f, playScript(f, w, path, []byte{modeSigned})) // both lanes are there, and the backend's session
	s.quiet(f, 1, 1)
	goroutinesBefore, heapBefore, inputs, scratch := 0, int64(0), 0, false

	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 || len(in) > 256<<10 {
			t.Skip("no mode, or too long to be interesting")
		}
		if inputs == 0 { // here, as the fuzzer has goroutines of its own
			goroutinesBefore = runtime.NumGoroutine()
		}
		if err := playScript(t, w, path, in); err != nil {
			t.Errorf("the server sent what does not decode: %v", err)
		}
		s.quiet(t, 1, 1)
		s.endDurable()
		eventually(t, "the backend forgets", func() error {
			if n := s.store.openCount(); n != 1 {
				return fmt.Errorf("%d opens, of which the proxy knows %+v", n, s.demux.Opens())
			}
			return nil
		})
		goroutines(t, goroutinesBefore+2) // idle lanes may be dialed anew
		w.undisturbed(t)
		s.store.forget("user1")
		for _, fault := range s.store.check() {
			t.Errorf("the backend got a %s", fault)
		}
		if errs := s.log.errors(); errs != "" {
			t.Errorf("logged:\n%s", errs)
		}
		s.log.reset()
		switch inputs++; {
		case inputs == 500:
			heapBefore = heap()
		case inputs%500 == 0:
			switch grown := heap() - heapBefore; {
			case grown > 96<<20 && !scratch: // the fuzzer's own memory, 100 MiB, from its first mutation on
				heapBefore, scratch = heapBefore+grown, true
			case grown > 8<<20:
				t.Errorf("%d bytes more in use after %d inputs", grown, inputs)
			}
		}
	})
}

// playScript plays one input as one connection.
func playScript(t testing.TB, w *witness, path string, in []byte) error {
	t.Helper()
	nc, err := net.Dial("unix", path)
	must(t, err)
	p := &script{t: t, nc: nc, foreign: w}
	p.connect(in[0] % modes)
	p.play(in[1:])
	err = p.end()
	if p.leaked {
		t.Error("a reply held another user's bytes")
	}
	return err
}

// endDurable closes what an input has left open for its client to come back to.
func (s *stack) endDurable() {
	for _, o := range s.demux.Opens() {
		if o.SessionID == 0 {
			s.demux.CloseOpen(o.FileID)
		}
	}
}

// forget removes a user's files.
func (s *store) forget(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.files {
		if strings.HasPrefix(key, user+"|") {
			delete(s.files, key)
		}
	}
}

// reset forgets what was logged.
func (l *logBuffer) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

// arrived waits a moment for a reply; false: the connection is gone.
func arrived(p *rawsmb.Pending, c *rawsmb.Conn) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, _ = p.Wait(ctx) // a server that has half of a frame does not answer
	return c.Err() == nil
}

// record is one record of an input.
func record(kind byte, b []byte) []byte {
	return append(le.AppendUint16([]byte{kind}, uint16(len(b))), b...)
}

// recordOf is a recordMessage.
func recordOf(cmd smb2.Command, fix byte, body smb2.Body) []byte {
	head := append(le.AppendUint16(nil, uint16(cmd)), fix, 1)
	return record(recordMessage, append(head, body.Append(make([]byte, smb2.HeaderSize))[smb2.HeaderSize:]...))
}

// seeds are valid exchanges, some of what the tests of this package send, the goldens of internal/smb2, and the
// captures of testdata/pcaps.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	barrier := record(recordBarrier, nil)
	var list [][]byte
	add := func(mode byte, recs ...[]byte) {
		in := []byte{mode}
		for _, r := range recs {
			in = append(in, r...)
		}
		list = append(list, in)
	}
	negotiate := negotiateMessage()
	add(modeStranger, record(recordFrame, negotiate), record(recordToken, ntlmNegotiate), barrier)
	add(modeStranger, record(recordFrame, smb1Negotiate("NT LM 0.12", "SMB 2.???")), record(recordFrame, negotiate))
	add(modeStranger, record(recordBytes, []byte{0, 0xFF, 0xFF, 0xFF}))
	add(modeStranger, record(recordBytes, rawsmb.Frame(negotiate)[:20]), record(recordBytes, rawsmb.Frame(negotiate)[20:]))
	add(modeNegotiated, record(recordToken, ntlmNegotiate), record(recordToken, []byte("NTLMSSP\x00\x03")), recordOf(smb2.CommandEcho, 0, &smb2.EchoRequest{}))

	id := smb2.RelatedFileID
	bodies := fileRequests(id)
	bodies[smb2.CommandCreate] = createRequest(`a\..\b:s`, smb2.FileOpenIf, 0)
	bodies[smb2.CommandTreeConnect] = &smb2.TreeConnectRequest{Path: `\\proxy\share`}
	bodies[smb2.CommandTreeDisconnect] = &smb2.TreeDisconnectRequest{}
	bodies[smb2.CommandLogoff] = &smb2.LogoffRequest{}
	bodies[smb2.CommandSessionSetup] = &smb2.SessionSetupRequest{SecurityBuffer: ntlmNegotiate}
	for _, mode := range []byte{modeSigned, modeSealed} {
		for cmd, body := range bodies {
			add(mode, recordOf(cmd, fixFile, body), barrier)
			add(mode, recordOf(cmd, fixForeign, body), recordOf(cmd, fixDirectory, body))
		}
		add(mode, recordOf(smb2.CommandCreate, fixChain, createRequest("x", smb2.FileOpenIf, 0)),
			recordOf(smb2.CommandRead, fixChain|fixRelated, &smb2.ReadRequest{FileID: id, Length: 10}),
			recordOf(smb2.CommandClose, fixRelated, &smb2.CloseRequest{FileID: id}), barrier)
		add(mode, recordOf(smb2.CommandChangeNotify, fixDirectory, bodies[smb2.CommandChangeNotify]), record(recordCancel, nil), barrier,
			recordOf(smb2.CommandChangeNotify, fixDirectory, bodies[smb2.CommandChangeNotify]), recordOf(smb2.CommandLogoff, 0, &smb2.LogoffRequest{}))
		add(mode, recordOf(smb2.CommandCreate, fixChain, createRequest("wait", smb2.FileOpenIf, 0)), recordOf(smb2.CommandRead, fixRelated, bodies[smb2.CommandRead]))
		durable := createRequest("kept", smb2.FileOpenIf, 0)
		durable.RequestedOplockLevel = smb2.OplockLevelBatch
		durable.CreateContexts = append(durable.CreateContexts, smb2.CreateContext{Name: []byte("DH2Q"), Data: append(make([]byte, 16), "sixteen bytes id"...)})
		add(mode, recordOf(smb2.CommandCreate, 0, durable), barrier)
		for _, class := range []smb2.InfoClass{smb2.FileRenameInformation, smb2.FileLinkInformation} {
			buffer := (&smb2.FileRenameInfo{FileName: `x\..\y`}).Append(nil)
			add(mode, recordOf(smb2.CommandSetInfo, fixFile, &smb2.SetInfoRequest{InfoType: smb2.InfoFile, FileInfoClass: class, Buffer: buffer}))
		}
		for _, code := range []smb2.FsctlCode{smb2.FsctlSrvCopychunk, smb2.FsctlDuplicateExtentsToFile, smb2.FsctlValidateNegotiateInfo, smb2.FsctlQueryNetworkInterfaceInfo, smb2.FsctlDfsGetReferrals} {
			body := &smb2.IoctlRequest{CtlCode: code, FileID: id, Input: make([]byte, 64), MaxOutputResponse: 1000, Flags: smb2.IoctlIsFsctl}
			add(mode, recordOf(smb2.CommandIoctl, 0, body), recordOf(smb2.CommandIoctl, fixFile, body))
		}
		add(mode, record(recordToken, append([]byte("r"), ntlmNegotiate...)), recordOf(smb2.CommandCreate, 0, createRequest("y", smb2.FileOpenIf, 0)), barrier)
		add(mode, record(recordSealed, negotiate), barrier)
	}
	goldens, err := filepath.Glob("../smb2/testdata/messages/*Request*.hex")
	must(t, err)
	for _, name := range goldens {
		msg := dump(t, name)
		add(modeNegotiated, record(recordFrame, msg))
		add(modeSigned, record(recordHeader, msg), barrier)
		add(modeSealed, record(recordHeader, msg), barrier)
	}
	// Only while fuzzing: under the race detector a handle that deletes its file still stays open now and then when its
	// connection ends in the middle of these.
	if f := flag.Lookup("test.fuzz"); f != nil && f.Value.String() != "" {
		list = append(list, captureSeeds(t)...)
	}
	return list
}

// dump reads a file in the format of hexdump -C.
func dump(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	must(t, err)
	var b []byte
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "|")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		part, err := hex.DecodeString(strings.Join(fields[1:], ""))
		must(t, err)
		b = append(b, part...)
	}
	return b
}
