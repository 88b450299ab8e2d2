package session

import (
	"context"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"smbproxy/internal/smb2"
)

// FuzzConnection sends a whole stream of a client that has not authenticated, and one of a guest session without
// signatures: whatever comes, the server neither panics nor hangs nor keeps anything.
//
//	go test -run '^$' -fuzz FuzzConnection -fuzztime 20s ./session
func FuzzConnection(f *testing.F) {
	frame := func(msgs ...[]byte) []byte {
		var b []byte
		for _, m := range msgs {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(m))), m...)
		}
		return b
	}
	msg := func(id uint64, cmd smb2.Command, body smb2.Body) []byte {
		h := smb2.Header{Command: cmd, MessageID: id, CreditCharge: 1, Credits: 20}
		return body.Append(h.Append(nil))
	}
	neg := &smb2.NegotiateRequest{Dialects: []smb2.Dialect{smb2.Dialect302}}
	setup := func(token string) smb2.Body { return &smb2.SessionSetupRequest{SecurityBuffer: []byte(token)} }
	f.Add(frame(msg(0, smb2.CommandNegotiate, neg), msg(1, smb2.CommandSessionSetup, setup("user guest"))))
	f.Add(frame((&smb2.SMB1NegotiateRequest{Dialects: []string{"SMB 2.???"}}).Append(nil), msg(1, smb2.CommandNegotiate, neg)))
	c := &client{credits: 1}
	f.Add(frame(msg(0, smb2.CommandNegotiate, neg), c.compound(true, msg(1, smb2.CommandEcho, echoRequest), msg(2, smb2.CommandRead, readRequest(related, 9)))))
	f.Fuzz(func(t *testing.T, stream []byte) {
		ts := &testServer{upper: &testUpper{signal: make(chan string, 1)}, auth: &testAuth{}, logs: &logBuffer{}, held: make(chan *Request, 1000)}
		var err error
		ts.Server, err = NewServer(Config{Authenticator: ts.auth, Log: newTestLog(ts.logs), WriteTimeout: time.Second}, ts.table(), ts.upper)
		if err != nil {
			t.Fatal(err)
		}
		here, there := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			ts.ServeConn(context.Background(), there)
		}()
		go func() {
			buf := make([]byte, 4096)
			for {
				if _, err := here.Read(buf); err != nil {
					return
				}
			}
		}()
		_, _ = here.Write(stream) // the server may hang up in the middle
		here.Close()
		select {
		case <-done:
		case <-time.After(timeout):
			t.Fatal("the connection does not end")
		}
		if conns, sessions := ts.Counts(); conns != 0 || sessions != 0 || len(ts.sessions) != 0 {
			t.Errorf("%d connections, %d sessions left", conns, sessions)
		}
		if ts.logs.contains("panic") && !ts.logs.contains("panic=write") || ts.logs.contains("ended twice") {
			t.Error(ts.logs.String())
		}
	})
}
