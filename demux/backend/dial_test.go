package backend

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smbproxy/internal/ntstatus"
)

// A backend whose host swallows everything costs the first Connect the dial's
// timeout and the others next to nothing; the log says each state once.
func TestUnreachable(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "k")
	if err := GenerateKeytab(keys, testSPN, testRealm); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		var log bytes.Buffer
		p, err := NewPool(Config{
			Name: "b1", Address: "192.0.2.1:445", Realm: testRealm, KeytabFile: keys, DialTimeout: 3 * time.Second,
			Lookup: fakePasswd(User{"alice", 1000}),
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				dials.Add(1)
				<-ctx.Done()
				return nil, ctx.Err()
			},
		}, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()

		begin, worst := time.Now(), time.Duration(0)
		for i := range 1000 {
			was := time.Now()
			_, err := p.Connect(ctx, "alice", "share", uint64(i))
			if ntstatus.From(err) != ntstatus.UnexpectedNetworkError || !strings.Contains(err.Error(), "192.0.2.1") {
				t.Fatalf("connect: %v", err)
			}
			if i > 0 {
				worst = max(worst, time.Since(was))
			} else if d := time.Since(was); d != 3*time.Second {
				t.Errorf("the first connect took %v, want the dial's timeout", d)
			}
			time.Sleep(50 * time.Millisecond) //nolint:forbidigo // synctest: no real time passes
		}
		if worst > probeLimit {
			t.Errorf("a later connect took %v, want at most %v", worst, probeLimit)
		}
		if n, most := int(dials.Load()), 2*int(time.Since(begin)/(3*time.Second)); n > most || n < most/3 {
			t.Errorf("%d dials in %v, want up to %d", n, time.Since(begin), most)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := p.Connect(t.Context(), "alice", "share", 1); ntstatus.From(err) != ntstatus.UnexpectedNetworkError {
			t.Errorf("after Run: %v", err)
		}
		for _, state := range []string{"suspect", "down", "fenced"} {
			if n := strings.Count(log.String(), "state="+state+" "); n != 1 {
				t.Errorf("the log says %d times that the backend is %s, want once:\n%s", n, state, log.String())
			}
		}
		if n := strings.Count(log.String(), "\n"); n != 3 {
			t.Errorf("%d log lines, want 3:\n%s", n, log.String())
		}
	})
}

func TestConfigFaultsAllAtOnce(t *testing.T) {
	_, err := NewPool(Config{Address: "nowhere", Lanes: 5, MaxLanes: 2, Credits: 3}, slog.Default())
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"no name", "address", "realm", "keytab", "lanes", "credits"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error says nothing of %s: %v", want, err)
		}
	}
}
